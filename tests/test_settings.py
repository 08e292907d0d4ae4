import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from wabot.core.doors import WebSettings
from wabot.errors import SettingsError
from wabot.settings import FILE, Settings, load_settings, read_settings

TOML = """
flow = "order"
locale = "hi"
locales = ["en", "hi"]
timezone = "Asia/Kolkata"
currency = "INR"
modules = ["catalog"]

[business]
name = "Asha"
gstin = "29ABCDE1234F1Z5"

[runtime]
tries = 5
lease = "90s"

[catalog]
file = "catalog.csv"
"""


class CatalogSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    file: Path | None = None
    cutoff: float = 0.8


def load(folder: Path, toml: str = TOML, **environment: str) -> Settings:
    (folder / "wabot.toml").write_text(toml, encoding="utf-8")
    return load_settings(folder, environment=environment)


def test_a_project_is_read_from_its_file(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.flow, settings.locale, settings.all_locales) == ("order", "hi", ["hi", "en"])
    assert settings.zone.key == "Asia/Kolkata"
    assert settings.business.name == "Asha"
    assert settings.business.model_extra == {"gstin": "29ABCDE1234F1Z5"}
    assert (settings.runtime.tries, settings.runtime.lease) == (5, timedelta(seconds=90))
    assert settings.database_url == f"sqlite:///{tmp_path}/wabot.db"
    assert settings.text_directories == [tmp_path / "texts"]


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        WABOT_CURRENCY="EUR",
        WABOT_LOCALES='["en"]',
        WABOT_BUSINESS__NAME="Ravi",
        WABOT_RUNTIME__TRIES="2",
        WABOT_CATALOG__CUTOFF="0.9",
        WABOT_LOG_KEY="k",
        UNRELATED="1",
    )
    assert (settings.currency, settings.locales, settings.business.name) == ("EUR", ["en"], "Ravi")
    assert settings.business.model_extra == {"gstin": "29ABCDE1234F1Z5"}
    assert (settings.runtime.tries, settings.runtime.lease) == (2, timedelta(seconds=90))
    section = settings.section("catalog", CatalogSettings)
    assert (section.file, section.cutoff) == (tmp_path / "catalog.csv", 0.9)
    assert settings.log_key is not None
    assert settings.log_key.get_secret_value() == "k"


def test_the_database_goes_by_its_usual_name_too(tmp_path: Path) -> None:
    url = "postgresql://bot:secret@db/shop"
    assert load(tmp_path, DATABASE_URL=url).database_url == url
    both = load(tmp_path, DATABASE_URL=url, WABOT_DATABASE="sqlite://")
    assert both.database_url == "sqlite://"


def test_redis_goes_by_its_usual_name_too_and_may_be_missing(tmp_path: Path) -> None:
    assert load(tmp_path).redis_url is None
    assert load(tmp_path, WABOT_REDIS="", REDIS_URL="redis://other").redis_url is None
    settings = load(tmp_path, REDIS_URL="redis://:s3cr3t@cache/1")
    assert settings.redis_url == "redis://:s3cr3t@cache/1"
    assert "s3cr3t" not in repr(settings)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, DATABASE_URL="postgresql://bot:s3cr3t@db/shop", WABOT_LOG_KEY="hidden")
    assert "s3cr3t" not in repr(settings)
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///data/shop.db", "sqlite:////project/data/shop.db"),
        ("sqlite:////var/shop.db", "sqlite:////var/shop.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
    ],
)
def test_a_relative_database_is_beside_the_settings(url: str, resolved: str) -> None:
    assert Settings(directory=Path("/project"), database=SecretStr(url)).database_url == resolved


