from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from pydantic import ValidationError

from tests.runtime.conftest import MakeRuntime
from tests.runtime.worlds import Runtime
from wabot.app import App
from wabot.core.messages import Outbound
from wabot.core.tables import OutboxRow
from wabot.engine.loader import load_flow
from wabot.errors import SendUnknown
from wabot.runtime import Receipt, ReceiptStatus, queries, receive
from wabot.settings import Settings
from wabot.testing.fakes import FakeChannel, ManualClock

MINUTE = timedelta(minutes=1)
WAY = ["queued", "sent", "delivered", "read"]


def tell(runtime: Runtime, status: str, **more: Any) -> bool:
    named = more or {"provider_id": "fake-1"}
    receipt = Receipt(channel="fake", status=ReceiptStatus(status), **named)
    return receive(runtime.world.database, runtime.clock, receipt)


def first(runtime: Runtime) -> OutboxRow:
    return queries.outbox(runtime.world.database, 1)[0]


@pytest.fixture
def sent(runtime: Runtime) -> Runtime:
    runtime.hear("say one")
    runtime.sweep().drain()
    return runtime


@pytest.mark.parametrize("order", list(permutations(WAY))[::5])
def test_a_message_only_moves_forward(sent: Runtime, order: tuple[str, ...]) -> None:
    furthest = -1
    for status in order:
        assert tell(sent, status) is (WAY.index(status) > furthest)
        furthest = max(furthest, WAY.index(status))
        assert first(sent).receipt == WAY[furthest]
        assert not tell(sent, status), "twice tells nothing new"
    row = first(sent)
    assert (row.status, row.read_at, row.delivered_at) == ("sent", sent.clock.now(), sent.clock.now())


def test_what_was_read_was_delivered(sent: Runtime) -> None:
    delivered = sent.clock.now() - MINUTE
    assert tell(sent, "delivered", provider_id="fake-1", at=delivered)
    assert tell(sent, "read")
    assert (first(sent).delivered_at, first(sent).read_at) == (delivered, sent.clock.now())


def test_a_failure_is_the_end(sent: Runtime) -> None:
    assert tell(sent, "failed", provider_id="fake-1", code="63016", reason="outside the window")
    assert not tell(sent, "delivered")
    row = first(sent)
    assert (row.status, row.receipt, row.code, row.reason) == (
        "failed",
        "failed",
        "63016",
        "outside the window",
    )


def test_what_was_delivered_did_not_fail(sent: Runtime) -> None:
    assert tell(sent, "delivered")
    assert not tell(sent, "failed", provider_id="fake-1", code="63016")
    assert (first(sent).status, first(sent).code) == ("sent", "")


def test_a_receipt_of_another_channel_or_message_is_not_ours(sent: Runtime) -> None:
    assert not tell(sent, "read", provider_id="fake-99")
    other = Receipt(channel="other", status=ReceiptStatus.READ, provider_id="fake-1")
    assert not receive(sent.world.database, sent.clock, other)
    assert first(sent).receipt == ""


def test_a_receipt_names_its_message() -> None:
    with pytest.raises(ValidationError, match="names its message"):
        Receipt(channel="fake", status=ReceiptStatus.READ)


def test_a_receipt_settles_an_unknown_fate(runtime: Runtime, channel: FakeChannel) -> None:
    channel.fail_next(SendUnknown("time-out"), taken=True)
    runtime.hear("say one; say two")
    runtime.sweep().drain()
    assert first(runtime).status == "unknown"
    assert tell(runtime, "queued", reference=first(runtime).reference, provider_id="fake-1")
    row = first(runtime)
    assert (row.status, row.provider_id, row.reason) == ("sent", "fake-1", "")
    runtime.sweep().drain()
    assert [delivery.message.text for delivery in channel.sent] == ["one", "two"]


class Eager(FakeChannel):
    """Calls back before it answers."""

    calls_back: Callable[[str], object]
    answer: SendUnknown | None = None

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        provider_id = super().send(to, sender, message, reference)
        self.calls_back(reference)
        if self.answer:
            raise self.answer
        return provider_id


@pytest.mark.parametrize("named", [{"provider_id": "fake-1"}, {}])
@pytest.mark.parametrize("answer", [None, SendUnknown("time-out")])
def test_a_callback_may_come_before_the_answer(
    build: MakeRuntime, answer: SendUnknown | None, named: dict[str, str]
) -> None:
    channel = Eager()
    runtime = build(channel=channel)
    channel.answer = answer
    channel.calls_back = lambda reference: tell(runtime, "delivered", reference=reference, **named)
    runtime.hear("say one")
    runtime.sweep().drain()
    row = first(runtime)
    assert (row.status, row.receipt, row.due_at, row.reason) == ("sent", "delivered", None, "")
    assert row.provider_id == ("fake-1" if named or not answer else None)
    runtime.clock.advance(timedelta(hours=1))
    runtime.sweep().drain()
    assert len(channel.sent) == 1


def test_a_failure_that_comes_before_the_answer_stays(build: MakeRuntime) -> None:
    channel = Eager()
    runtime = build(channel=channel)
    channel.calls_back = lambda reference: tell(runtime, "failed", reference=reference, code="63024")
    runtime.hear("say one; say two")
    runtime.sweep().once()
    row = first(runtime)
    assert (row.status, row.code, row.provider_id) == ("failed", "63024", "fake-1")


def test_the_app_takes_receipts() -> None:
    flow = load_flow("flow: f\nstates: {a: {initial: true, enter: {say: Hi}}}", "f.yaml")
    settings = Settings.model_validate({"database": "sqlite://"})
    with App(settings, channel=FakeChannel(), clock=ManualClock(), sources=[flow]).bind() as app:
        receipt = Receipt(channel="fake", status=ReceiptStatus.READ, reference="none")
        assert not app.receipt(receipt)
