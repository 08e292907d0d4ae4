from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.runtime.worlds import Runtime
from wabot.app import App
from wabot.core.messages import Inbound
from wabot.engine.loader import load_flow
from wabot.settings import Settings
from wabot.testing.fakes import FakeChannel, ManualClock

FLOW = """
flow: tea
states:
  open:
    initial: true
    enter: {say: Welcome}
    after: {5m: steeped}
    transitions:
      - {event: message.text, on: {say: Patience}}
  steeped:
    enter: {say: Tea is ready}
    final: true
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def app(channel: FakeChannel, clock: ManualClock) -> Iterator[App]:
    settings = Settings.model_validate({"database": "sqlite://"})
    with App(settings, channel=channel, clock=clock, sources=[load_flow(FLOW, "tea.yaml")]).bind() as app:
        yield app


def hear(app: App, text: str, phone: str = "+911") -> int:
    app.accept(Inbound(channel="fake", event_id=f"{phone} {text}", sender=phone, recipient="+910", text=text))
    conversation = app.conversation(phone)
    assert conversation is not None
    return conversation.id


def test_one_conversation_is_served_and_no_other(app: App, channel: FakeChannel) -> None:
    ours, other = hear(app, "hi"), hear(app, "hi", "+912")
    hear(app, "again")
    assert app.serve(ours).turns == 2
    assert [event.status for event in app.events(other)] == ["pending"]
    assert channel.sent == []
    assert app.send().sent == 2
    assert [delivery.message.text for delivery in channel.sent] == ["Welcome", "Patience"]


def test_serving_stops_when_it_is_told(app: App) -> None:
    conversation = hear(app, "hi")
    hear(app, "again")
    asked: list[bool] = []

    def after_one() -> bool:
        asked.append(True)
        return len(asked) > 1

    assert app.serve(conversation, after_one).turns == 1
    assert app.serve(conversation).turns == 1
    assert not app.serve(conversation)
    assert not app.serve(404)


def test_timers_alone_are_fired(app: App, clock: ManualClock, channel: FakeChannel) -> None:
    conversation = hear(app, "hi")
    app.drain()
    assert app.fire_timers() == []
    clock.advance(timedelta(minutes=5))
    assert app.fire_timers() == [conversation]
    assert len(channel.sent) == 1
    app.drain()
    assert [delivery.message.text for delivery in channel.sent] == ["Welcome", "Tea is ready"]


def test_what_is_young_is_left_to_whoever_was_rung_for_it(app: App, clock: ManualClock) -> None:
    conversation = hear(app, "hi")
    patience = timedelta(seconds=3)
    assert not app.drain(patience=patience)
    clock.advance(timedelta(seconds=3))
    assert app.drain(patience=patience).turns == 1
    clock.advance(timedelta(minutes=5))
    done = app.drain(patience=patience)
    assert (done.timers, done.turns) == (1, 1), "nobody was rung for a timer that a sweep fired"
    assert app.conversation("+911") is not None
    assert len(app.events(conversation)) == 2


def test_an_event_to_be_tried_again_does_not_spin(runtime: Runtime) -> None:
    conversation = runtime.hear("boom")
    assert conversation is not None
    done = runtime.sweep().serve(conversation)
    assert (done.retried, done.failed) == (1, 0)
    runtime.hear("say hello")
    runtime.sweep().serve(conversation)
    done = runtime.sweep().serve(conversation)
    assert (done.failed, done.turns) == (1, 1)