def test_settings_made_in_code_see_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WABOT_CURRENCY", "EUR")
    assert Settings().currency == "INR"
    assert Settings(runtime={"sweep": timedelta(seconds=2)}).runtime.sweep == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('curency = "INR"', r'wabot\.toml: curency: there is no such setting \(did you mean "currency"\?\)'),
        ("xyzzy = 1", r"wabot\.toml: xyzzy: there is no such setting$"),
        ('currency = "RUP"', r'wabot\.toml: currency: "RUP" is no currency of ISO 4217'),
        ('currency = "EURO"', r'did you mean "EUR"\?'),
        ('locale = "klingon"', r'wabot\.toml: locale: "klingon" is no locale: write it like en or hi-IN'),
        ('timezone = "Asia/Calcuta"', r'"Asia/Calcuta" is no time zone: did you mean "Asia/Calcutta"\?'),
        ('timezone = "xyzzy"', r'"xyzzy" is no time zone: write it like Asia/Kolkata'),
        (
            "[runtime]\ntreis = 3",
            r'wabot\.toml: runtime\.treis: there is no such setting \(did you mean "tries"',
        ),
        ('[runtime]\nlease = "soon"', r"wabot\.toml: runtime\.lease: 'soon' is not a length of time"),
        ("[runtime]\ntries = 0", r"wabot\.toml: runtime\.tries: Input should be greater than or equal to 1"),
        ("flow = ", r"wabot\.toml: Invalid value.*\(the file is TOML: key = value\)"),
        ("[runtime]\nsweep = '0s'", r"runtime\.sweep: Input should be greater than 0 seconds"),
        (
            "[runtime]\npatience = -5",
            r"runtime\.patience: Input should be greater than or equal to 0 seconds",
        ),
        ("[web]\nport = 'x'", r"web\.port: this is to be a whole number"),
        ("[web]\ndev = 'x'", r"web\.dev: this is to be true or false"),
        ("[media]\nfolder = 3", r"media\.folder: this is to be a path, in quotes"),
        ("[opt_out.stop]\nklingon = ['x']", r'toml: opt_out\.stop\.klingon: "klingon" is no locale'),
        ("directory = 'x'", r"wabot\.toml: directory: there is no such setting"),
        ("sections = 3", r"wabot\.toml: sections: there is no such setting"),
        ("flow = 3", r"wabot\.toml: flow: this is to be text, in quotes"),
    ],
)
def test_a_wrong_setting_is_named_with_its_mend(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, toml)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='the environment\'s WABOT_CURRENCY: "RUP" is no currency'):
        load(tmp_path, WABOT_CURRENCY="RUP")
    with pytest.raises(SettingsError, match="the environment's WABOT_RUNTIME__TRIES: this is to be a whole"):
        load(tmp_path, WABOT_RUNTIME__TRIES="many")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("WABOT_LOCALES", "en,hi", """a list (write it as JSON: WABOT_LOCALES='["…", "…"]')"""),
        ("WABOT_LOCALES", "7", """a list (write it as JSON: WABOT_LOCALES='["…", "…"]')"""),
        ("WABOT_FLOWS", "", """a list (write it as JSON: WABOT_FLOWS='["…", "…"]')"""),
        ("WABOT_MODULES", "catalog", """a list (write it as JSON: WABOT_MODULES='["…", "…"]')"""),
        ("WABOT_HTTP__PORTS", "80,443", """a list (write it as JSON: WABOT_HTTP__PORTS='[1, 1]')"""),
        ("WABOT_SENDERS", "+91=order", """a table (write it as JSON: WABOT_SENDERS='{"…": "…"}')"""),
        ("WABOT_OPT_OUT__STOP", "x", """(write it as JSON: WABOT_OPT_OUT__STOP='{"…": ["…", "…"]}')"""),
        ("WABOT_OPT_OUT__STOP__EN", "x", """(write it as JSON: WABOT_OPT_OUT__STOP__EN='["…", "…"]')"""),
        ("WABOT_RUNTIME", "fast", """(write it as JSON: WABOT_RUNTIME='{"tries": 1, "lease": "30s"}')"""),
        (
            "WABOT_HTTP__SECRETS",
            "s3cr3t",
            """WABOT_HTTP__SECRETS='{"…": {"value": "…", "hosts": ["…", "…"]}}')""",
        ),
    ],
)
def test_a_list_and_a_table_are_json_in_the_environment(
    tmp_path: Path, variable: str, value: str, told: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, **{variable: value})
    assert str(raised.value).startswith(f"the environment's {variable}: this is to be a ")
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('locales = "hi"', 'wabot.toml: locales: this is to be a list (write it like locales = ["…", "…"])'),
        ("senders = []", "wabot.toml: senders: this is to be a table (write it below a line [senders])"),
        ("[http]\nsecrets = 1", "http.secrets: this is to be a table (write it below a line [http.secrets])"),
        ("runtime = 3", "wabot.toml: runtime: this is to be a table (write it below a line [runtime])"),
    ],
)
def test_a_list_and_a_table_in_the_file(tmp_path: Path, toml: str, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, toml)
    assert told in str(raised.value)


