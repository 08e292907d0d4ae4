"""What the provider tells of a message afterwards, in whatever order it comes."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wabot.core import limits
from wabot.core.database import Database
from wabot.core.log import get_logger
from wabot.core.ports import Clock
from wabot.core.refusals import Refusal, refused
from wabot.core.tables import ConversationRow, OutboxRow, SendStatus
from wabot.runtime.fate import Fate, SendOutcome, SendPolicy, failed, suppress
from wabot.runtime.fate import refused as after_refusal

PAUSE = limits.RECIPIENT_EVERY
"""The shortest before a message goes again. It outlasts the callbacks of those sent with it, so that
several that were refused go again in their order."""
COPY = "~"
"""Between a message's reference and the number of its copy."""
NO_REASON = "the provider reports that it failed"


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


def receive(database: Database, clock: Clock, receipt: Receipt, policy: SendPolicy | None = None) -> bool:
    """Move a message forward; False where it is that far already, or isn't ours.

    What the provider tells of it, it has: so a receipt settles a message of unknown fate, one that was
    to go once more, and one whose sender hasn't heard the answer yet. A failure is the end, unless the
    message has been delivered, or its `refusal` lets it go again (`runtime.fate`): that is a copy of its
    own, under another reference, so that nothing told of the first one is taken for the second.
    """
    return database.again(lambda: _receive(database, clock.now(), receipt, policy or SendPolicy()))


def _receive(database: Database, now: datetime, receipt: Receipt, policy: SendPolicy) -> bool:
    with database.transaction() as session:
        row = _find(session, receipt)
        fate = _fate(row, receipt, now, policy) if row is not None else None
        if row is None or fate is None:
            return False
        session.execute(
            update(OutboxRow).where(OutboxRow.id == row.id).values(fate.changes),
            execution_options={"synchronize_session": False},
        )
        if fate.suppress:
            suppress(session, row.conversation_id, now)
        session.commit()
    if receipt.status is ReceiptStatus.FAILED:
        get_logger().info(
            "refused",
            outcome=fate.outcome.value,
            outbox=row.id,
            conversation=row.conversation_id,
            code=receipt.code,
            refusal=receipt.refusal or "",
        )
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


def _fate(row: OutboxRow, receipt: Receipt, now: datetime, policy: SendPolicy) -> Fate | None:
    """What becomes of the message; None where the receipt tells nothing new."""
    at, status = receipt.at or now, receipt.status
    if row.receipt == ReceiptStatus.FAILED:
        return None
    told: dict[str, Any] = {
        "receipt": status,
        "due_at": None,
        "sent_at": row.sent_at or at,
        "provider_id": row.provider_id or receipt.provider_id or None,
    }
    if status is ReceiptStatus.FAILED:
        return _refused(row, receipt, now, policy, told) if row.delivered_at is None else None
    if _ORDER.index(status) <= _ORDER.index(row.receipt):
        return None
    told |= {"code": "", "reason": "", "status": SendStatus.SENT}
    if status in (ReceiptStatus.DELIVERED, ReceiptStatus.READ):
        told["delivered_at"] = row.delivered_at or at
    if status is ReceiptStatus.READ:
        told["read_at"] = at
    return Fate(SendOutcome.SENT, told)


def _refused(
    row: OutboxRow, receipt: Receipt, now: datetime, policy: SendPolicy, told: dict[str, Any]
) -> Fate:
    error = refused(receipt.refusal or Refusal.NEVER, receipt.reason or NO_REASON, receipt.code)
    # Of two copies one may yet arrive: a message whose fate was unknown and that went once more.
    twice = row.resent and row.status != SendStatus.PENDING
    if not twice:
        fate = after_refusal(row, error, now, policy, PAUSE)
        if fate.outcome is SendOutcome.LATER:
            return replace(fate, changes={**fate.changes, **_new_copy(row)})
    else:
        fate = Fate(SendOutcome.FAILED, failed(error), suppress=receipt.refusal is Refusal.SUPPRESS)
    return replace(fate, changes={**told, **fate.changes})


def _new_copy(row: OutboxRow) -> dict[str, Any]:
    reference = f"{row.reference.partition(COPY)[0]}{COPY}{row.attempts + 1}"
    return {"reference": reference, "provider_id": None, "receipt": "", "sent_at": None, "resent": False}
