import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.testing import shop
from wabot.app import App
from wabot.bootstrap import NO_WORKER, build, import_queue, import_web, import_wsgi, load_settings, web_app
from wabot.core.media import MEDIA
from wabot.errors import ConfigurationError, DuplicateName, SettingsError
from wabot.settings import Settings
from wabot.testing.fakes import FakeChannel

TWILIO = {
    "TWILIO_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "12345",
    "TWILIO_WHATSAPP_NUMBER": "+14155238886",
}
META = {
    "WHATSAPP_ACCESS_TOKEN": "EAA",
    "WHATSAPP_APP_SECRET": "secret",
    "WHATSAPP_VERIFY_TOKEN": "verify",
    "WABOT_META__PHONE_NUMBERS": '{"+919876543210": "106540352242922"}',
}
NONE: dict[str, str] = {}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shop.make(tmp_path / "shop")


def settings_of(project: Path, environment: Mapping[str, str]) -> Settings:
    return load_settings(project, environment=environment)


def channels_of(app: App) -> set[str]:
    """By what may not be added once more."""
    found = set()
    for name in ("console", "twilio", "meta"):
        try:
            app.channel(FakeChannel(name))
        except DuplicateName:
            found.add(name)
    return found


@pytest.mark.parametrize(
    ("environment", "channels"),
    [(NONE, {"console"}), (TWILIO, {"twilio"}), (META, {"meta"}), (TWILIO | META, {"twilio", "meta"})],
)
def test_the_settings_say_by_whom_it_talks(
    project: Path, environment: dict[str, str], channels: set[str]
) -> None:
    app = build(settings_of(project, environment))
    assert channels_of(app) == channels
    assert set(app.webhooks) == channels - {"console"}


def test_a_channel_of_ones_own_is_the_only_one(project: Path) -> None:
    app = build(settings_of(project, TWILIO | META), channel=FakeChannel("console"))
    assert channels_of(app) == {"console"}
    assert app.webhooks == {}


@pytest.mark.parametrize(
    ("environment", "lease", "channel", "longest"),
    [
        (TWILIO, "20s", "twilio", "20s"),
        (META, "25s", "meta", "25s"),
        (TWILIO | META, "500ms", "twilio", "20s"),
    ],
)
def test_a_lease_outlasts_every_message_on_its_way(
    project: Path, environment: dict[str, str], lease: str, channel: str, longest: str
) -> None:
    given = environment | {"WABOT_RUNTIME__LEASE": lease}
    with pytest.raises(SettingsError) as raised:
        build(settings_of(project, given)).bind()
    assert raised.value.message == (
        f"the environment's WABOT_RUNTIME__LEASE: {lease} is too short: a message to {channel} may be on its"
        f" way for {longest}, and could be sent a second time meanwhile"
    )
    assert raised.value.hint == f"let it be longer than {longest}"


@pytest.mark.parametrize(("environment", "lease"), [(TWILIO, "20001ms"), (META, "25001ms"), (NONE, "1ms")])
def test_a_lease_that_is_long_enough(project: Path, environment: dict[str, str], lease: str) -> None:
    with build(settings_of(project, environment | {"WABOT_RUNTIME__LEASE": lease})).bind() as app:
        assert app.settings.runtime.lease > timedelta(0)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("WABOT_FLOW", "shpo", 'there is no flow "shpo"'),
        ("WABOT_SENDERS", '{"+911": "shpo"}', 'there is no flow "shpo"'),
        ("WABOT_MODULES", '["catalgo"]', 'no module "catalgo" is installed'),
        ("WABOT_MODULES", '["orders", "orders"]', '"orders" is there twice'),
        ("REDIS_URL", "carrier://x", "the URL of Redis can't be read"),
        ("WABOT_MIDDLEWARE", '["log_turn"]', '"log_turn" names no function'),
        (
            "WABOT_MIDDLEWARE",
            '["nowhere:log_turn"]',
            '"nowhere:log_turn" can\'t be imported: No module named',
        ),
        ("WABOT_MIDDLEWARE", '["broken:log_turn"]', '"broken:log_turn" can\'t be imported: NameError: '),
        ("WABOT_MIDDLEWARE", '["json:lods"]', '"json:lods" can\'t be found: there is no "lods" in json'),
        ("WABOT_MIDDLEWARE", '["json:__name__"]', '"json:__name__" can\'t be called'),
        ("WABOT_FLOWS", '["flws"]', "there is no "),
        ("WABOT_XYZZY__A", "1", "there is no such setting, and no module"),
    ],
)
def test_a_variable_is_blamed_for_what_it_gave(
    project: Path, variable: str, value: str, message: str
) -> None:
    (project / "broken.py").write_text("log_trun = nothing\n")
    with pytest.raises(SettingsError) as raised:
        build(settings_of(project, {variable: value})).bind()
    assert raised.value.message.startswith(f"the environment's {variable}: {message}")
    assert raised.value.hint


@pytest.mark.parametrize(("environment", "there"), [(NONE, False), (TWILIO, True), (META, True)])
def test_files_are_fetched_where_there_is_a_provider(
    project: Path, environment: dict[str, str], there: bool
) -> None:
    app = build(settings_of(project, environment))

    def add() -> None:
        app.runner(MEDIA, object())  # type: ignore[arg-type]  # it is refused before anybody looks at it

    if there:
        with pytest.raises(DuplicateName):
            add()
    else:
        add()


@pytest.mark.parametrize(
    ("missing", "extra", "use"),
    [
        ("twilio", "twilio", lambda settings: build(settings)),
        ("wabot.adapters.web", "web", lambda _: import_web()),
        ("gunicorn", "web", lambda _: import_wsgi()),
        ("redis", "redis", lambda _: import_queue()),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    project: Path, monkeypatch: pytest.MonkeyPatch, missing: str, extra: str, use: Any
) -> None:
    forget(monkeypatch, "wabot.adapters.queue", "wabot.adapters.redis", "wabot.adapters.wsgi")
    forget(monkeypatch, "wabot.adapters.channels.twilio", "wabot.adapters.web")
    hidden = "flask" if missing == "wabot.adapters.web" else missing
    forget(monkeypatch, hidden)
    monkeypatch.setitem(sys.modules, hidden, None)
    with pytest.raises(ConfigurationError, match="isn't installed") as raised:
        use(settings_of(project, TWILIO))
    assert raised.value.hint == f'pip install "wabot[{extra}]"'


def forget(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if these had not been imported yet."""
    for name in names:
        for known in [other for other in sys.modules if other == name or other.startswith(f"{name}.")]:
            monkeypatch.delitem(sys.modules, known)
        parent, _, attribute = name.rpartition(".")
        if parent and attribute in vars(sys.modules[parent]):
            monkeypatch.delattr(sys.modules[parent], attribute)


def test_what_is_broken_in_wabot_itself_is_no_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch, "wabot.adapters.wsgi")
    monkeypatch.setitem(sys.modules, "wabot.adapters.wsgi", None)
    with pytest.raises(ModuleNotFoundError):
        import_wsgi()


def test_a_wsgi_server_gets_a_flask_app(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WABOT_WEB__DEV", "1")
    flask = web_app(project)
    assert flask.test_client().get("/whatsapp/health/alive").json == {"alive": True}


def test_a_wsgi_server_is_told_in_a_line_why_it_can_not_start(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        web_app(project)
    assert leaving.value.code == NO_WORKER
    told = capsys.readouterr().err
    assert told.startswith("error: the HTTP API has no key yet")
    assert "Traceback" not in told
