"""What is on record, to show and to test. The rows given are loose from the database."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from wabot.core.database import Database, Row, lock
from wabot.core.media import MEDIA
from wabot.core.module import Contact
from wabot.core.ports import Clock
from wabot.core.tables import (
    ContactRow,
    ConversationRow,
    EffectRow,
    EffectStatus,
    InboundRow,
    InboundStatus,
    OutboxRow,
    TimerRow,
)
from wabot.engine.state import State
from wabot.errors import NotFound

RESET = "reset"
"""What `inbound.error` says of an event that a reset dropped."""


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as it stands. `state` is None before its flow, the outermost one, has begun."""

    id: int
    channel: str
    sender: str
    contact: Contact
    flow: str
    state: State | None
    version: int
    last_message_at: datetime | None


def conversations(
    database: Database,
    *,
    phone: str | None = None,
    channel: str | None = None,
    sender: str | None = None,
    locale: str = "en",
    limit: int = 1000,
) -> list[ConversationView]:
    """The conversations that fit, the oldest first; `locale` is a contact's who has none of its own."""
    query = select(ConversationRow, ContactRow).join(ContactRow, ContactRow.id == ConversationRow.contact_id)
    if phone is not None:
        query = query.where(ContactRow.phone == phone)
    if channel is not None:
        query = query.where(ConversationRow.channel == channel)
    if sender is not None:
        query = query.where(ConversationRow.sender == sender)
    with database.reading() as session:
        return [
            _view(*row, locale) for row in session.execute(query.order_by(ConversationRow.id).limit(limit))
        ]


def _view(row: ConversationRow, contact: ContactRow, locale: str) -> ConversationView:
    return ConversationView(
        id=row.id,
        channel=row.channel,
        sender=row.sender,
        contact=Contact(contact.id, contact.phone, contact.name, contact.locale or locale),
        flow=row.flow,
        state=State.from_json(json.loads(row.state)) if row.state else None,
        version=row.version,
        last_message_at=row.last_message_at,
    )


def contact(session: Session, phone: str, locale: str) -> Contact:
    """Raises NotFound for a number that never wrote and was never imported."""
    row = session.scalars(select(ContactRow).where(ContactRow.phone == phone)).one_or_none()
    if row is None:
        raise NotFound(f"there is no contact {phone}")
    return Contact(row.id, row.phone, row.name, row.locale or locale)


def events(database: Database, conversation_id: int) -> Sequence[InboundRow]:
    """Everything that happened to a conversation, in order."""
    return _all(
        database, select(InboundRow).filter_by(conversation_id=conversation_id).order_by(InboundRow.id)
    )


def outbox(database: Database, conversation_id: int) -> Sequence[OutboxRow]:
    """Everything said to the contact, in order."""
    return _all(
        database, select(OutboxRow).filter_by(conversation_id=conversation_id).order_by(OutboxRow.position)
    )


def timers(database: Database, conversation_id: int) -> Sequence[TimerRow]:
    """The timers that are open, the next one first."""
    query = select(TimerRow).filter_by(conversation_id=conversation_id)
    return _all(database, query.order_by(TimerRow.due_at, TimerRow.id))


def effects(database: Database, conversation_id: int, *, pending: bool = False) -> Sequence[EffectRow]:
    """What the conversation asked for outside the turn, in order; with `pending` what is still open."""
    query = select(EffectRow).filter_by(conversation_id=conversation_id).order_by(EffectRow.id)
    if pending:
        query = query.where(EffectRow.status == EffectStatus.PENDING)
    return _all(database, query)


def _all(database: Database, query: Select[Row]) -> Sequence[Row]:
    with database.reading() as session:
        return session.scalars(query).all()


def reset(database: Database, clock: Clock, conversation_id: int) -> None:
    """Forget where the conversation is: its next message starts the flow anew.

    Open timers and effects are dropped, and so are the events that wait. What was said and done stays.
    """
    now = clock.now()
    with database.transaction() as session:
        row = lock(session, ConversationRow, conversation_id)
        if row is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        row.state, row.version = None, row.version + 1
        _drop_open(session, conversation_id, now)
        waiting = (InboundRow.conversation_id == conversation_id, InboundRow.due_at.is_not(None))
        dropped = {"status": InboundStatus.DONE, "due_at": None, "done_at": now, "error": RESET}
        session.execute(update(InboundRow).where(*waiting).values(dropped))
        session.commit()


def _drop_open(session: Session, conversation_id: int, now: datetime) -> None:
    """Delete the conversation's timers and cancel its effects, but for the fetching of its files."""
    session.execute(delete(TimerRow).where(TimerRow.conversation_id == conversation_id))
    pending = (
        EffectRow.conversation_id == conversation_id,
        EffectRow.status == EffectStatus.PENDING,
        EffectRow.kind != MEDIA,
    )
    cancelled = {"status": EffectStatus.CANCELLED, "due_at": None, "done_at": now}
    session.execute(update(EffectRow).where(*pending).values(cancelled))
