"""What flows invoke, from the settings to the answer, in one process."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from tests.adapters.answering import Handler, Server, serving
from tests.runtime import errands
from tests.runtime.errands import written
from wabot.adapters.http import Http
from wabot.app import App
from wabot.bootstrap import build, configure_logging
from wabot.core.http import HttpSettings
from wabot.core.module import Module, Outside
from wabot.engine.loader import load_flow
from wabot.errors import DuplicateName, FlowInvalid, Frozen, SettingsError
from wabot.settings import Settings, load_settings
from wabot.testing.fakes import FakeChannel, ManualClock

CALL = """
flow: calls
states:
  open:
    initial: true
    invoke: {id: price, call: shop.price, with: {name: "{{ message.text }}"}}
    transitions:
      - {event: done.invoke.price, target: end, on: {say: "{{ event.data.total }} for {{ contact.phone }}"}}
      - {event: error.invoke.price, target: end, on: {say: "{{ event.data.message }}"}}
  end: {final: true}
"""


class Ask(BaseModel):
    name: str


class Prices(BaseModel):
    total: int = 7


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.routes["/stock"] = lambda handler: handler.give_json('{"n": 9}')
        yield made


def make_shop() -> Module:
    shop = Module("shop", settings=Prices)

    @shop.invoke("price")
    def price(arguments: Ask, outside: Outside) -> dict[str, Any]:
        return {"total": outside.settings(Prices).total, "name": arguments.name}

    return shop


def said(app: App) -> list[str]:
    return [message.message["text"] for message in app.outbox(1)]


def test_a_modules_invoke_is_run_by_the_app_that_has_the_module() -> None:
    settings = Settings(database=SecretStr("sqlite://"))
    flow = load_flow(CALL, "calls.yaml")
    with App(settings, modules=[make_shop()], channel=FakeChannel("file"), sources=[flow]).bind() as app:
        app.accept(written("cement"))
        assert app.drain().effects == 1
        assert said(app) == [f"7 for {errands.PHONE}"]
    with pytest.raises(FlowInvalid, match=r'no module has the invoke "shop\.price"'):
        App(settings, channel=FakeChannel("file"), sources=[flow]).bind()


def test_an_app_that_does_nothing_outside_leaves_it_to_others() -> None:
    settings = Settings(database=SecretStr("sqlite://"))
    flow = load_flow(CALL, "calls.yaml")
    app = App(
        settings, modules=[make_shop()], channel=FakeChannel("file"), sources=[flow], outside=False
    ).bind()
    with app:
        app.accept(written("cement"))
        assert app.drain().effects == 0
        assert app.next_due() is None
        (effect,) = app.effects(1, pending=True)
        app.finish_effect(effect.id, {"message": "closed"}, failed=True)
        app.drain()
        assert said(app) == ["closed"]


def test_the_settings_say_which_private_hosts_flows_may_ask(server: Server, tmp_path: Path) -> None:
    (tmp_path / "wabot.toml").write_text(
        f'[http]\nallow = ["{server.authority}"]\n[http.secrets.shop]\nhosts = ["{server.authority}"]\n'
    )
    environment = {"WABOT_HTTP__SECRETS__SHOP__VALUE": "Bearer t", "WABOT_HTTP__TRIES": "2"}
    settings = load_settings(tmp_path, environment=environment)
    assert settings.http.tries == 2
    assert "Bearer" not in repr(settings)
    source = errands.FLOW.replace("SHOP", server.authority).replace('"{{ message.text }}"', "{secret: shop}")
    flow = load_flow(source, "errands.yaml")
    with build(settings, channel=FakeChannel("file"), sources=[flow], modules=[]).bind() as app:
        for text in ("hi", "get"):
            app.accept(written(text))
            app.drain()
        assert said(app) == ["Yes?", "Got 9", "Yes?"]
        assert server.asked[0].headers["X-Word"] == "Bearer t"
        row = app.effects(1)[0]
        assert "Bearer" not in f"{row.arguments}{row.result}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[http]\nalow = []\n", 'http.alow: there is no such setting .did you mean "allow"'),
        ('[http]\nallow = ["http://a/"]\n', '"http://a/" is no host: write it like crm.example.com'),
        ('[http.secrets.a]\nvalue = "b\\nc"\nhosts = ["d"]\n', "the value of a secret is one line of text"),
        ('[http.secrets.a]\nvalue = "b"\nhosts = []\n', "http.secrets.a.hosts"),
    ],
)
def test_wrong_settings_are_said_without_their_secrets(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "wabot.toml").write_text(text)
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")):
        load_settings(tmp_path, environment={})


def test_a_server_that_is_slow_holds_no_conversation_up(server: Server, tmp_path: Path) -> None:
    """The sweeper asks other servers in threads of their own."""
    answered = threading.Event()

    def slow(handler: Any) -> None:
        answered.wait(120)
        handler.give_json('{"n": 9}')

    server.routes["/stock"] = slow
    app = errands.make(f"sqlite:///{tmp_path}/bot.db", server.authority, tmp_path, 0)
    with app.bind():
        app.accept(written("hi"))
        app.drain()
        sweeper = app.sweeper()
        sweeper.start()
        try:
            app.accept(written("get"))
            wait_until(lambda: len(server.asked) == 1)
            other = written("hi").model_copy(update={"event_id": "2", "sender": "+919876543211"})
            app.accept(other)
            wait_until(lambda: len(app.outbox(2)) == 1)
            assert len(app.outbox(1)) == 1
            answered.set()
            wait_until(lambda: len(app.outbox(1)) == 3)
        finally:
            answered.set()
            assert sweeper.stop()


def wait_until(done: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(12_000):
        if done():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not happen within two minutes")


def test_an_effect_that_is_tried_again_is_due_then(server: Server, tmp_path: Path) -> None:
    server.routes["/stock"] = lambda handler: handler.give(503, Retry_After="60")
    app = errands.make("sqlite://", server.authority, tmp_path, 0)
    with app.bind():
        for text in ("hi", "get"):
            app.accept(written(text))
        assert app.drain().postponed == 1
        assert app.next_due() == app.clock.now() + timedelta(seconds=60)
        assert isinstance(app.clock, ManualClock)
        server.routes["/stock"] = lambda handler: handler.give_json('{"n": 9}')
        app.clock.advance(timedelta(seconds=60))
        app.drain()
        assert said(app)[1] == "Got 9"


def test_runners_are_added_once_and_before_the_app_is_bound(server: Server, tmp_path: Path) -> None:
    app = errands.make("sqlite://", server.authority, tmp_path, 0)
    with pytest.raises(DuplicateName, match='two runners are for "http"'):
        app.runner("http", make_shop().invokes["shop.price"])
    with app.bind(), pytest.raises(Frozen):
        app.runner("other", make_shop().invokes["shop.price"])


def odd_header(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno colon\r\n\r\n")
    handler.close_connection = True


def test_no_url_is_logged(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """urllib3 would warn of an answer with an odd header, and quote the URL."""
    loggers = [logging.getLogger(name) for name in ("wabot", "urllib3")]
    before = [(logger.level, logger.handlers, logger.propagate) for logger in loggers]
    server.routes["/"] = odd_header
    http = Http(HttpSettings(allow=[server.authority]))
    try:
        configure_logging(Settings())
        http.run({"url": server.url, "query": {"phone": "919876543210"}}, Outside("k", ManualClock()))
        assert len(server.asked) == 1
        assert not logging.getLogger("urllib3.connection").isEnabledFor(logging.WARNING)
        assert "919876543210" not in capfd.readouterr().err
    finally:
        for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
            logger.level, logger.handlers, logger.propagate = level, handlers, propagate
            logger.setLevel(level)
