from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from wabot.app import App
from wabot.core.messages import Inbound
from wabot.core.ports import Capabilities
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.settings import Settings
from wabot.testing.fakes import FakeChannel, ManualClock, SequentialIds

ECHO = """
flow: echo
states:
  open:
    initial: true
    enter: [{say: "You said {{ message.text }}"}]
    transitions:
      - {event: message.text, cond: "message.text == 'later'", target: waiting}
      - {event: message.text, on: [{say: "You said {{ message.text }}"}]}
      - {event: message, on: [{say: "You sent something"}]}
  waiting:
    after: {10m: told}
    transitions:
      - {event: message.text, on: [{say: "Wait"}]}
  told:
    enter: [{say: "It is time"}]
    final: true
"""
OURS, ASHA, BEN = "+911000000000", "+919800000001", "+919800000002"
WINDOW = timedelta(hours=24)


class Desk:
    """An app that says back what it hears, on one channel, and a way to write to it."""

    def __init__(self, database: str, settings: dict[str, Any], parts: dict[str, Any]) -> None:
        self.clock = ManualClock()
        self.channel = FakeChannel(capabilities=parts.pop("capabilities", None))
        given = {"database": SecretStr(database), **settings}
        defaults = {"channel": self.channel, "clock": self.clock, "ids": SequentialIds()}
        flow = {"sources": [load_flow(ECHO, "echo.yaml")], "texts": Texts()}
        self.app = App(Settings(**given), **{**defaults, **flow, **parts})
        self._heard = 0

    def hear(self, text: str, phone: str = ASHA, ours: str = OURS) -> None:
        self._heard += 1
        message = Inbound(
            channel="fake",
            event_id=f"wamid.{self._heard}",
            sender=phone,
            recipient=ours,
            text=text,
        )
        self.app.accept(message)

    def hears_from(self, number: int) -> None:
        """Number the messages from here on: another desk on the same database has had those before."""
        self._heard = number

    def write(self, *texts: str, phone: str = ASHA) -> list[str]:
        """What the bot says to these messages."""
        before = len(self.channel.sent)
        for text in texts:
            self.hear(text, phone)
        self.app.drain()
        return [delivery.message.text for delivery in self.channel.sent[before:]]

    def wait(self, delay: timedelta) -> list[str]:
        self.clock.advance(delay)
        return self.write()

    def outbox(self, phone: str = ASHA) -> list[tuple[str, str]]:
        view = self.app.conversation(phone)
        assert view is not None
        return [(row.status, row.code) for row in self.app.outbox(view.id)]


MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(database_url: str) -> Iterator[MakeDesk]:
    """A desk of these settings and parts, bound unless `bound` is false, closed afterwards."""
    made: list[Desk] = []

    def make(settings: dict[str, Any] | None = None, *, bound: bool = True, **parts: Any) -> Desk:
        made.append(Desk(database_url, settings or {}, parts))
        if bound:
            made[-1].app.bind()
        return made[-1]

    yield make
    for desk in made:
        desk.app.close()


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()


@pytest.fixture
def windowed(make_desk: MakeDesk) -> Desk:
    """A desk whose channel takes free-form messages within 24 hours."""
    return make_desk(capabilities=Capabilities(window=WINDOW))
