import importlib.metadata
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from wabot.adapters.channels.console import ConsoleChannel
from wabot.app import App
from wabot.bootstrap import build, configure_logging, find_modules
from wabot.core.messages import Button, Inbound, Outbound
from wabot.core.module import STARTED, Call, Module
from wabot.core.tables import ContactRow
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.errors import (
    ConfigurationError,
    DuplicateName,
    FlowInvalid,
    Frozen,
    RecordError,
    SettingsError,
    UnknownName,
)
from wabot.pipeline import CallNext, Turn
from wabot.settings import Settings
from wabot.testing.fakes import FakeChannel, ManualClock, SequentialIds

OURS, ASHA = "+911000000000", "+919800000001"
MENU = """
flow: menu
states:
  open:
    initial: true
    enter:
      - say: "Welcome to {{ business.name }}"
    transitions:
      - {event: message.text, cond: "message.text == 'desk'", target: desk}
      - {event: message.text, cond: "message.text == 'bye'", target: gone}
      - {event: message.text, on: [{say: "You said {{ message.text }}"}]}
    after: {1h: gone}
  desk:
    invoke: {id: person, agent: true}
    transitions:
      - {event: done.invoke.person, target: open}
  gone:
    enter:
      - say: "Goodbye"
    final: true
"""
OTHER = MENU.replace("flow: menu", "flow: other")


class GreetSettings(BaseModel):
    model_config = {"extra": "forbid"}

    word: str = "Hello"


class Who(BaseModel):
    name: str = ""


def make_greet() -> Module:
    greet = Module("greet", settings=GreetSettings)

    @greet.command("rename")
    def rename(who: Who, call: Call) -> str:
        """Calls the contact by another name."""
        assert call.contact
        call.session.get_one(ContactRow, call.contact.id).name = who.name
        if who.name == "Nobody":
            call.session.flush()
            raise ValueError("nobody")
        return f"{call.settings(GreetSettings).word} {who.name}"

    return greet


MakeApp = Callable[..., App]


@pytest.fixture
def make() -> Iterator[MakeApp]:
    """Apps in memory with the menu's flow, closed afterwards."""
    apps: list[App] = []

    def make_app(settings: dict[str, Any] | None = None, **parts: Any) -> App:
        given = {"database": SecretStr("sqlite://"), "business": {"name": "Asha & Co"}, **(settings or {})}
        defaults = {
            "channel": FakeChannel(),
            "clock": ManualClock(),
            "ids": SequentialIds(),
            "sources": [load_flow(MENU, "menu.yaml")],
            "texts": Texts(),
        }
        apps.append(App(Settings(**given), **{**defaults, **parts}))
        return apps[-1]

    yield make_app
    for app in apps:
        app.close()


def message(text: str, event_id: str = "", sender: str = ASHA) -> Inbound:
    return Inbound(
        channel="fake",
        event_id=event_id or f"m-{text}",
        sender=sender,
        recipient=OURS,
        text=text,
        name="Asha",
    )


def test_a_conversation_with_the_real_engine(make: MakeApp) -> None:
    channel, clock = FakeChannel(), ManualClock()
    app = make(channel=channel, clock=clock).bind()
    assert app.accept(message("hi"))
    assert app.accept(message("bricks"))
    assert not app.accept(message("bricks"))
    done = app.drain()
    assert (done.turns, done.sent) == (2, 2)
    said = [delivery.message.text for delivery in channel.sent]
    assert said == ["Welcome to Asha & Co", "You said bricks"]
    conversation = app.conversation(ASHA, channel="fake", sender=OURS)
    assert conversation is not None
    assert conversation.state is not None
    assert conversation.state.frames[0].configuration == ["open"]
    assert [message.status for message in app.outbox(conversation.id)] == ["sent", "sent"]
    assert [event.status for event in app.events(conversation.id)] == ["done", "done"]
    assert app.conversation("+15550000000") is None
    (timer,) = app.timers(conversation.id)
    assert app.next_due() == timer.due_at == clock.now() + timedelta(hours=1)
    clock.advance(timedelta(hours=1))
    assert app.drain().timers == 1
    assert channel.sent[-1].message.text == "Goodbye"
    app.accept(message("again"))
    app.drain()
    assert channel.sent[-1].message.text == "Welcome to Asha & Co"


def test_a_person_takes_over_and_hands_back(make: MakeApp) -> None:
    channel = FakeChannel()
    app = make(channel=channel).bind()
    for text in ("hi", "desk", "are you there?"):
        app.accept(message(text))
    app.drain()
    assert len(channel.sent) == 1
    (effect,) = app.effects(1, pending=True)
    assert (effect.kind, effect.name) == ("agent", "person")
    assert app.finish_effect(effect.id, {"note": "done"})
    assert not app.finish_effect(effect.id)
    app.drain()
    assert len(channel.sent) == 2
    assert not app.effects(1, pending=True)


