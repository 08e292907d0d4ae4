"""What the provider reports comes early, late, twice and out of order, and not to the one who sent."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from tests.faults.harness import Bots
from wabot.app import App
from wabot.core.tables import OutboxRow
from wabot.runtime.receipts import Receipt, ReceiptStatus
from wabot.testing import Behaviour, Callback
from wabot.testing.provider import StatusReport


@contextmanager
def heard_by(bots: Bots, app: App) -> Iterator[None]:
    """The provider's callbacks go to this app, which is another than the one that sends."""

    def hear(report: StatusReport) -> None:
        status, code = ReceiptStatus(report.status), report.code
        app.receipt(
            Receipt(
                channel="provider",
                status=status,
                code=code,
                reference=report.reference,
                provider_id=report.provider_id,
            )
        )

    bots.provider.listener = hear
    yield
    assert bots.provider.settle()
    bots.provider.listener = None


def the_row(app: App) -> OutboxRow:
    with app.database.reading() as session:
        return session.scalars(select(OutboxRow)).one()


def test_a_callback_before_the_id_settles_what_its_sender_could_not_store(bots: Bots) -> None:
    """Though the provider can't be asked: the callback has told that the message was taken."""
    bots.provider.next(Behaviour(callbacks=(Callback("delivered", early=True),)))
    with bots.record() as app, heard_by(bots, app):
        bots.killed("send.before_mark", "hi", lookup=False)
        row = the_row(app)
        taken = bots.provider.deliveries[0].provider_id
        assert (row.status, row.receipt, row.provider_id) == ("sent", "delivered", taken)
    for hours in (1, 2, 3):
        bots.run("hi", hours=hours, lookup=False)
    assert bots.said == ["Welcome"]


def test_a_late_callback_settles_a_message_whose_answer_was_lost(bots: Bots) -> None:
    bots.provider.next(Behaviour(cut=True))
    bots.run("hi", lookup=False)
    with bots.record() as app, heard_by(bots, app):
        assert the_row(app).status == "unknown"
        bots.provider.call_back(bots.provider.deliveries[0].reference, "sent", times=2)
        assert the_row(app).status == "sent"
    for hours in (1, 2):
        bots.run("hi", hours=hours, lookup=False)
    assert bots.said == ["Welcome"]


def test_callbacks_out_of_order_and_twice_move_forward_alone(bots: Bots) -> None:
    late = tuple(
        Callback(status, after=0.01 * place, times=2) for place, status in enumerate(["sent", "queued"])
    )
    bots.provider.next(Behaviour(callbacks=(Callback("read", early=True), *late, Callback("delivered"))))
    with bots.record() as app, heard_by(bots, app):
        bots.run("hi")
        assert bots.provider.settle()
        assert len(bots.provider.reports) == 6
        row = the_row(app)
        assert (row.status, row.receipt) == ("sent", "read")
    assert bots.said == ["Welcome"]
