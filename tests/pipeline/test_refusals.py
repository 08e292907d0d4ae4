"""What a provider refuses: at once, or by a callback after it had taken the message."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.pipeline.conftest import ASHA, BEN, OURS, WINDOW, Desk, MakeDesk
from tests.pipeline.test_sending_policy import FREE, PARCEL, TEMPLATED, tell
from wabot.core.messages import Button, Outbound
from wabot.core.ports import Capabilities
from wabot.core.refusals import Refusal
from wabot.core.tables import Category, ContactRow, ConversationRow, OutboxRow
from wabot.errors import ContactRefuses, NeedsTemplate, NotSent, SendUnknown
from wabot.runtime.fate import NO_TEMPLATE, STOPPED
from wabot.runtime.policy import OPTED_OUT, Form, shaped
from wabot.runtime.receipts import COPY, PAUSE, Receipt, ReceiptStatus
from wabot.testing import Behaviour, Callback, FakeProvider, ProviderChannel
from wabot.testing.fakes import FakeChannel
from wabot.testing.provider import StatusReport

CODES = {"63014": Refusal.SUPPRESS, "63016": Refusal.TEMPLATE, "63038": Refusal.LATER}
SECOND = timedelta(seconds=1)


def rows(desk: Desk, phone: str = ASHA) -> list[OutboxRow]:
    view = desk.app.conversation(phone)
    assert view is not None
    return list(desk.app.outbox(view.id))


def stopped(desk: Desk) -> list[bool]:
    with desk.app.database.reading() as session:
        return [row.opted_out_at is not None for row in session.query(ContactRow).order_by(ContactRow.id)]


def report(desk: Desk, row: OutboxRow, refusal: Refusal | None, **more: Any) -> bool:
    named = more or {"provider_id": row.provider_id or "", "reference": row.reference}
    return desk.app.receipt(
        Receipt(
            channel="fake",
            status=ReceiptStatus.FAILED,
            code="63000",
            reason="refused",
            refusal=refusal,
            **named,
        )
    )


def test_a_contact_that_refuses_gets_nothing_more(windowed: Desk) -> None:
    windowed.channel.fail_next(ContactRefuses("blocked", code="63014"))
    windowed.hear("hello", BEN)
    windowed.hear("hello")
    windowed.app.drain()
    refused, other = (BEN, ASHA) if windowed.outbox(BEN)[0][0] == "failed" else (ASHA, BEN)
    row = rows(windowed, refused)[0]
    assert (row.status, row.code, row.reason) == ("failed", "63014", f"blocked: {STOPPED}")
    assert windowed.outbox(other) == [("sent", "")]
    assert sorted(stopped(windowed)) == [False, True]
    assert windowed.write("hello", phone=refused) == []
    assert windowed.write("start", phone=refused) == ["Welcome back. You will get our messages again."], (
        "who writes START has the last word"
    )


def test_what_waited_behind_a_refusal_stays(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.channel.fail_next(NotSent("busy"), ContactRefuses("blocked", code="63014"))
    tell(windowed, FREE)
    tell(windowed, TEMPLATED)
    windowed.wait(timedelta(minutes=1))
    assert windowed.outbox() == [("sent", ""), ("failed", "63014"), ("failed", OPTED_OUT)]
    assert len(windowed.channel.sent) == 1


def test_a_refusal_that_is_reported_opts_the_contact_out(windowed: Desk) -> None:
    windowed.write("hello")
    assert report(windowed, rows(windowed)[0], Refusal.SUPPRESS)
    row = rows(windowed)[0]
    assert (row.status, row.receipt, row.code, row.reason) == (
        "failed",
        "failed",
        "63000",
        f"refused: {STOPPED}",
    )
    assert stopped(windowed) == [True]
    tell(windowed, TEMPLATED)
    assert windowed.outbox()[-1] == ("failed", OPTED_OUT)
    assert not report(windowed, row, Refusal.SUPPRESS)


def test_an_opt_out_of_the_contacts_own_keeps_its_date(windowed: Desk) -> None:
    windowed.write("stop")
    first = windowed.clock.now()
    windowed.clock.advance(SECOND)
    report(windowed, rows(windowed)[0], Refusal.SUPPRESS)
    with windowed.app.database.reading() as session:
        assert session.get_one(ContactRow, 1).opted_out_at == first


def test_what_needs_a_template_goes_as_its_template(windowed: Desk) -> None:
    """Our clock says that the window is open; the provider's says that it is not."""
    windowed.write("hello")
    windowed.channel.fail_next(NeedsTemplate("outside the window", code="63016"))
    tell(windowed, TEMPLATED)
    assert [delivery.message for delivery in windowed.channel.sent[1:]] == [TEMPLATED]
    assert windowed.outbox()[-1] == ("sent", "")
    assert rows(windowed)[-1].as_template