def test_who_gave_a_setting_is_named_later_too(tmp_path: Path) -> None:
    """When it is used, long after it was read."""
    settings = load(
        tmp_path,
        WABOT_FLOWS='["flws"]',
        WABOT_CATALOG__CUTOFF="low",
        WABOT_LOYALTY__RUPEES="5",
        WABOT_META__PHONE_NUMBERS='{"+919876543210": "106540352242922"}',
        WHATSAPP_ACCESS_TOKEN="t",
        WHATSAPP_APP_SECRET="t",
        WHATSAPP_VERIFY_TOKEN="t",
    )
    with pytest.raises(SettingsError, match=r"^the environment's WABOT_FLOWS: there is no"):
        _ = settings.flow_files
    with pytest.raises(SettingsError, match=r"^the environment's WABOT_CATALOG__CUTOFF: this"):
        settings.section("catalog", CatalogSettings)
    with pytest.raises(SettingsError, match=r"^the environment's WABOT_LOYALTY__RUPEES: there is no such"):
        settings.know_sections(["catalog"])
    named = {key: settings.refused(keys, "no").source for key, keys in SETTINGS.items()}
    assert named == {
        "flow": FILE,
        "token": "the environment's WHATSAPP_ACCESS_TOKEN",
        "numbers": "the environment's WABOT_META__PHONE_NUMBERS",
        "meta": "the environment's WHATSAPP_ACCESS_TOKEN",
        "catalog": FILE,
        "tries": FILE,
    }


SETTINGS = {
    "flow": ["flow"],
    "token": ["meta", "access_token"],
    "numbers": ["meta", "phone_numbers", "+919876543210"],
    "meta": ["meta"],
    "catalog": ["catalog", "file"],
    "tries": ["runtime", "tries"],
}


def test_a_table_of_the_environment_answers_for_what_is_in_it_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^wabot\.toml: runtime\.tries: "):
        load(tmp_path, "[runtime]\ntries = 0", WABOT_RUNTIME='{"lease": "90s"}')
    with pytest.raises(SettingsError, match=r"^the environment's WABOT_HTTP__SECRETS: hosts is needed"):
        load(tmp_path, WABOT_HTTP__SECRETS='{"crm": {"value": "x"}}')
    with pytest.raises(
        SettingsError, match=r"^wabot\.toml: http\.secrets\.crm\.hosts: this setting is needed"
    ):
        load(tmp_path, '[http.secrets.crm]\nvalue = "x"', WABOT_HTTP__TRIES="2")


def test_a_variable_of_the_dotenv_file_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text("")
    (tmp_path / ".env").write_text("WABOT_CURRENCY=RUP\n")
    monkeypatch.delenv("WABOT_CURRENCY", raising=False)
    with pytest.raises(SettingsError, match=r"^\.env's WABOT_CURRENCY: "):
        load_settings(tmp_path)
    monkeypatch.setenv("WABOT_CURRENCY", "RUB ")
    with pytest.raises(SettingsError, match=r"^the environment's WABOT_CURRENCY: "):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "mysql://u:s3cr3t@h/d",
            'begins with "mysql", and wabot keeps its record in SQLite or PostgreSQL alone',
        ),
        ("mssql://h/d", "sqlite:///wabot.db or postgresql://user:password@host/database"),
        ("postgresql://u:s3cr3t@h:x/d", "the database URL can't be read"),
    ],
)
def test_a_database_that_wabot_can_not_use(tmp_path: Path, url: str, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, DATABASE_URL=url)
    assert str(raised.value).startswith("the environment's DATABASE_URL: the database URL ")
    assert told in str(raised.value)
    assert "s3cr3t" not in "".join(traceback.format_exception(raised.value))


