"""What a contact and we said to each other, what became of it, and the events that failed: page by page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from wabot.core.database import Database
from wabot.core.messages import Inbound, Outbound
from wabot.core.paging import LARGEST_ID, MOST, Id, Moment, Page, Paged, Phone, page
from wabot.core.tables import (
    Category,
    ContactRow,
    ConversationRow,
    InboundRow,
    InboundStatus,
    Origin,
    OutboxRow,
    SendStatus,
)
from wabot.errors import NotFound
from wabot.pipeline.handover import HELD
from wabot.pipeline.ratelimit import LIMITED
from wabot.runtime.listing import exists_conversation
from wabot.runtime.queries import RESET

IN, OUT = "in", "out"
_NOTES = {HELD: "held", LIMITED: "limited", RESET: "reset"}

Model = TypeVar("Model", bound=BaseModel)


class Said(BaseModel):
    """One message of either side; exactly one of `received` and `sent` is set, unless what is stored can't be
    read. `note` says why no flow heard it (`held`, `limited`, `reset`), or why it didn't leave."""

    id: str = Field(examples=["in-12", "out-7"])
    direction: Literal["in", "out"]
    at: datetime
    status: str
    receipt: str
    note: str
    received: Inbound | None
    sent: Outbound | None


class Talk(BaseModel):
    """`next` is the `after` of the next page; null on the last one."""

    items: list[Said]
    next: str | None = None


class Messages(BaseModel):
    """Which page of a conversation's messages is asked for: the newest first."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    limit: int = Field(default=50, ge=1, le=MOST)
    after: str | None = Field(
        default=None,
        pattern=r"^(in|out)-[1-9][0-9]{0,18}$",
        description="go on after this one: `next` of the page before",
    )
    direction: Literal["in", "out"] | None = None
    from_: Moment | None = Field(default=None, alias="from", description="then or later")
    to: Moment | None = Field(default=None, description="before then")


class Outgoing(BaseModel):
    """A message to a contact and what became of it. `status` is ours, `receipt` the provider's.

    `code` and `reason` say why it didn't leave. `message` is null where what is stored can't be read.
    """

    id: int
    conversation: int
    channel: str
    sender: str
    phone: str
    category: Category
    status: SendStatus
    receipt: str
    code: str
    reason: str
    attempts: int
    provider_id: str | None
    created_at: datetime
    due_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    message: Outbound | None


class Outbox(Paged):
    conversation: Id | None = None
    phone: Phone | None = None
    status: SendStatus | None = None
    unsent: bool | None = Field(
        default=None, description="whether it has not left: it waits, has failed, or nobody knows"
    )
    category: Category | None = None
    code: str | None = Field(
        default=None, max_length=32, description="why it didn't leave: `opted_out`, 63016"
    )
    from_: Moment | None = Field(default=None, alias="from", description="written then or later")
    to: Moment | None = Field(default=None, description="written before")


class Failed(Paged):
    conversation: Id | None = None
    phone: Phone | None = None


class FailedEvent(BaseModel):
    """An event whose turn failed. `payload` holds what came in, `reason` the error's own line."""

    id: int
    conversation: int
    channel: str
    phone: str
    origin: Origin
    payload: Any
    attempts: int
    reason: str
    received_at: datetime
    failed_at: datetime | None


class WholeFailedEvent(FailedEvent):
    """With the traceback."""

    error: str


def messages(database: Database, conversation_id: int, asked: Messages) -> Talk:
    """The newest first. Raises NotFound where there is no such conversation, and for an `after` that isn't
    a message of it."""
    with database.reading() as session:
        exists_conversation(session, conversation_id)
        start = _start(session, conversation_id, asked.after) if asked.after else None
        found: list[tuple[tuple[datetime, str, int], Said]] = []
        if asked.direction != OUT:
            found += [_received(row) for row in session.scalars(_inbound(conversation_id, asked, start))]
        if asked.direction != IN:
            found += [_sent(row) for row in session.scalars(_outbound(conversation_id, asked, start))]
    # "out" sorts after "in": an answer of the same moment is the newer one.
    found.sort(key=lambda each: each[0], reverse=True)
    items = [said for _, said in found[: asked.limit]]
    return Talk(items=items, next=items[-1].id if len(found) > asked.limit else None)


def outbox(database: Database, asked: Outbox) -> Page[Outgoing]:
    query = _outbox()
    for column, value in (
        (OutboxRow.conversation_id, asked.conversation),
        (ContactRow.phone, asked.phone),
        (OutboxRow.status, asked.status),
        (OutboxRow.category, asked.category),
        (OutboxRow.code, asked.code),
    ):
        if value is not None:
            query = query.where(column == value)
    if asked.unsent is not None:
        left = OutboxRow.status == SendStatus.SENT
        query = query.where(~left if asked.unsent else left)
    if asked.from_ is not None:
        query = query.where(OutboxRow.created_at >= asked.from_)
    if asked.to is not None:
        query = query.where(OutboxRow.created_at < asked.to)
    with database.reading() as session:
        return page(session, query, OutboxRow.id, asked, _outgoing)


def sent(database: Database, id: int) -> Outgoing:
    """One message of the outbox. Raises NotFound."""
    with database.reading() as session:
        row = session.execute(_outbox().where(OutboxRow.id == id)).first()
        if row is None:
            raise NotFound(f"there is no message {id}")
        return _outgoing(row)


