from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.channels.conftest import ON_BOTH, OpenTwilio
from wabot.adapters.channels.twilio import TwilioChannel
from wabot.core.database import Database
from wabot.core.messages import Button, Location, Media, Outbound, Template
from wabot.core.tables import ContactRow, ConversationRow, OutboxRow, SendStatus
from wabot.errors import SendUnknown
from wabot.runtime import Sender, SendOutcome, SendPolicy
from wabot.testing import Behaviour, FakeTwilio, ManualClock

OURS, THEIRS = "+14155238886", "+919876543210"
LOST = Behaviour(cut=True)
BUTTONS = (Button(id="yes", title="Yes"), Button(id="no", title="No"))


class Outbox:
    """One conversation's, without the runtime that would write it."""

    def __init__(self, database: Database, clock: ManualClock, channel: TwilioChannel) -> None:
        self.database, self.clock, self.channel = database, clock, channel
        now = clock.now()
        with database.transaction() as session:
            contact = ContactRow(phone=THEIRS, name="", locale="", created_at=now)
            session.add(contact)
            session.flush()
            conversation = ConversationRow(
                channel="twilio", sender=OURS, contact_id=contact.id, created_at=now
            )
            session.add(conversation)
            session.flush()
            self.conversation_id = conversation.id
            session.commit()
        self.position = 0

    def write(self, message: Outbound | str, provider_id: str | None = None) -> str:
        """The message's reference."""
        self.position += 1
        reference = f"ref-{self.position}"
        message = Outbound(text=message) if isinstance(message, str) else message
        with self.database.transaction() as session:
            session.add(
                OutboxRow(
                    conversation_id=self.conversation_id,
                    position=self.position,
                    reference=reference,
                    message=message.model_dump(mode="json", exclude_defaults=True),
                    provider_id=provider_id,
                    created_at=self.clock.now(),
                    due_at=self.clock.now(),
                )
            )
            session.commit()
        return reference

    def sent(self, message: Outbound | str) -> str:
        """Its SID, which the outbox has."""
        sid = self.send(message, "known")
        self.write(message, sid)
        return sid

    def send(self, message: Outbound | str, reference: str) -> str:
        message = Outbound(text=message) if isinstance(message, str) else message
        return self.channel.send(THEIRS, OURS, message, reference)

    def lose(self, twilio: FakeTwilio, message: Outbound | str) -> str:
        """The reference of a message that Twilio took, and nobody heard so."""
        reference = self.write(message)
        twilio.next(LOST)
        with pytest.raises(SendUnknown):
            self.send(message, reference)
        return reference

    def find(self, reference: str) -> str | None:
        return self.channel.find(THEIRS, reference)


@pytest.fixture
def outbox(record: Database, clock: ManualClock, channel: TwilioChannel) -> Outbox:
    return Outbox(record, clock, channel)


def last(twilio: FakeTwilio) -> str:
    return twilio.deliveries[-1].provider_id


@pytest.mark.parametrize(
    "message",
    [
        Outbound(text="Hello"),
        Outbound(header="Shop", text=" Hello\n\nthere ", footer="menu"),
        Outbound(text="{{7*7}} it's", buttons=BUTTONS),
        Outbound(text="Shall I?", buttons=(*BUTTONS, *BUTTONS)),
        Outbound(text="Look", media=Media(kind="image", url="https://example.com/a.png")),
        Outbound(media=Media(kind="image", url="https://example.com/a.png")),
        Outbound(location=Location(latitude=1, longitude=2)),
    ],
)
def test_what_twilio_took_is_found(twilio: FakeTwilio, outbox: Outbox, message: Outbound) -> None:
    reference = outbox.lose(twilio, message)
    assert outbox.find(reference) == last(twilio)


@pytest.mark.parametrize("message", [Outbound(text="Hello"), Outbound(text="Shall I?", buttons=BUTTONS)])
def test_what_twilio_did_not_take_is_none(twilio: FakeTwilio, outbox: Outbox, message: Outbound) -> None:
    outbox.sent(message)
    reference = outbox.write(message)
    twilio.next(Behaviour(take=False, cut=True))
    with pytest.raises(SendUnknown):
        outbox.send(message, reference)
    assert outbox.find(reference) is None


def test_the_same_words_before_and_after_are_told_apart(twilio: FakeTwilio, outbox: Outbox) -> None:
    outbox.sent("Yes?")
    reference = outbox.lose(twilio, "Yes?")
    mine = last(twilio)
    outbox.sent("Yes?")
    assert outbox.find(reference) == mine


def test_what_is_known_is_not_asked_for(twilio: FakeTwilio, outbox: Outbox) -> None:
    twilio.list_is_down = True
    assert outbox.find(outbox.write("Hello", "SM" + "7" * 32)) == "SM" + "7" * 32


