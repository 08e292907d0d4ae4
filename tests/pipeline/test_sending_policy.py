from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.pipeline.conftest import ASHA, WINDOW, Desk, MakeDesk
from wabot.adapters.channels.console import ConsoleChannel
from wabot.core.limits import SERVICE_WINDOW
from wabot.core.messages import Outbound, Template
from wabot.core.ports import Capabilities
from wabot.core.tables import Category, ConversationRow, OutboxRow
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.errors import NotSent, SendUnknown, Undeliverable
from wabot.pipeline.turn import enqueue
from wabot.runtime.policy import OUTSIDE, Form, shaped
from wabot.runtime.send import CIRCUIT_OPEN, UNREADABLE
from wabot.testing.fakes import FakeChannel

PARCEL = Template(name="parcel_today", language="en", variables={"1": "7"})
TEMPLATED = Outbound(text="Your parcel 7 arrives today.", template=PARCEL)
FREE = Outbound(text="Your parcel 7 arrives today.")


def tell(desk: Desk, message: Outbound, category: Category = Category.TRANSACTIONAL) -> None:
    """As a reminder would: without a message of the contact before it."""
    now = desk.clock.now()
    with desk.app.database.transaction() as session:
        conversation = session.get_one(ConversationRow, 1)
        enqueue(session, conversation, message, desk.app.ids.new(), now, None, category)
        session.commit()
    desk.app.drain()


def last(desk: Desk) -> Outbound:
    return desk.channel.sent[-1].message


@pytest.mark.parametrize("category", [Category.TRANSACTIONAL, Category.OPT_OUT])
def test_inside_the_window_a_message_goes_in_its_own_words(windowed: Desk, category: Category) -> None:
    windowed.write("hello")
    windowed.clock.advance(WINDOW - timedelta(seconds=1))
    tell(windowed, TEMPLATED, category)
    assert last(windowed) == FREE