def test_all_that_is_wrong_is_found_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        'flow = "order"\nlocales = "hi"\ncurrency = "RUP"\nxyzzy = 1\n[runtime]\ntries = 0\nlease = "2m"\n'
        '[http.secrets.crm]\nvalue = "x"\n[catalog]\nfile = "a.csv"\n'
    )
    environment = {"WABOT_TIMEZON": "UTC", "WABOT_WEB__PORT": "70000"}
    settings, wrong = read_settings(tmp_path, environment=environment)
    assert [(error.keys, error.source) for error in wrong] == [
        ((), "the environment's WABOT_TIMEZON"),
        (("locales",), FILE),
        (("currency",), FILE),
        (("runtime", "tries"), FILE),
        (("http", "secrets", "crm", "hosts"), FILE),
        (("web", "port"), "the environment's WABOT_WEB__PORT"),
        (("xyzzy",), FILE),
    ]
    assert (settings.flow, settings.currency, settings.locales) == ("order", "INR", [])
    assert (settings.runtime.tries, settings.runtime.lease) == (3, timedelta(minutes=2))
    assert (settings.http.secrets, settings.web.port) == ({}, 8000)
    assert settings.sections == {"catalog": {"file": "a.csv"}}


def test_a_modules_lists_and_tables_are_json_in_the_environment(tmp_path: Path) -> None:
    class Shops(BaseModel):
        open: list[str] = Field(default_factory=list)
        phones: dict[str, str] | None = None
        note: str = ""

    settings = load(
        tmp_path,
        "",
        WABOT_SHOPS__OPEN='["Pune"]',
        WABOT_SHOPS__PHONES='{"Pune": "1"}',
        WABOT_SHOPS__NOTE="[]",
    )
    assert settings.section("shops", Shops) == Shops(open=["Pune"], phones={"Pune": "1"}, note="[]")
    settings = load(tmp_path, "", WABOT_SHOPS__OPEN="Pune")
    with pytest.raises(SettingsError, match=r"WABOT_SHOPS__OPEN: this is to be a list .write it as JSON"):
        settings.section("shops", Shops)


def test_all_that_is_wrong_in_the_tables_of_modules(tmp_path: Path) -> None:
    settings = load(tmp_path, "[catalog]\nfle = 1\ncutoff = []\n[catalogue]\nx = 1\n[orders]\n")
    wrong = settings.wrong_sections({"catalog": CatalogSettings, "orders": None})
    assert [error.keys for error in wrong] == [("catalogue",), ("catalog", "cutoff"), ("catalog", "fle")]


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "wabot.toml").write_bytes(b'flow = "\xff"')
    with pytest.raises(SettingsError, match="isn't UTF-8"):
        load_settings(tmp_path, environment={})


def test_a_directory_without_settings_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no .*wabot\.toml.*wabot new"):
        load_settings(tmp_path, environment={})
    assert load_settings(tmp_path, environment={}, required=False).directory == tmp_path


def test_a_modules_section_is_checked_by_the_module(tmp_path: Path) -> None:
    settings = load(tmp_path, '[catalog]\nfle = "a.csv"')
    with pytest.raises(SettingsError, match=r'wabot\.toml: catalog\.fle: .*\(did you mean "file"\?\)'):
        settings.section("catalog", CatalogSettings)
    settings = load(tmp_path, "[catalog]\ncutoff = []")
    with pytest.raises(SettingsError, match=r"wabot\.toml: catalog\.cutoff: this is to be a number"):
        settings.section("catalog", CatalogSettings)


def test_what_a_module_needs_is_asked_for(tmp_path: Path) -> None:
    class Needy(BaseModel):
        token: SecretStr

    with pytest.raises(SettingsError, match=r"wabot\.toml: post\.token: this setting is needed"):
        load(tmp_path).section("post", Needy)
    assert load(tmp_path, WABOT_POST__TOKEN="t").section("post", Needy).token.get_secret_value() == "t"


