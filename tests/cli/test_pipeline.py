import sys
from pathlib import Path

import pytest

from tests.cli.terminal import wabot
from wabot.adapters.redis import RedisBreaker
from wabot.bootstrap import build, find_middleware
from wabot.core.messages import Inbound
from wabot.core.metrics import TURNS
from wabot.errors import ConfigurationError, DuplicateName, SettingsError
from wabot.settings import Settings, load_settings
from wabot.testing.fakes import FakeChannel

AUDIT = '''
from wabot.pipeline import CallNext, Turn

heard: list[str] = []
number = 7


def log_turn(turn: Turn, call_next: CallNext) -> None:
    """Keeps what was written.

    And more.
    """
    heard.append(turn.message.text if turn.message else "")
    call_next()


class Silent:
    def __call__(self, turn: Turn, call_next: CallNext) -> None:
        call_next()


silent = Silent()
'''
FLOW = "flow: hello\nstates:\n  only:\n    initial: true\n    enter: [{say: Hello}]\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a package `corner` of its own."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name.split(".")[0] == "corner"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "hello.yaml").write_text(FLOW)
    (tmp_path / "corner").mkdir()
    (tmp_path / "corner" / "__init__.py").write_text("")
    (tmp_path / "corner" / "audit.py").write_text(AUDIT)
    return tmp_path


def configure(project: Path, *middleware: str, more: str = "") -> Settings:
    names = ", ".join(f'"{name}"' for name in middleware)
    (project / "wabot.toml").write_text(f"modules = []\nmiddleware = [{names}]\n{more}")
    return load_settings(project, environment={})


def test_the_order_shows(project: Path) -> None:
    configure(project, "corner.audit:log_turn", "corner.audit:silent")
    ran = wabot("pipeline", "--project", project)
    assert ran.code == 0
    names = [line.split()[0] for line in ran.out.splitlines()]
    ours = ["logging", "errors", "session", "rate_limit", "opt_out", "handover"]
    assert names == ["middleware", *ours, "log_turn", "Silent", "flow"]
    assert "corner.audit" in ran.out
    assert "Keeps what was written." in ran.out
    assert "And more" not in ran.out
    assert not (project / "wabot.db").exists()


def test_programs_get_it_as_json(project: Path) -> None:
    configure(project, "corner.audit:log_turn")
    shown = wabot("pipeline", "--project", project, "--json").json
    assert shown[6] == {"name": "log_turn", "module": "corner.audit", "summary": "Keeps what was written."}
    assert shown[0]["summary"].startswith("The outermost middleware")
    assert shown[0]["module"] == "wabot.pipeline.logging"


def test_what_the_settings_name_is_used(project: Path) -> None:
    settings = configure(project, "corner.audit:log_turn")
    (middleware,) = find_middleware(settings)
    assert middleware.__module__ == "corner.audit"
    with build(settings, channel=FakeChannel()).bind() as app:
        assert app.pipeline.names[6:] == ("log_turn", "flow")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("corner.audit", '"corner.audit" names no function (write it like shop.audit:log_turn)'),
        (":log_turn", '":log_turn" names no function'),
        ("corner.audits:log_turn", "can't be imported: No module named 'corner.audits'"),
        ("nowhere:log_turn", "can't be imported: No module named 'nowhere'"),
        ("corner.audit:log_turns", 'there is no "log_turns" in corner.audit (did you mean "log_turn"?)'),
        ("corner.audit:zzz", 'there is no "zzz" in corner.audit (there are CallNext, Turn, heard'),
        ("corner.audit:number", "can't be called (a middleware is a function of turn and call_next)"),
    ],
)
def test_a_name_that_is_wrong_says_how(project: Path, name: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build(configure(project, name))
    assert str(caught.value).startswith(f'wabot.toml: middleware: "{name}"')
    assert message in str(caught.value)


def test_an_error_shows_without_a_traceback(project: Path) -> None:
    configure(project, "corner.audits:log_turn")
    ran = wabot("pipeline", "--project", project)
    assert (ran.code, ran.out) == (1, "")
    assert "Traceback" not in ran.err
    assert "corner.audits" in ran.err


def test_no_middleware_comes_twice(project: Path) -> None:
    settings = configure(project, "corner.audit:log_turn", "corner.audit:log_turn")
    with pytest.raises(DuplicateName):
        build(settings).bind()


def test_redis_is_chosen_by_the_settings(project: Path) -> None:
    settings = configure(project, more='redis = "unix:///nowhere/redis.sock"\n[rate_limit]\nburst = 2\n')
    channel = FakeChannel()
    with build(settings, channel=channel).bind() as app:
        assert isinstance(app.breaker, RedisBreaker)
        app.accept(message())
        app.drain()
        assert [delivery.message.text for delivery in channel.sent] == ["Hello"]
        assert app.metrics_text().count(TURNS.name) == 3


def test_without_a_limit_redis_is_not_asked_for_one(project: Path) -> None:
    settings = configure(project, more='redis = "redis://localhost:1"\n[rate_limit]\nper_minute = 0\n')
    assert build(settings, channel=FakeChannel()).metrics is not None


def test_redis_needs_its_extra(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configure(project, more='redis = "redis://localhost"\n')
    for name in [name for name in sys.modules if name.startswith("wabot.adapters.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match="isn't installed"):
        build(settings)


def message() -> Inbound:
    return Inbound(channel="fake", event_id="1", sender="+919800000001", recipient="+91", text="Hi")