def test_outside_it_leaves_as_its_template(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.clock.advance(WINDOW)
    tell(windowed, TEMPLATED)
    assert last(windowed) == TEMPLATED
    assert windowed.outbox()[-1] == ("sent", "")


def test_without_a_template_it_fails_and_says_why(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.clock.advance(WINDOW + timedelta(hours=1))
    tell(windowed, FREE)
    assert len(windowed.channel.sent) == 1
    assert windowed.outbox()[-1] == ("failed", OUTSIDE)
    assert windowed.app.outbox(1)[-1].reason == (
        "the contact last wrote 1d1h ago: a message without a template leaves only within 1d: "
        "name a template in its text, or in the flow's say"
    )


def test_the_window_is_that_of_the_moment_of_sending(windowed: Desk) -> None:
    """The provider was away while the window closed; then the contact wrote again."""
    windowed.write("hello")
    windowed.clock.advance(WINDOW - timedelta(seconds=30))
    windowed.channel.fail_next(NotSent("down"), NotSent("down"))
    tell(windowed, FREE)
    tell(windowed, TEMPLATED)
    windowed.wait(timedelta(minutes=5))
    assert windowed.outbox()[1:] == [("failed", OUTSIDE), ("pending", "")]
    windowed.write("still there?")
    windowed.wait(timedelta(minutes=5))
    assert [message.message for message in windowed.channel.sent[1:]] == [
        FREE,
        Outbound(text="You said still there?"),
    ]


def test_one_who_never_wrote_gets_templates_alone(windowed: Desk) -> None:
    windowed.write("hello")
    with windowed.app.database.transaction() as session:
        session.execute(update(ConversationRow).values(last_message_at=None))
        session.commit()
    tell(windowed, FREE)
    assert windowed.app.outbox(1)[-1].reason.startswith("the contact never wrote")
    tell(windowed, TEMPLATED)
    assert last(windowed) == TEMPLATED


def test_a_campaign_keeps_its_template(windowed: Desk) -> None:
    windowed.write("hello")
    tell(windowed, TEMPLATED, Category.CAMPAIGN)
    assert last(windowed) == TEMPLATED


def test_a_message_that_is_only_a_template_keeps_it(windowed: Desk) -> None:
    windowed.write("hello")
    tell(windowed, Outbound(template=PARCEL))
    assert last(windowed) == Outbound(template=PARCEL)


def test_a_channel_without_a_window_takes_everything_always(desk: Desk) -> None:
    desk.write("hello")
    desk.clock.advance(timedelta(days=9))
    tell(desk, FREE)
    tell(desk, TEMPLATED)
    assert [delivery.message for delivery in desk.channel.sent[1:]] == [FREE, TEMPLATED]
    assert (ConsoleChannel().capabilities.window, FakeChannel().capabilities.window) == (None, None)
    assert SERVICE_WINDOW == WINDOW


def test_a_message_that_cannot_be_read_has_failed(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.channel.fail_next(NotSent("busy"))
    tell(windowed, FREE)
    with windowed.app.database.transaction() as session:
        session.execute(update(OutboxRow).where(OutboxRow.position == 2).values(message=["nonsense"]))
        session.commit()
    windowed.wait(timedelta(minutes=1))
    assert windowed.outbox()[-1] == ("failed", UNREADABLE)


def test_shaping_changes_nothing_else() -> None:
    assert shaped(FREE, Form.FREE) is FREE
    assert shaped(TEMPLATED, Form.AS_IS) == TEMPLATED


def test_variables_of_a_template_leave_on_one_line() -> None:
    lines = Template(name="order", variables={"1": "2 × Cement\n\t1 × Sand     (bag) "})
    left = shaped(Outbound(text="a\nb", template=lines), Form.AS_IS)
    assert left.template == Template(name="order", variables={"1": "2 × Cement 1 × Sand (bag)"})
    assert left.text == "a\nb"


def down(_: int) -> SendUnknown:
    return SendUnknown("time-out")


def test_a_channel_that_fails_is_left_alone_then_tried_by_one(make_desk: MakeDesk) -> None:
    desk = make_desk({"circuit": {"failures": 3, "pause": "30s"}})
    desk.channel.fail_next(*map(down, range(3)))
    for number in range(6):
        desk.hear("hello", phone=f"+91980000100{number}")
    desk.app.drain()
    assert desk.channel.sent == []
    codes = [desk.outbox(f"+91980000100{number}")[0] for number in range(6)]
    assert codes[:3] == [("unknown", "")] * 3
    assert codes[3:] == [("pending", CIRCUIT_OPEN)] * 3
    assert 'wabot_circuit_open{circuit="fake"} 1' in desk.app.metrics_text()
    desk.wait(timedelta(seconds=31))
    assert len(desk.channel.sent) == 3
    for _ in range(4):
        desk.wait(timedelta(minutes=1))
    assert len(desk.channel.sent) == 6
    assert 'wabot_circuit_open{circuit="fake"} 0' in desk.app.metrics_text()


def test_an_answer_of_the_provider_opens_no_circuit(make_desk: MakeDesk) -> None:
    desk = make_desk({"circuit": {"failures": 1}})
    desk.channel.fail_next(NotSent("slowly", code="429"), Undeliverable("blocked"))
    desk.hear("hello")
    desk.hear("hello", phone="+919800001001")
    desk.app.drain()
    assert [desk.outbox()[0][0], desk.outbox("+919800001001")[0][0]] == ["pending", "failed"]
    assert desk.write("hello", phone="+919800001002") == ["You said hello"]


def test_a_channel_may_say_its_own_window(make_desk: MakeDesk) -> None:
    desk = make_desk(capabilities=Capabilities(window=timedelta(hours=1)))
    desk.write("hello")
    desk.clock.advance(timedelta(hours=2))
    tell(desk, FREE)
    assert desk.outbox(ASHA)[-1] == ("failed", OUTSIDE)


PATIENT = """
flow: patient
states:
  open:
    initial: true
    enter: [{say: hello}]
    after: {25h: told}
  told:
    enter: [{say: told}, {say: hello}]
    final: true
"""


def test_a_text_leaves_as_the_template_that_it_names(make_desk: MakeDesk) -> None:
    hello: Any = {"text": "Hello", "template": {"name": "hello", "variables": ["{{ contact.name }}"]}}
    texts = Texts({"en": {"hello": hello, "told": "It is time"}})
    window = Capabilities(window=WINDOW)
    desk = make_desk(sources=[load_flow(PATIENT, "patient.yaml")], texts=texts, capabilities=window)
    assert desk.write("hi") == ["Hello"]
    assert last(desk).template is None
    desk.wait(timedelta(hours=25))
    assert desk.outbox() == [("sent", ""), ("failed", OUTSIDE), ("sent", "")]
    assert last(desk).template == Template(name="hello", language="en", variables={"1": ""})
