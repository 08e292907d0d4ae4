"""Processes that die at a crash point, and those that come after them."""

import signal

import pytest
from sqlalchemy import select

from tests.faults.bots import PHONE, PRICES
from tests.faults.harness import PATIENCE, Bots
from wabot.modules.invoices.tables import InvoiceRow
from wabot.modules.orders.tables import OrderRow
from wabot.testing import Behaviour

ACCEPT = ["accept.before_insert", "accept.after_commit", "accept.after_ring"]
# A later message is inserted by one statement, which commits by itself.
FIRST = "accept.before_commit"
TURN = ["turn.before_commit", "turn.after_commit"]
SEND = ["send.after_claim", "send.before_mark"]
TIMER = ["timer.before_commit", "timer.after_commit"]
TALK = ["Welcome", "Tally |", "Message 1", "Tally ||", "Message 2"]


@pytest.mark.parametrize("crash_at", [FIRST, *ACCEPT, *TURN, *SEND])
def test_a_contacts_first_message_has_one_effect(bots: Bots, crash_at: str) -> None:
    bots.killed(crash_at, "hi")
    bots.run("hi", hours=1)
    bots.run("hi", hours=2)
    assert bots.said == ["Welcome"]
    one_effect_each(bots, turns=1)


@pytest.mark.parametrize("crash_at", [*ACCEPT, *TURN, *SEND])
def test_a_later_message_has_one_effect(bots: Bots, crash_at: str) -> None:
    bots.run("hi")
    bots.killed(crash_at, "a", "b")
    bots.run("a", "b", hours=1)
    bots.run(hours=2)
    assert bots.said == TALK
    one_effect_each(bots, turns=3)


def one_effect_each(bots: Bots, turns: int) -> None:
    """What the record says, whatever was killed before."""
    with bots.record(hours=3) as app:
        conversation = app.conversation(PHONE)
        assert conversation is not None
        assert conversation.state is not None
        assert conversation.version == turns
        assert conversation.state.frames[0].variables == {"n": turns - 1}
        assert conversation.contact.name == "|" * (turns - 1)
        assert len(app.timers(conversation.id)) == turns
        assert {event.status for event in app.events(conversation.id)} == {"done"}
        outbox = app.outbox(conversation.id)
        assert {message.status for message in outbox} == {"sent"}
        taken = {delivery.reference: delivery.provider_id for delivery in bots.provider.deliveries}
        assert {message.reference: message.provider_id for message in outbox} == taken


@pytest.mark.parametrize("crash_at", [*TIMER, *TURN])
def test_a_timer_has_one_effect(bots: Bots, crash_at: str) -> None:
    bots.run("hi", "a")
    days = 24 * 4 + 1
    bots.killed(crash_at, hours=days)
    bots.run(hours=days + 1)
    bots.run(hours=days + 2)
    assert bots.said == [*TALK[:3], "Remember"]


@pytest.mark.parametrize(
    ("crash_at", "calls"),
    [
        ("effect.after_claim", 1),
        ("effect.after_call", 2),
        ("effect.before_commit", 2),
        ("effect.after_commit", 1),
    ],
)
def test_an_effects_result_has_one_effect(bots: Bots, crash_at: str, calls: int) -> None:
    bots.killed(crash_at, "cement", flow="ask")
    for hours in (1, 2):
        bots.run("cement", flow="ask", hours=hours)
    assert bots.said == ["It costs 7"]
    assert bots.provider.texts(PRICES) == ["cement"] * calls
    assert len({delivery.reference for delivery in bots.provider.deliveries}) == 2


def test_a_bot_that_dies_again_and_again_gets_there(bots: Bots) -> None:
    for hours, crash_at in enumerate([FIRST, *ACCEPT, *TURN, *SEND]):
        bots.crash(crash_at, "hi", "a", "b", hours=hours)
    for hours in (10, 11):
        bots.run("hi", "a", "b", hours=hours)
    assert bots.said == TALK
    one_effect_each(bots, turns=3)


def test_where_the_provider_cannot_tell_a_message_goes_at_most_twice(bots: Bots) -> None:
    bots.killed("send.before_mark", "hi", lookup=False)
    assert bots.said == ["Welcome"]
    for hours in (1, 2, 3, 4):
        bots.run("hi", hours=hours, lookup=False)
    assert bots.said == ["Welcome", "Welcome"]


def killed_while_the_provider_answers(bots: Bots, **changes: object) -> None:
    """The provider has taken the message and doesn't answer; then the process dies."""
    bots.provider.next(Behaviour(delay=600))
    process = bots.begin("hi", timeout=600.0, **changes)
    assert bots.provider.wait_for(1, PATIENCE)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_taken_and_the_answer_lost_with_the_process(bots: Bots) -> None:
    killed_while_the_provider_answers(bots)
    bots.run("hi", hours=1)
    bots.run("hi", hours=2)
    assert bots.said == ["Welcome"]
    one_effect_each(bots, turns=1)


def test_taken_and_the_answer_lost_where_the_provider_cannot_tell(bots: Bots) -> None:
    killed_while_the_provider_answers(bots, lookup=False)
    for hours in (1, 2, 3, 4):
        bots.run(hours=hours, lookup=False)
    assert bots.said == ["Welcome", "Welcome"]


@pytest.mark.parametrize("behaviour", [Behaviour(cut=True), Behaviour(status=500)], ids=["cut", "500"])
@pytest.mark.parametrize(("lookup", "times"), [(True, 1), (False, 2)])
def test_taken_and_not_said_so(bots: Bots, behaviour: Behaviour, lookup: bool, times: int) -> None:
    bots.provider.next(behaviour)
    for hours in (0, 1, 2, 3):
        bots.run("hi", "a", hours=hours, lookup=lookup)
    assert bots.said == ["Welcome"] * times + ["Tally |", "Message 1"]


@pytest.mark.parametrize(
    "behaviour", [Behaviour(take=False, status=429), Behaviour(take=False, cut=True)], ids=["429", "cut"]
)
def test_not_taken_and_later_taken_once(bots: Bots, behaviour: Behaviour) -> None:
    bots.provider.next(behaviour)
    for hours in (0, 1, 2):
        bots.run("hi", "a", hours=hours)
    assert bots.said == TALK[:3]
    one_effect_each(bots, turns=2)


def test_a_provider_that_refuses_connections_gets_everything_later(bots: Bots) -> None:
    with bots.provider.refusing():
        bots.run("hi", "a")
    assert bots.said == []
    bots.run(hours=1)
    assert bots.said == TALK[:3]
    one_effect_each(bots, turns=2)


@pytest.mark.parametrize("crash_at", ["turn.before_commit", "send.before_mark"])
def test_an_order_is_confirmed_once_and_has_one_invoice(bots: Bots, crash_at: str) -> None:
    bots.run("Hi", "Cement x 100", flow="shop")
    before = bots.said
    bots.killed(crash_at, "1", flow="shop")
    for hours in (1, 2):
        bots.run("1", flow="shop", hours=hours)
    new = bots.said[len(before) :]
    assert len(new) == 2
    assert "INV/25-26/00001" in new[0]
    with bots.record(flow="shop", hours=3) as app:
        assert {event.status for event in app.events(1)} == {"done"}
        with app.database.reading() as session:
            (order,) = session.scalars(select(OrderRow)).all()
            (invoice,) = session.scalars(select(InvoiceRow)).all()
        assert order.status == "confirmed"
        assert invoice.order_id == order.id