def test_a_section_of_no_module_is_a_slip(tmp_path: Path) -> None:
    settings = load(tmp_path, "[catalogue]\nx = 1")
    with pytest.raises(
        SettingsError, match=r'catalogue: there is no such setting.*\(did you mean "catalog"\?\)'
    ):
        settings.know_sections(["catalog"])
    with pytest.raises(SettingsError, match=r"\(the modules are orders\)"):
        settings.know_sections(["orders"])
    with pytest.raises(SettingsError, match=r"\(the modules are none\)"):
        settings.know_sections([])


def test_flows_are_files_or_directories(tmp_path: Path) -> None:
    for name in ("flows/b.yaml", "flows/a.yml", "flows/notes.txt", "more/c.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    settings = load(tmp_path, 'flows = ["flows", "more/c.yaml", "flows"]')
    assert [file.name for file in settings.flow_files] == ["a.yml", "b.yaml", "c.yaml"]
    with pytest.raises(SettingsError, match=r'flows: there is no ".*flws".*name a directory or a file'):
        _ = load(tmp_path, 'flows = ["flws"]').flow_files


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        setattr(Settings(), "flow", "other")  # noqa: B010 - written plainly, mypy refuses it already


SID = "AC" + "0" * 32
TWILIO = {
    "TWILIO_SID": SID,
    "TWILIO_AUTH_TOKEN": "s3cr3t",
    "TWILIO_WHATSAPP_NUMBER": "whatsapp:+1 415 523 8886",
}
META = """
[meta]
access_token = "s3cr3t"
app_secret = "s3cr3t"
phone_numbers = {"+91 98765 43210" = "106540352242922"}
"""


def test_the_doors_go_by_their_usual_names(tmp_path: Path) -> None:
    settings = load(tmp_path, META, **TWILIO, WHATSAPP_VERIFY_TOKEN="s3cr3t")
    assert (settings.twilio.account_sid, settings.twilio.number) == (SID, "+14155238886")
    assert settings.twilio.configured
    assert settings.meta.phone_numbers == {"+919876543210": "106540352242922"}
    assert settings.meta.configured
    assert "s3cr3t" not in repr(settings)
    other = load(tmp_path, "", **{**TWILIO, "TWILIO_SID": ""}, TWILIO_ACCOUNT_SID=SID)
    assert (other.twilio, other.meta.configured) == (settings.twilio, False)


def test_ours_come_before_the_usual_names(tmp_path: Path) -> None:
    settings = load(tmp_path, "", **TWILIO, WABOT_TWILIO__NUMBER="+919876543210")
    assert settings.twilio.number == "+919876543210"


def test_nothing_is_configured_by_empty_variables(tmp_path: Path) -> None:
    empty = dict.fromkeys(["TWILIO_SID", "TWILIO_AUTH_TOKEN", "WHATSAPP_ACCESS_TOKEN"], "")
    settings = load(tmp_path, "", **empty, WHATSAPP_VERIFY_TOKEN="v")
    assert (settings.twilio.configured, settings.meta.configured) == (False, False)
    assert settings.web.loopback
    assert settings.media_folder == tmp_path / "media"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TWILIO_SID": "SK1"}, "the environment's TWILIO_SID: this is no account SID of Twilio: it begins"),
        ({"TWILIO_MESSAGING_SERVICE_SID": "AC1"}, "TWILIO_MESSAGING_SERVICE_SID: this is no SID of a Mess"),
        ({"TWILIO_WHATSAPP_NUMBER": "98765"}, 'TWILIO_WHATSAPP_NUMBER: "98765" has no country code'),
        (
            {"TWILIO_SID": SID, "TWILIO_AUTH_TOKEN": "t"},
            "number is needed beside the others: set it there, or TWILIO_WHATSAPP_NUMBER",
        ),
        ({"TWILIO_SID": SID}, "the environment's TWILIO_SID: auth_token is needed beside the others"),
        ({"WHATSAPP_ACCESS_TOKEN": "t"}, "the environment's WHATSAPP_ACCESS_TOKEN: app_secret is needed"),
        (
            {"WABOT_META__PHONE_NUMBERS": '{"+919876543210": "+91"}'},
            "META__PHONE_NUMBERS: .*no phone number id",
        ),
        ({"WABOT_META__API_VERSION": "23"}, "WABOT_META__API_VERSION: .* write it like v23.0"),
        (
            {"WABOT_WEB__PUBLIC_URL": "bot.example.com"},
            "PUBLIC_URL: .* write it like https://bot.example.com",
        ),
        ({"WABOT_WEB__PUBLIC_URL": "https://a:b@example.com"}, "PUBLIC_URL: .*a password"),
        ({"WABOT_WEB__PORT": "70000"}, "WABOT_WEB__PORT: Input should be less than or equal to 65535"),
        ({"WABOT_WEB__DEV": "1", "WABOT_WEB__HOST": "0.0.0.0"}, "WABOT_WEB__DEV: dev asks nobody for a key"),
        ({"WABOT_MEDIA__MAX_BYTES": "1"}, "WABOT_MEDIA__MAX_BYTES: Input should be greater"),
        ({"WABOT_HEALTH__BACKLOG": "soon"}, "WABOT_HEALTH__BACKLOG: 'soon' is not a length of time"),
    ],
)
def test_a_wrong_door_is_named_with_its_mend(
    tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, "", **environment)