def test_reset_forgets_where_the_conversation_is(make: MakeApp) -> None:
    channel = FakeChannel()
    app = make(channel=channel).bind()
    app.accept(message("hi"))
    app.drain()
    app.reset(1)
    assert app.timers(1) == []
    app.accept(message("bricks"))
    app.drain()
    assert [delivery.message.text for delivery in channel.sent] == ["Welcome to Asha & Co"] * 2


def test_a_command_runs_in_a_transaction_of_its_own(make: MakeApp) -> None:
    app = make({"sections": {"greet": {"word": "Namaste"}}}, modules=[make_greet()]).bind()
    app.accept(message("hi"))
    app.drain()
    assert app.run("greet.rename", {"name": "Ravi"}, phone=ASHA) == "Namaste Ravi"
    with pytest.raises(ValueError, match="nobody"):
        app.run("greet.rename", {"name": "Nobody"}, phone=ASHA)
    (conversation,) = app.conversations()
    assert conversation.contact.name == "Ravi"
    with pytest.raises(UnknownName, match=r"no contact \+15550000000"):
        app.run("greet.rename", {}, phone="+15550000000")
    with pytest.raises(UnknownName, match=r'no command "greet\.renam"'):
        app.run("greet.renam", {})


def test_the_pipelines_order_shows(make: MakeApp) -> None:
    def first(turn: Turn, call_next: CallNext) -> None:
        call_next()

    def second(turn: Turn, call_next: CallNext) -> None:
        turn.trace = True
        call_next()
        assert turn.step is not None
        traced.extend(trace.kind for trace in turn.step.trace)

    traced: list[str] = []
    app = make()
    app.use(first)
    app.use(second)
    app.bind()
    ours = ("logging", "errors", "session", "rate_limit", "opt_out", "handover")
    assert app.pipeline.names == (*ours, "first", "second", "flow")
    app.accept(message("hi"))
    app.drain()
    assert "enter" in traced


def test_nothing_is_added_to_a_bound_app(make: MakeApp) -> None:
    app = make().bind()
    assert app.bind() is app
    with pytest.raises(Frozen, match='the module "greet" comes too late'):
        app.module(make_greet())
    with pytest.raises(Frozen, match='the channel "fake" comes too late'):
        app.channel(FakeChannel())
    with pytest.raises(Frozen, match="this middleware comes too late"):
        app.use(lambda turn, call_next: call_next())
    with pytest.raises(Frozen, match='the webhook "twilio" comes too late'):
        app.webhook("twilio", object())


def test_webhooks_have_names_of_their_own(make: MakeApp) -> None:
    app, webhook = make(), object()
    app.webhook("twilio", webhook)
    assert app.webhooks == {"twilio": webhook}
    with pytest.raises(DuplicateName, match='two webhooks are called "twilio"'):
        app.webhook("twilio", webhook)


def test_an_app_that_is_not_bound_does_nothing(make: MakeApp) -> None:
    app = make()
    app.close()
    with pytest.raises(ConfigurationError, match=r"not bound yet \(call app\.bind\(\) first\)"):
        app.accept(message("hi"))


def test_what_is_there_twice_is_refused(make: MakeApp) -> None:
    app = make()
    with pytest.raises(DuplicateName, match='two channels are called "fake"'):
        app.channel(FakeChannel())
    with pytest.raises(ConfigurationError, match='no channel may be called "timer"'):
        app.channel(FakeChannel("timer"))
    app.module(make_greet())
    app.module(make_greet())
    with pytest.raises(DuplicateName, match='two modules are called "greet"'):
        app.bind()


def test_a_flow_with_errors_does_not_start(make: MakeApp) -> None:
    wrong = MENU.replace("target: desk", "target: dask").replace("1h: gone", "1h: gnoe")
    with pytest.raises(FlowInvalid) as caught:
        make(sources=[load_flow(wrong, "menu.yaml")]).bind()
    assert {problem.code for problem in caught.value.problems} == {"unknown-state"}
    assert len(caught.value.problems) == 2
    assert "menu.yaml:9:" in str(caught.value)


def test_flows_and_texts_come_from_the_project(make: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "flows/menu.yaml").write_text(MENU.replace('"Goodbye"', "bye.now"), encoding="utf-8")
    (tmp_path / "texts/en.yaml").write_text("bye: {now: See you}", encoding="utf-8")
    channel = FakeChannel()
    app = make({"directory": tmp_path}, sources=None, texts=None, channel=channel).bind()
    app.accept(message("hi"))
    app.accept(message("bye"))
    app.drain()
    assert channel.sent[-1].message.text == "See you"
    assert app.library.texts.locales == ["en"]
    assert app.registry.commands == {}


