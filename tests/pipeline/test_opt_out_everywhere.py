"""Each way a message may leave, tried on a contact that has opted out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import BaseModel

from tests.pipeline.conftest import ASHA, WINDOW, Desk, MakeDesk
from wabot.core.messages import Outbound, Template
from wabot.core.module import Call, Module
from wabot.core.ports import Capabilities
from wabot.core.refusals import Refusal
from wabot.core.tables import Category
from wabot.engine.loader import load_flow
from wabot.errors import NeedsTemplate, NotSent, SendError, SendUnknown
from wabot.runtime import Receipt, ReceiptStatus, failed
from wabot.runtime.policy import OPTED_OUT

FLOW = """
flow: everything
states:
  open:
    initial: true
    transitions:
      - {event: message, cond: "message.text == 'timer'", target: timed}
      - {event: message, cond: "message.text == 'delay'", target: delayed}
      - {event: message, cond: "message.text == 'result'", target: outside}
      - {event: message, cond: "message.text == 'failure'", target: broken}
      - {event: message, cond: "message.text == 'module'", target: told}
      - {event: message, cond: "message.text == 'agent'", target: desk}
      - {event: message.text, on: {say: "You said {{ message.text }}"}}
  timed:
    after: {10m: {on: {say: It is time}}}
  delayed:
    enter: {send: {event: remind, delay: 10m}}
    transitions: {event: remind, on: {say: Remember}}
  outside:
    invoke: {id: there1, http: {method: GET, url: "https://example.com"}}
    transitions: {event: done.invoke.there1, on: {say: Here it is}}
  broken:
    invoke: {id: there2, http: {method: GET, url: "https://example.com"}}
    transitions: {event: done.invoke.there2, on: {shop.fail: {}}}
  told:
    invoke: {id: there3, http: {method: GET, url: "https://example.com"}}
    transitions: {event: done.invoke.there3, on: {shop.tell: {}}}
  desk:
    invoke: {id: person, agent: {about: anything}}
    transitions: {event: done.invoke.person, on: {say: Back to me}}
"""
TEMPLATED = Outbound(text="An offer", template=Template(name="offer"))
SOON = timedelta(minutes=10)


class Nothing(BaseModel):
    pass


def shop() -> Module:
    module = Module("shop")

    @module.command("tell")
    def tell(_: Nothing, call: Call) -> None:
        """Say something."""
        call.send(Outbound(text="The shop says so"))

    @module.command("fail")
    def fail(_: Nothing, call: Call) -> None:
        """Break."""
        raise RuntimeError("broken")

    return module


@pytest.fixture
def full(make_desk: MakeDesk) -> Desk:
    return make_desk(
        sources=[load_flow(FLOW, "everything.yaml")],
        modules=[shop()],
        capabilities=Capabilities(window=WINDOW),
        outside=False,
    )


def conversation(desk: Desk) -> int:
    view = desk.app.conversation(ASHA)
    assert view is not None
    return view.id


def finish(desk: Desk) -> None:
    for effect in desk.app.effects(conversation(desk), pending=True):
        desk.app.finish_effect(effect.id, {"status": 200})


def say(desk: Desk) -> None:
    desk.app.say(conversation(desk), TEMPLATED)


def campaign(desk: Desk) -> None:
    desk.app.say(conversation(desk), TEMPLATED, category=Category.CAMPAIGN)


def held(desk: Desk) -> None:
    desk.app.take_over(conversation(desk))
    say(desk)
    desk.app.hand_back(conversation(desk))


def write(desk: Desk) -> None:
    for _ in range(40):
        desk.hear("hello")


def other_number(desk: Desk) -> None:
    desk.hear("hi", ours="+912000000000")
    desk.hear("hello", ours="+912000000000")


def retry_failed(desk: Desk) -> None:
    failed.retry(desk.app.database, desk.clock)


def refused_afterwards(refusal: Refusal) -> Callable[[Desk], None]:
    def report(desk: Desk) -> None:
        row = desk.app.outbox(conversation(desk))[0]
        receipt = Receipt(
            channel="fake", status=ReceiptStatus.FAILED, reference=row.reference, refusal=refusal
        )
        assert desk.app.receipt(receipt)

    return report


def nothing(desk: Desk) -> None:
    """Time passes."""


WAYS: dict[str, tuple[str, Callable[[Desk], None]]] = {
    "a timer of a state": ("timer", nothing),
    "a send with a delay": ("delay", nothing),
    "the result of an effect": ("result", finish),
    "a command of a module": ("module", finish),
    "the apology": ("failure", finish),
    "a person who hands back": ("agent", finish),
    "an operator": ("hello", say),
    "an operator who has taken over": ("hello", held),
    "a campaign": ("hello", campaign),
    "an answer": ("hello", write),
    "an answer from another number of ours": ("hello", other_number),
    "an event that is tried again": ("hello", retry_failed),
    "a message refused for now, by a receipt": ("hello", refused_afterwards(Refusal.LATER)),
    "a message that needs a template, by a receipt": ("hello", refused_afterwards(Refusal.TEMPLATE)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_leaves_for_one_who_stopped(full: Desk, way: str) -> None:
    words, happens = WAYS[way]
    full.write("hi", words, "stop")
    full.channel.sent.clear()
    happens(full)
    full.app.drain()
    full.wait(SOON)
    full.wait(SOON)
    assert full.channel.sent == []


@pytest.mark.parametrize("way", [way for way in WAYS if way != "an event that is tried again"])
def test_the_same_way_leads_to_one_who_did_not_stop(full: Desk, way: str) -> None:
    """So that it is the opt-out which held it back."""
    words, happens = WAYS[way]
    if "template" in way:
        full.write("hi")
        full.app.say(conversation(full), TEMPLATED)
        full.app.drain()
        full.channel.sent.clear()
    else:
        full.write("hi", words)
        full.channel.sent.clear()
    happens(full)
    full.app.drain()
    full.wait(SOON)
    full.wait(SOON)
    assert full.channel.sent != []


@pytest.mark.parametrize(
    "error",
    [NotSent("busy"), NeedsTemplate("closed"), SendUnknown("time-out"), NotSent("slowly", code="429")],
)
def test_what_was_on_its_way_when_the_contact_stopped_is_not_tried_again(
    full: Desk, error: SendError
) -> None:
    full.write("hi", "hello")
    full.channel.sent.clear()
    full.channel.fail_next(error, NotSent("busy"))
    full.app.say(conversation(full), TEMPLATED)
    full.app.send(iter([False, True, True, True]).__next__)
    full.hear("stop")
    full.app.drain()
    for _ in range(4):
        full.wait(SOON)
    said = [delivery.message.text for delivery in full.channel.sent]
    assert [text.startswith("You will get no more") for text in said] == [True]
    assert full.outbox()[1] == ("failed", OPTED_OUT)