def test_it_keeps_its_place(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.channel.fail_next(NotSent("busy"), NeedsTemplate(code="63016"), NotSent("busy"))
    tell(windowed, TEMPLATED)
    tell(windowed, FREE)
    for _ in range(4):
        windowed.wait(timedelta(minutes=1))
    assert [delivery.message for delivery in windowed.channel.sent[1:]] == [TEMPLATED, FREE]


def test_without_a_template_it_fails_and_says_the_mend(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.channel.fail_next(NeedsTemplate("outside the window", code="63016"))
    tell(windowed, FREE)
    assert windowed.outbox()[-1] == ("failed", "63016")
    assert rows(windowed)[-1].reason == f"outside the window: {NO_TEMPLATE}"


def test_a_template_that_is_refused_is_not_tried_again(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.channel.fail_next(*[NeedsTemplate("paused", code="63016")] * 9)
    tell(windowed, TEMPLATED)
    assert (rows(windowed)[-1].status, rows(windowed)[-1].attempts) == ("failed", 2)
    windowed.clock.advance(WINDOW)
    tell(windowed, TEMPLATED)
    assert (rows(windowed)[-1].status, rows(windowed)[-1].attempts) == ("failed", 1)
    assert rows(windowed)[-1].reason == "paused"


def test_a_template_that_is_reported_missing_is_sent_once(windowed: Desk) -> None:
    windowed.write("hello")
    tell(windowed, TEMPLATED)
    first = rows(windowed)[-1]
    assert report(windowed, first, Refusal.TEMPLATE)
    waiting = rows(windowed)[-1]
    assert (waiting.status, waiting.code, waiting.provider_id) == ("pending", "63000", None)
    for _ in range(3):
        assert not report(windowed, first, Refusal.TEMPLATE), "the first copy has been heard of"
    windowed.wait(PAUSE)
    assert [delivery.message for delivery in windowed.channel.sent[1:]] == [FREE, TEMPLATED]
    assert len({delivery.reference for delivery in windowed.channel.sent}) == 3
    second = rows(windowed)[-1]
    assert (second.status, second.receipt, second.code) == ("sent", "", "")
    assert report(windowed, second, Refusal.TEMPLATE)
    assert (rows(windowed)[-1].status, rows(windowed)[-1].reason) == ("failed", "refused")
    windowed.wait(WINDOW)
    assert len(windowed.channel.sent) == 3


def test_a_late_word_of_the_first_copy_says_nothing_of_the_second(windowed: Desk) -> None:
    windowed.write("hello")
    tell(windowed, TEMPLATED)
    first = rows(windowed)[-1]
    report(windowed, first, Refusal.TEMPLATE)
    named = {"reference": first.reference, "provider_id": first.provider_id or ""}
    late = Receipt(channel="fake", status=ReceiptStatus.SENT, **named)
    assert not windowed.app.receipt(late)
    windowed.wait(PAUSE)
    assert not windowed.app.receipt(late)
    second = rows(windowed)[-1]
    delivered = Receipt(channel="fake", status=ReceiptStatus.DELIVERED, reference=second.reference)
    assert windowed.app.receipt(delivered)
    assert not report(windowed, second, Refusal.LATER), "what was delivered did not fail"


def test_several_that_are_reported_out_of_order_go_again_in_order(windowed: Desk) -> None:
    windowed.write("hello")
    told = [Outbound(text=text, template=PARCEL) for text in ("one", "two", "three")]
    for message in told:
        tell(windowed, message)
    for row in reversed(rows(windowed)[1:]):
        report(windowed, row, Refusal.TEMPLATE)
        windowed.clock.advance(SECOND)
    windowed.wait(PAUSE * 2)
    assert [delivery.message for delivery in windowed.channel.sent[4:]] == told


def test_what_is_reported_too_much_goes_later_and_later(windowed: Desk) -> None:
    windowed.write("hello")
    pauses = []
    for _ in range(8):
        row = rows(windowed)[0]
        assert report(windowed, row, Refusal.LATER)
        due_at = rows(windowed)[0].due_at
        assert due_at is not None
        pauses.append(due_at - windowed.clock.now())
        windowed.wait(pauses[-1])
        assert rows(windowed)[0].status == "sent"
    assert min(pauses) >= PAUSE
    assert pauses[-1] > timedelta(seconds=60)
    assert len(windowed.channel.sent) == 9
    assert len(rows(windowed)[0].reference) <= 64


def test_it_is_given_up_after_a_day(windowed: Desk) -> None:
    windowed.write("hello")
    windowed.clock.advance(WINDOW)
    assert report(windowed, rows(windowed)[0], Refusal.LATER)
    assert windowed.outbox() == [("failed", "63000")]


@pytest.mark.parametrize("refusal", [None, Refusal.NEVER])
def test_what_will_never_be_taken_stays_failed(windowed: Desk, refusal: Refusal | None) -> None:
    windowed.write("hello")
    assert report(windowed, rows(windowed)[0], refusal)
    windowed.wait(timedelta(hours=1))
    assert windowed.outbox() == [("failed", "63000")]
    assert stopped(windowed) == [False]


def test_a_report_without_a_reason_has_one(windowed: Desk) -> None:
    windowed.write("hello")
    receipt = Receipt(channel="fake", status=ReceiptStatus.FAILED, provider_id="fake-1")
    assert windowed.app.receipt(receipt)
    assert rows(windowed)[0].reason == "the provider reports that it failed"


class Eager(FakeChannel):
    """Reports the refusal before it answers."""

    desk: Desk
    refusals: list[Refusal]

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        provider_id = super().send(to, sender, message, reference)
        if self.refusals:
            receipt = Receipt(
                channel="fake",
                status=ReceiptStatus.FAILED,
                code="63000",
                refusal=self.refusals.pop(0),
                reference=reference,
                provider_id=provider_id,
            )
            self.desk.app.receipt(receipt)
        return provider_id


def test_a_report_that_comes_before_the_answer_counts(make_desk: MakeDesk) -> None:
    channel = Eager(capabilities=Capabilities(window=WINDOW))
    desk = make_desk(channel=channel)
    channel.desk, channel.refusals = desk, [Refusal.LATER]
    desk.hear("hello")
    desk.app.drain()
    row = rows(desk)[0]
    assert (row.status, row.provider_id, row.reference) == ("pending", None, f"id-2{COPY}2")
    desk.clock.advance(PAUSE)
    desk.app.drain()
    assert [delivery.reference for delivery in channel.sent] == ["id-2", f"id-2{COPY}2"]
    assert (rows(desk)[0].status, rows(desk)[0].provider_id) == ("sent", "fake-2")


def test_of_two_copies_one_may_arrive_so_none_goes_again(desk: Desk) -> None:
    """Its fate was unknown and it went once more; then one of the two is reported as refused."""
    desk.channel.fail_next(SendUnknown("time-out"), taken=True)
    desk.write("hello")
    desk.wait(timedelta(minutes=1))
    assert (rows(desk)[0].resent, len(desk.channel.sent)) == (True, 2)
    assert report(desk, rows(desk)[0], Refusal.LATER)
    desk.wait(timedelta(hours=1))
    assert (rows(desk)[0].status, len(desk.channel.sent)) == ("failed", 2)


def test_a_message_of_unknown_fate_that_was_refused_goes_again(desk: Desk) -> None:
    desk.channel.fail_next(SendUnknown("time-out"), taken=True)
    desk.write("hello")
    assert report(desk, rows(desk)[0], Refusal.LATER)
    desk.wait(timedelta(minutes=5))
    assert (rows(desk)[0].status, rows(desk)[0].resent, len(desk.channel.sent)) == ("sent", False, 2)


def test_a_campaigns_message_that_was_refused_goes_again(windowed: Desk) -> None:
    """It never goes twice where its fate is unknown; here it is known."""
    windowed.write("hello")
    tell(windowed, TEMPLATED, Category.CAMPAIGN)
    report(windowed, rows(windowed)[-1], Refusal.LATER)
    windowed.wait(timedelta(minutes=1))
    assert [delivery.message for delivery in windowed.channel.sent[1:]] == [TEMPLATED, TEMPLATED]


def test_more_buttons_than_a_message_takes_leave_as_their_template() -> None:
    buttons = tuple(Button(id=str(number), title=f"Button {number}") for number in range(4))
    many = Outbound(text="Choose", buttons=buttons, template=PARCEL)
    assert shaped(many, Form.FREE) == many
    assert shaped(many.model_copy(update={"buttons": buttons[:3]}), Form.FREE).template is None


@pytest.fixture
def provided(make_desk: MakeDesk) -> Iterator[tuple[Desk, FakeProvider]]:
    """A desk at a provider that is a real HTTP server, whose callbacks it hears."""
    with FakeProvider() as provider:
        channel = ProviderChannel(provider.url, "fake", capabilities=Capabilities(window=WINDOW), codes=CODES)
        desk = make_desk(channel=channel)

        def hear(told: StatusReport) -> None:
            desk.app.receipt(
                Receipt(
                    channel="fake",
                    status=ReceiptStatus(told.status),
                    reference=told.reference,
                    provider_id=told.provider_id,
                    code=told.code,
                    refusal=CODES.get(told.code),
                )
            )

        provider.listener = hear
        yield desk, provider


def close_window(desk: Desk) -> None:
    """As the provider sees it: for us it is open still."""
    with desk.app.database.transaction() as session:
        session.execute(update(ConversationRow).values(last_message_at=desk.clock.now()))
        session.commit()


def test_a_provider_that_refuses_at_once_and_afterwards(provided: tuple[Desk, FakeProvider]) -> None:
    desk, provider = provided
    desk.hear("hello")
    desk.app.drain()
    close_window(desk)
    refused = Behaviour(take=False, status=400, code="63016")
    reported = Behaviour(
        callbacks=(Callback("queued"), Callback("failed", times=3, early=True, code="63016"))
    )
    provider.next(refused, Behaviour(), reported)
    tell(desk, TEMPLATED)
    tell(desk, Outbound(text="and one more", template=PARCEL))
    assert provider.settle()
    desk.clock.advance(PAUSE)
    desk.app.drain()
    told = [(each.message.text, each.message.template is not None) for each in provider.deliveries[1:]]
    assert told == [(TEMPLATED.text, True), ("and one more", False), ("and one more", True)]
    assert set(provider.counts.values()) == {1}
    assert [row.status for row in rows(desk)] == ["sent"] * 3


def test_a_provider_whose_contact_blocked_us(provided: tuple[Desk, FakeProvider]) -> None:
    desk, provider = provided
    provider.next(Behaviour(callbacks=(Callback("failed", after=0.01, code="63014"),)))
    desk.hear("hello")
    desk.app.drain()
    assert provider.settle()
    desk.hear("hello")
    desk.app.drain()
    tell(desk, TEMPLATED)
    assert len(provider.deliveries) == 1
    assert [row.code for row in rows(desk)] == ["63014", OPTED_OUT]
    assert provider.deliveries[0].sender == OURS