def test_a_flow_that_conversations_begin_with_has_no_values_from_elsewhere(make: MakeApp) -> None:
    unset = "flow: menu\ndatamodel: {t: {}}\nstates: {a: {enter: [{log: t + 1}], final: true}}"
    with pytest.raises(FlowInvalid, match="nothing ever sets it"):
        make(sources=[load_flow(unset, "menu.yaml")]).bind()


def test_every_flow_file_that_is_wrong_is_named(make: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/a.yaml").write_text("states: [", encoding="utf-8")
    (tmp_path / "flows/b.yaml").write_text("flow: b", encoding="utf-8")
    (tmp_path / "flows/c.yaml").write_bytes(b"flow: \xff")
    with pytest.raises(FlowInvalid) as caught:
        make({"directory": tmp_path}, sources=None).bind()
    files = {Path(problem.place.file).name for problem in caught.value.problems}
    assert files == {"a.yaml", "b.yaml", "c.yaml"}


def test_which_flow_a_conversation_starts_with(make: MakeApp) -> None:
    both = [load_flow(MENU, "menu.yaml"), load_flow(OTHER, "other.yaml")]
    with pytest.raises(SettingsError, match="which one does a conversation start with"):
        make(sources=both).bind()
    with pytest.raises(SettingsError, match=r'no flow "menus" \(did you mean "menu"\?\)'):
        make({"flow": "menus"}, sources=both).bind()
    with pytest.raises(SettingsError, match=r'no flow "xyz" \(there are menu, other\)'):
        make({"flow": "menu", "senders": {OURS: "xyz"}}, sources=both).bind()
    app = make({"flow": "menu", "senders": {OURS: "other"}}, sources=both).bind()
    app.accept(message("hi"))
    app.drain()
    assert [conversation.flow for conversation in app.conversations()] == ["other"]


def test_a_wrong_section_of_a_module_does_not_start(make: MakeApp) -> None:
    with pytest.raises(SettingsError, match=r'greet\.wrod: .*did you mean "word"'):
        make({"sections": {"greet": {"wrod": "x"}}}, modules=[make_greet()]).bind()
    with pytest.raises(SettingsError, match="greets: there is no such setting"):
        make({"sections": {"greets": {}}}, modules=[make_greet()]).bind()


def test_a_module_that_cannot_bring_its_tables_does_not_start(make: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "broken_0001.py").write_text(
        "revision = 'broken_0001'\ndown_revision = None\ndef upgrade(): raise RuntimeError('no')\n"
    )
    app = make(modules=[Module("broken", migrations=tmp_path)])
    with pytest.raises(RuntimeError, match="no"):
        app.bind()
    with pytest.raises(ConfigurationError, match="not bound"):
        app.drain()


def test_modules_hear_that_the_app_has_started(make: MakeApp) -> None:
    reader = Module("reader")
    heard: list[Any] = []

    @reader.on(STARTED)
    def read(payload: Any, call: Call) -> None:
        call.session.add(ContactRow(phone=ASHA, created_at=call.clock.now()))
        heard.append(call.contact)

    app = make(modules=[reader]).bind()
    assert heard == [None]
    with app.database.reading() as session:
        assert session.query(ContactRow.phone).all() == [(ASHA,)]


def test_a_module_may_keep_the_app_from_starting(make: MakeApp) -> None:
    reader = Module("reader")

    @reader.on(STARTED)
    def read(payload: Any, call: Call) -> None:
        raise SettingsError("catalog.csv:3: no price")

    app = make(modules=[reader])
    with pytest.raises(SettingsError, match=r"catalog\.csv:3"):
        app.bind()
    with pytest.raises(ConfigurationError, match="not bound"):
        app.drain()


def test_the_record_outlives_the_app(make: MakeApp, tmp_path: Path) -> None:
    settings = {"directory": tmp_path, "database": SecretStr("sqlite:///a.db"), "log_key": SecretStr("k")}
    with make(settings).bind() as app:
        app.accept(message("hi"))
    channel = FakeChannel()
    with make(settings, channel=channel).bind() as app:
        assert not app.accept(message("hi"))
        app.drain()
    assert len(channel.sent) == 1


def test_accepting_rings_the_bell(make: MakeApp) -> None:
    rung: list[int] = []

    class Bell:
        def ring(self, conversation_id: int) -> None:
            rung.append(conversation_id)

    app = make(doorbell=Bell()).bind()
    app.accept(message("hi"))
    app.accept(message("hi"))
    app.drain()
    app.accept(message("desk"))
    app.drain()
    app.finish_effect(app.effects(1)[0].id)
    assert rung == [1, 1, 1]


def test_what_was_opened_for_an_app_is_closed_with_it(make: MakeApp) -> None:
    closed: list[str] = []
    app = make()
    app.on_close(lambda: closed.append("first"))
    app.on_close(lambda: closed.append("second"))
    app.bind().close()
    app.close()
    assert closed == ["second", "first"]


@pytest.mark.redis
def test_an_app_leaves_no_connection_to_redis(tmp_path: Path, redis_url: str) -> None:
    from redis import Redis

    def ours() -> set[str]:
        return {client["id"] for client in redis.client_list()}

    settings = Settings(
        directory=tmp_path, database=SecretStr("sqlite://"), redis=SecretStr(redis_url), modules=[]
    )
    with Redis.from_url(redis_url) as redis:
        before = ours()
        with build(settings, sources=[load_flow(MENU, "menu.yaml")]).bind() as app:
            app.accept(message("hi").model_copy(update={"channel": "console"}))
            app.drain()
            opened = ours() - before
            assert opened
        assert not opened & ours()


def test_the_sweeper_works_for_the_app(make: MakeApp) -> None:
    answered = threading.Event()
    channel = ConsoleChannel(lambda message: answered.set())
    app = make({"runtime": {"sweep": timedelta(seconds=60)}}, channel=channel).bind()
    sweeper = app.sweeper()
    sweeper.start()
    app.accept(message("hi").model_copy(update={"channel": "console"}))
    assert answered.wait(120)
    assert sweeper.stop()
    assert not app.drain()


@pytest.mark.postgres
def test_a_server_is_upgraded_by_hand_only(make: MakeApp, postgres_database: str) -> None:
    with pytest.raises(RecordError, match=r"tables of wabot are not up to date \(wabot db upgrade\)"):
        make({"database": SecretStr(postgres_database)}).bind()


def test_bootstrap_finds_the_installed_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("greet", "tests.test_app:GREET", "wabot.modules"),
            EntryPoint("gone", "tests.test_app:NOWHERE", "wabot.modules"),
            EntryPoint("odd", "tests.test_app:OURS", "wabot.modules"),
        ]
    )
    monkeypatch.setattr("wabot.bootstrap.entry_points", lambda group: points.select(group=group))
    assert [module.name for module in find_modules(["greet"])] == ["greet"]
    with pytest.raises(SettingsError, match=r'no module "great" is installed \(did you mean "greet"\?\)'):
        find_modules(["great"])
    with pytest.raises(
        SettingsError,
        match=r"\(there are gone, greet, odd; a package offers its own by the entry point wabot.modules\)",
    ):
        find_modules(["xyz"])
    with pytest.raises(ConfigurationError, match='the module "gone" can\'t be loaded'):
        find_modules()
    with pytest.raises(ConfigurationError, match=r"tests\.test_app:OURS is no"):
        find_modules(["odd"])


