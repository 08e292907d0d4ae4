"""What failed and is parked: to look at, to try again, to drop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select, update

from wabot.core.database import Database
from wabot.core.paging import LARGEST_ID
from wabot.core.ports import Clock
from wabot.core.tables import (
    ContactRow,
    ConversationRow,
    InboundRow,
    InboundStatus,
    OutboxRow,
    SendStatus,
)
from wabot.errors import NotFound


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event whose turn failed. `error` is the traceback; `payload` holds what the contact wrote."""

    id: int
    conversation_id: int
    channel: str
    phone: str
    origin: str
    payload: Any
    attempts: int
    error: str
    received_at: datetime
    failed_at: datetime | None

    @property
    def reason(self) -> str:
        """The error's own line."""
        lines = self.error.strip().splitlines()
        return lines[-1] if lines else ""


@dataclass(frozen=True, slots=True)
class UnsentMessage:
    """A message that did not go out, or of which nobody will ever know (`unknown`)."""

    id: int
    conversation_id: int
    channel: str
    phone: str
    status: str
    code: str
    reason: str
    attempts: int
    created_at: datetime


def failed_events(database: Database, limit: int = 100) -> list[FailedEvent]:
    """Those that are parked, the oldest first."""
    return _events(database, _failed().limit(limit))


def failed_event(database: Database, id: int) -> FailedEvent:
    """Raises NotFound where no failed event has this id."""
    found = _events(database, _failed().where(InboundRow.id == id)) if abs(id) <= LARGEST_ID else []
    if not found:
        raise NotFound(f"there is no failed event {id}")
    return found[0]


def unsent_messages(database: Database, limit: int = 100) -> list[UnsentMessage]:
    """The newest first: the older ones interest less and less."""
    query = (
        select(OutboxRow, ConversationRow.channel, ContactRow.phone)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
        .where(
            OutboxRow.due_at.is_(None),
            or_(OutboxRow.status == SendStatus.FAILED, OutboxRow.status == SendStatus.UNKNOWN),
        )
        .order_by(OutboxRow.id.desc())
        .limit(limit)
    )
    with database.reading() as session:
        return [
            UnsentMessage(
                id=row.id,
                conversation_id=row.conversation_id,
                channel=channel,
                phone=phone,
                status=row.status,
                code=row.code,
                reason=row.reason,
                attempts=row.attempts,
                created_at=row.created_at,
            )
            for row, channel, phone in session.execute(query)
        ]


def retry(database: Database, clock: Clock, ids: Sequence[int] | None = None) -> list[int]:
    """Let these wait for a turn again, all their tries before them; without `ids` every failed one.

    They run before what came later in their conversation and still waits. Raises NotFound, having
    changed nothing, where one of `ids` is no failed event.
    """
    return _change(database, ids, {"status": InboundStatus.PENDING, "due_at": clock.now(), "attempts": 0})


def drop(database: Database, clock: Clock, id: int) -> None:
    """Let this event be: it stays on record as dropped, with its error. Raises NotFound."""
    _change(database, [id], {"status": InboundStatus.DROPPED, "done_at": clock.now()})


def _failed() -> Select[InboundRow, str]:
    return (
        select(InboundRow, ContactRow.phone)
        .join(ConversationRow, ConversationRow.id == InboundRow.conversation_id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
        .where(InboundRow.status == InboundStatus.FAILED)
        .order_by(InboundRow.id)
    )


def _events(database: Database, query: Select[InboundRow, str]) -> list[FailedEvent]:
    with database.reading() as session:
        return [
            FailedEvent(
                id=row.id,
                conversation_id=row.conversation_id,
                channel=row.channel,
                phone=phone,
                origin=row.origin,
                payload=row.payload,
                attempts=row.attempts,
                error=row.error,
                received_at=row.received_at,
                failed_at=row.done_at,
            )
            for row, phone in session.execute(query)
        ]


def _change(database: Database, ids: Sequence[int] | None, values: dict[str, Any]) -> list[int]:
    statement = update(InboundRow).where(InboundRow.status == InboundStatus.FAILED).values(values)
    if ids is not None:
        statement = statement.where(InboundRow.id.in_([id for id in ids if abs(id) <= LARGEST_ID]))
    with database.transaction() as session:
        changed = sorted(session.scalars(statement.returning(InboundRow.id)))
        missing = sorted(set(ids or ()) - set(changed))
        if missing:
            raise NotFound(f"there is no failed event {', '.join(map(str, missing))}")
        session.commit()
        return changed
