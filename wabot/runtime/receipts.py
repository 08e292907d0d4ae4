"""What the provider tells of a message afterwards, in whatever order it comes."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wabot.core.database import Database
from wabot.core.ports import Clock
from wabot.core.refusals import Refusal
from wabot.core.tables import ConversationRow, OutboxRow, SendStatus


class ReceiptStatus(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


_ORDER = ["", ReceiptStatus.QUEUED, ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.READ]


class Receipt(BaseModel):
    """A status callback, as the channel's adapter normalised it.

    The message is named by our `reference`, by the provider's id, or both. `code` and `reason` are of a
    failure, and `refusal` is what that code means. `at` is when the provider says it was; without it, now.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    status: ReceiptStatus
    reference: str = ""
    provider_id: str = ""
    code: str = ""
    reason: str = ""
    refusal: Refusal | None = None
    at: datetime | None = None

    @model_validator(mode="after")
    def _names_a_message(self) -> "Receipt":
        if not self.reference and not self.provider_id:
            raise ValueError("a receipt names its message: by our reference or by the provider's id")
        return self


def receive(database: Database, clock: Clock, receipt: Receipt) -> bool:
    """Move a message forward; False where it is that far already, or isn't ours.

    What the provider tells of it, it has: so a receipt settles a message of unknown fate, one that was
    to go once more, and one whose sender hasn't heard the answer yet. A failure is the end, unless the
    message has been delivered.
    """
    return database.again(lambda: _receive(database, clock.now(), receipt))


def _receive(database: Database, now: datetime, receipt: Receipt) -> bool:
    with database.transaction() as session:
        row = _find(session, receipt)
        changes = _changes(row, receipt, now) if row is not None else {}
        if row is None or not changes:
            return False
        session.execute(
            update(OutboxRow).where(OutboxRow.id == row.id).values(changes),
            execution_options={"synchronize_session": False},
        )
        session.commit()
        return True


def _find(session: Session, receipt: Receipt) -> OutboxRow | None:
    names = []
    if receipt.reference:
        names.append(OutboxRow.reference == receipt.reference)
    if receipt.provider_id:
        names.append(OutboxRow.provider_id == receipt.provider_id)
    query = (
        select(OutboxRow)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .where(or_(*names), ConversationRow.channel == receipt.channel)
        .order_by(OutboxRow.id)
        .limit(1)
        .with_for_update(of=OutboxRow, key_share=True)
    )
    return session.scalars(query).one_or_none()


def _changes(row: OutboxRow, receipt: Receipt, now: datetime) -> dict[str, Any]:
    known: dict[str, Any]
    at, status = receipt.at or now, receipt.status
    if row.receipt == ReceiptStatus.FAILED:
        return {}
    if status is ReceiptStatus.FAILED:
        if row.delivered_at is not None:
            return {}
        known = {"code": receipt.code[:32], "reason": receipt.reason, "status": SendStatus.FAILED}
    elif _ORDER.index(status) <= _ORDER.index(row.receipt):
        return {}
    else:
        known = {"code": "", "reason": "", "status": SendStatus.SENT}
        if status in (ReceiptStatus.DELIVERED, ReceiptStatus.READ):
            known["delivered_at"] = row.delivered_at or at
        if status is ReceiptStatus.READ:
            known["read_at"] = at
    return {
        **known,
        "receipt": status,
        "due_at": None,
        "sent_at": row.sent_at or at,
        "provider_id": row.provider_id or receipt.provider_id or None,
    }