def failed_events(database: Database, asked: Failed) -> Page[FailedEvent]:
    """Those that are parked, the newest first."""
    query = _failed()
    if asked.conversation is not None:
        query = query.where(InboundRow.conversation_id == asked.conversation)
    if asked.phone is not None:
        query = query.where(ContactRow.phone == asked.phone)
    with database.reading() as session:
        return page(session, query, InboundRow.id, asked, lambda row: FailedEvent(**_event(row)))


def failed_event(database: Database, id: int) -> WholeFailedEvent:
    """Raises NotFound where no failed event has this id."""
    with database.reading() as session:
        row = session.execute(_failed().where(InboundRow.id == id)).first()
        if row is None:
            raise NotFound(f"there is no failed event {id}")
        return WholeFailedEvent(**_event(row), error=row[0].error)


def read(model: type[Model], data: Any) -> Model | None:
    """Stored `data` as `model`; None where it isn't one: a spoilt row must not hide the others."""
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


_Start = tuple[datetime, str, int]


def _start(session: Session, conversation_id: int, after: str) -> _Start:
    """Where the message `after` stands: when, which way, and its id."""
    way, _, number = after.partition("-")
    id, model, at = int(number), InboundRow, InboundRow.received_at
    if way == OUT:
        model, at = OutboxRow, OutboxRow.created_at  # type: ignore[assignment]
    query = select(at).where(model.id == min(id, LARGEST_ID), model.conversation_id == conversation_id)
    moment = session.scalar(query)
    if moment is None:
        raise NotFound(f"there is no message {after} in the conversation {conversation_id}")
    return moment, way, id


def _inbound(conversation_id: int, asked: Messages, start: _Start | None) -> Select[InboundRow]:
    query = select(InboundRow).filter_by(conversation_id=conversation_id, origin=Origin.MESSAGE)
    at, id = InboundRow.received_at, InboundRow.id
    return (
        query.where(*_between(IN, at, id, asked, start)).order_by(at.desc(), id.desc()).limit(asked.limit + 1)
    )


def _outbound(conversation_id: int, asked: Messages, start: _Start | None) -> Select[OutboxRow]:
    query = select(OutboxRow).filter_by(conversation_id=conversation_id)
    at, id = OutboxRow.created_at, OutboxRow.id
    return (
        query.where(*_between(OUT, at, id, asked, start))
        .order_by(at.desc(), id.desc())
        .limit(asked.limit + 1)
    )


def _between(
    way: str,
    at: InstrumentedAttribute[datetime],
    id: InstrumentedAttribute[int],
    asked: Messages,
    start: _Start | None,
) -> Sequence[ColumnElement[bool]]:
    """What is asked for, of those before `start` in the order of (when, which way, id)."""
    wanted: list[ColumnElement[bool]] = []
    if asked.from_ is not None:
        wanted.append(at >= asked.from_)
    if asked.to is not None:
        wanted.append(at < asked.to)
    if start is not None:
        moment, its_way, its_id = start
        if way == its_way:
            wanted.append(or_(at < moment, and_(at == moment, id < its_id)))
        else:
            wanted.append(at <= moment if way < its_way else at < moment)
    return wanted


def _received(row: InboundRow) -> tuple[_Start, Said]:
    return (row.received_at, IN, row.id), Said(
        id=f"{IN}-{row.id}",
        direction="in",
        at=row.received_at,
        status=row.status,
        receipt="",
        note=_NOTES.get(row.error, ""),
        received=read(Inbound, row.payload),
        sent=None,
    )


def _sent(row: OutboxRow) -> tuple[_Start, Said]:
    return (row.created_at, OUT, row.id), Said(
        id=f"{OUT}-{row.id}",
        direction="out",
        at=row.created_at,
        status=row.status,
        receipt=row.receipt,
        note=row.reason or row.code,
        received=None,
        sent=read(Outbound, row.message),
    )


def _failed() -> Select[*tuple[Any, ...]]:
    return (
        select(InboundRow, ContactRow.phone)
        .join(ConversationRow, ConversationRow.id == InboundRow.conversation_id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
        .where(InboundRow.status == InboundStatus.FAILED)
    )


def _event(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    event, phone = row
    lines = event.error.strip().splitlines()
    return {
        "id": event.id,
        "conversation": event.conversation_id,
        "channel": event.channel,
        "phone": phone,
        "origin": event.origin,
        "payload": event.payload,
        "attempts": event.attempts,
        "reason": lines[-1] if lines else "",
        "received_at": event.received_at,
        "failed_at": event.done_at,
    }


def _outbox() -> Select[*tuple[Any, ...]]:
    return (
        select(OutboxRow, ConversationRow.channel, ConversationRow.sender, ContactRow.phone)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
    )


def _outgoing(row: Row[*tuple[Any, ...]]) -> Outgoing:
    message, channel, sender, phone = row
    same = {name: getattr(message, name) for name in Outgoing.model_fields if hasattr(message, name)}
    here = {"conversation": message.conversation_id, "channel": channel, "sender": sender, "phone": phone}
    return Outgoing.model_validate({**same, **here, "message": read(Outbound, message.message)})