def test_a_door_of_the_file_is_named_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'wabot\.toml: twilio\.nubmer: .*\(did you mean "number"\?\)'):
        load(tmp_path, '[twilio]\nnubmer = "+1"', TWILIO_SID=SID)
    with pytest.raises(
        SettingsError, match=r"wabot\.toml: meta: verify_token is needed .*WHATSAPP_VERIFY_TOKEN"
    ):
        load(tmp_path, META)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("0.0.0.0", False), ("bot.example.com", False)],
)
def test_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert WebSettings(host=host).loopback is loopback


def test_a_refused_secret_is_in_no_traceback(tmp_path: Path) -> None:
    token = "no line of this file quotes it"[-10:]
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, "", TWILIO_SID=SID, TWILIO_AUTH_TOKEN=token)
    assert token not in "".join(traceback.format_exception(raised.value))

    class Post(BaseModel):
        token: int

    with pytest.raises(SettingsError, match="WABOT_POST__TOKEN") as raised:
        load(tmp_path, "", WABOT_POST__TOKEN="s3cr3t").section("post", Post)
    assert "'s3cr3t'" not in "".join(traceback.format_exception(raised.value))


def test_a_file_beside_it_stands_in_for_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wabot.toml").write_text('currency = "INR"')
    (tmp_path / ".env").write_text("WABOT_CURRENCY=EUR\nWABOT_FLOW='a ${b}'\nWABOT_LOCALE\n# X=1\n")
    assert load_settings(tmp_path).currency == "EUR"
    assert load_settings(tmp_path).flow == "a ${b}"
    assert load_settings(tmp_path, environment={}).currency == "INR"
    monkeypatch.setenv("WABOT_CURRENCY", "USD")
    assert load_settings(tmp_path).currency == "USD"
    (tmp_path / ".env").write_bytes(b"X=\xff")
    with pytest.raises(SettingsError, match=r"\.env: the file isn't UTF-8"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("variable", "hint"),
    [("WABOT_DATABSE", "database"), ("WABOT_TIMEZON", "timezone"), ("WABOT_FLO", "flow")],
)
def test_a_slip_in_a_variable_is_told(tmp_path: Path, variable: str, hint: str) -> None:
    (tmp_path / FILE).write_text('flow = "order"\n')
    with pytest.raises(SettingsError, match=variable) as caught:
        load_settings(tmp_path, environment={variable: "x"})
    assert caught.value.hint is not None
    assert f'"{hint}"' in caught.value.hint


def test_a_variable_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('flow = "order"\n')
    others = {"WABOT_PROJECT": "x", "WABOT_CRASH_AT": "x", "WABOT_PARENT": "1", "WABOT_XYZZY": "x"}
    assert load_settings(tmp_path, environment=others).flow == "order"