def test_messages_of_others_are_not_ours(twilio: FakeTwilio, outbox: Outbox, clock: ManualClock) -> None:
    outbox.send("Hello", "long ago")
    clock.advance(timedelta(minutes=2))
    reference = outbox.write("Hello")
    outbox.channel.send("+4915112345678", OURS, Outbound(text="Hello"), "another contact")
    outbox.channel.send(THEIRS, "+15550000000", Outbound(text="Hello"), "another number of ours")
    outbox.send("Other words", "another program")
    twilio.records.append(
        {**twilio.records[-1], "sid": "SM" + "e" * 32, "body": "Hello", "direction": "inbound"}
    )
    assert outbox.find(reference) is None
    outbox.send("Hello", "mine")
    assert outbox.find(reference) == last(twilio)


def test_a_template_is_known_by_what_fills_it(twilio: FakeTwilio, outbox: Outbox) -> None:
    twilio.add_template("parcel", "Your parcel {{1}} arrives {{2}}, be in.")
    template = Template(name="parcel", variables={"1": "7", "2": "today"})
    reference = outbox.lose(twilio, Outbound(text="words", template=template))
    assert outbox.find(reference) == last(twilio)
    inside = outbox.write(Outbound(text="words of its own", template=template))
    outbox.send("words of its own", "within the window it goes without")
    assert outbox.find(inside) == last(twilio)


@pytest.mark.parametrize(
    "message",
    [
        Outbound(template=Template(name="moved")),
        Outbound(text="Shall I?", buttons=BUTTONS),
        Outbound(template=Template(name="parcel", variables={"1": "7"})),
    ],
)
def test_where_it_can_not_be_told_it_says_so(twilio: FakeTwilio, outbox: Outbox, message: Outbound) -> None:
    reference = outbox.write(message)
    assert outbox.find(reference) is None
    outbox.send("This may be it", "by whom?")
    with pytest.raises(SendUnknown, match="may be this one"):
        outbox.find(reference)


def test_media_without_words_are_not_any_words(twilio: FakeTwilio, outbox: Outbox) -> None:
    reference = outbox.write(Outbound(media=Media(kind="image", url="https://example.com/a.png")))
    outbox.send("Hello", "another program")
    assert outbox.find(reference) is None
    twilio.records[-1]["body"] = ""
    with pytest.raises(SendUnknown):
        outbox.find(reference)


def test_a_list_that_cannot_be_read_tells_nothing(
    twilio: FakeTwilio, outbox: Outbox, open_twilio: OpenTwilio
) -> None:
    reference = outbox.lose(twilio, "Hello")
    twilio.list_is_down = True
    with pytest.raises(SendUnknown) as raised:
        outbox.find(reference)
    assert raised.value.code == "20503"
    twilio.list_is_down = False
    twilio.records[-1]["date_created"] = None
    with pytest.raises(SendUnknown):
        outbox.find(reference)


@pytest.mark.parametrize(("to", "reference"), [(THEIRS, "unheard of"), ("+4915112345678", "ref-1")])
def test_a_message_that_is_not_in_the_outbox_cannot_be_looked_for(
    outbox: Outbox, to: str, reference: str
) -> None:
    outbox.write("Hello")
    with pytest.raises(SendUnknown, match="outbox"):
        outbox.channel.find(to, reference)


def many(twilio: FakeTwilio, count: int, like: dict[str, Any]) -> None:
    twilio.records.extend({**like, "sid": f"SM{n:032d}", "body": f"No. {n}"} for n in range(count))


def test_it_reads_as_many_pages_as_it_has_to(twilio: FakeTwilio, outbox: Outbox, clock: ManualClock) -> None:
    outbox.send("old", "old")
    many(twilio, 1000, twilio.records[-1])
    clock.advance(timedelta(hours=1))
    reference = outbox.lose(twilio, "Hello")
    mine = last(twilio)
    many(twilio, 250, twilio.records[-1])
    assert outbox.find(reference) == mine
    many(twilio, 400, twilio.records[-1])
    with pytest.raises(SendUnknown, match="too many"):
        outbox.find(reference)
    twilio.records = twilio.records[-450:]
    assert outbox.find(reference) is None


@ON_BOTH
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("message", [Outbound(text="Hello"), Outbound(text="Shall I?", buttons=BUTTONS)])
def test_a_lost_answer_makes_no_second_message(
    twilio: FakeTwilio, outbox: Outbox, clock: ManualClock, message: Outbound, taken: bool
) -> None:
    """Through the real outbox: sent, lost, looked up, and sent once more only where it wasn't taken."""
    policy = SendPolicy()
    sender = Sender(outbox.database, clock, {"twilio": outbox.channel}, policy)
    reference = outbox.write(message)
    twilio.next(Behaviour(take=taken, status=500))
    assert sender.send_next() is SendOutcome.UNKNOWN
    clock.advance(policy.grace)
    twilio.list_is_down = True
    assert sender.send_next() is SendOutcome.UNKNOWN
    clock.advance(policy.grace)
    twilio.list_is_down = False
    if taken:
        assert sender.send_next() is SendOutcome.SENT
    else:
        assert sender.send_next() is SendOutcome.LATER
        assert sender.send_next() is SendOutcome.SENT
    assert sender.send_next() is None
    assert len(twilio.deliveries) == 1
    with outbox.database.reading() as session:
        row = session.scalars(select(OutboxRow).where(OutboxRow.reference == reference)).one()
    assert (row.status, row.provider_id) == (SendStatus.SENT, last(twilio))