GREET = make_greet()


def test_the_modules_that_come_with_wabot_load() -> None:
    names = {point.name for point in importlib.metadata.entry_points(group="wabot.modules")}
    assert {module.name for module in find_modules()} == names


def test_bootstrap_talks_at_the_terminal_unless_told_otherwise(tmp_path: Path) -> None:
    settings = Settings(directory=tmp_path, database=SecretStr("sqlite://"), modules=[])
    sources = [load_flow(MENU, "menu.yaml")]
    out = io.StringIO()
    with redirect_stdout(out), build(settings, sources=sources).bind() as app:
        app.accept(message("hi").model_copy(update={"channel": "console"}))
        app.drain()
    assert out.getvalue() == "Welcome to \n\n"
    shown: list[Outbound] = []
    channel = ConsoleChannel(shown.append)
    offer = Outbound(text="?", buttons=(Button(id="a", title="A"),))
    assert channel.send(ASHA, OURS, offer, "ref") == "console-ref"
    assert shown == [offer]


def test_log_lines_are_json_on_standard_error(make: MakeApp) -> None:
    logger = logging.getLogger("wabot")
    before = (logger.handlers, logger.propagate, logger.level)
    err = io.StringIO()
    try:
        with redirect_stderr(err):
            configure_logging(Settings(log_level="info"))
            app = make().bind()
            app.accept(message("hi"))
            app.drain()
    finally:
        logger.handlers, logger.propagate = before[0], before[1]
        logger.setLevel(before[2])
    lines = [json.loads(line) for line in err.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["turn", "send"]
    assert {"outcome", "ms", "contact", "correlation", "conversation"} <= set(lines[0])
