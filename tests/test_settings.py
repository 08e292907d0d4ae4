import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from wabot.core.doors import WebSettings
from wabot.errors import SettingsError
from wabot.settings import FILE, Settings, load_settings

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
        ("flow = 3", r"wabot\.toml: flow: Input should be a valid string"),
    ],
)
def test_a_wrong_setting_is_named_with_its_mend(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, toml)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='the environment\'s WABOT_CURRENCY: "RUP" is no currency'):
        load(tmp_path, WABOT_CURRENCY="RUP")
    with pytest.raises(
        SettingsError, match="the environment's WABOT_RUNTIME__TRIES: Input should be a valid"
    ):
        load(tmp_path, WABOT_RUNTIME__TRIES="many")
    with pytest.raises(SettingsError, match=r"the environment: .*locales.*write a list as JSON"):
        load(tmp_path, WABOT_LOCALES="en,hi")


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
    with pytest.raises(SettingsError, match=r"wabot\.toml: catalog\.cutoff: Input should be a valid number"):
        settings.section("catalog", CatalogSettings)


def test_what_a_module_needs_is_asked_for(tmp_path: Path) -> None:
    class Needy(BaseModel):
        token: SecretStr

    with pytest.raises(SettingsError, match=r"wabot\.toml: post\.token: this setting is needed"):
        load(tmp_path).section("post", Needy)
    assert load(tmp_path, WABOT_POST__TOKEN="t").section("post", Needy).token.get_secret_value() == "t"


def test_a_section_of_no_module_is_a_slip(tmp_path: Path) -> None:
    settings = load(tmp_path, "[catalogue]\nx = 1")
    with pytest.raises(SettingsError, match=r'"catalogue" is no setting .*\(did you mean "catalog"\?\)'):
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
    lines = traceback.format_exception(raised.value)
    assert any("ValidationError" in line for line in lines)
    assert token not in "".join(lines)


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
