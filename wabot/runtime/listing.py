"""What is on record, page by page and filtered: for whoever looks on from outside, as the HTTP API.

Each list has a model of what may be asked for, a subclass of `core.paging.Paged`.
"""

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Row, Select, exists, select
from sqlalchemy.orm import Session, defer

from wabot.core.database import Database
from wabot.core.paging import Id, Page, Paged, Phone, page
from wabot.core.tables import (
    ContactRow,
    ConversationRow,
    EffectRow,
    EffectStatus,
    TimerRow,
)
from wabot.engine.state import State
from wabot.errors import NotFound, StateError
from wabot.pipeline.flow import AGENT

OPEN = 100
"""How many open timers and effects of a conversation are shown with it."""


class Person(BaseModel):
    """A contact. `locale` is empty where nothing has set it."""

    id: int
    phone: str
    name: str
    locale: str
    created_at: datetime
    opted_out_at: datetime | None


class Conversation(BaseModel):
    """`held_at` is since when a person, `held_by`, has it; `agent` says that its flow waits for one."""

    id: int
    channel: str
    sender: str
    contact: Person
    flow: str
    agent: bool
    held_at: datetime | None
    held_by: str
    last_message_at: datetime | None
    created_at: datetime


class FlowState(BaseModel):
    """One flow of those that called each other: the states it is in, and its variables."""

    flow: str
    version: int
    states: list[str]
    variables: dict[str, Any]


class Timer(BaseModel):
    id: int
    conversation: int
    name: str
    due_at: datetime


class Effect(BaseModel):
    """Something that a flow asked for outside of the turn. One that a person finishes has no `due_at`."""

    id: int
    conversation: int
    name: str
    kind: str
    status: EffectStatus
    attempts: int
    created_at: datetime
    due_at: datetime | None
    done_at: datetime | None


class WholeConversation(Conversation):
    """With where it stands: its flows, the outermost first, and what they wait for. `status` is `new` before
    the flow has begun, `damaged` where what is stored can't be read."""

    status: str
    flows: list[FlowState]
    timers: list[Timer]
    effects: list[Effect]


class WholePerson(Person):
    conversations: list[Conversation]


class Conversations(Paged):
    phone: Phone | None = None
    channel: str | None = Field(default=None, max_length=32)
    sender: Phone | None = Field(default=None, description="our number")
    flow: str | None = Field(default=None, max_length=128)
    held: bool | None = Field(default=None, description="whether a person has it in hand")
    agent: bool | None = Field(default=None, description="whether its flow waits for a person")


class Contacts(Paged):
    phone: Phone | None = None
    name: str | None = Field(default=None, min_length=1, max_length=255, description="a part of the name")
    opted_out: bool | None = Field(default=None, description="whether it wants no messages of ours")


class Effects(Paged):
    conversation: Id | None = None
    kind: str | None = Field(default=None, max_length=128, description="`http`, `agent`, or a module's")
    status: EffectStatus | None = None


class Timers(Paged):
    conversation: Id | None = None


def conversations(database: Database, asked: Conversations) -> Page[Conversation]:
    query = _conversations()
    for column, value in (
        (ContactRow.phone, asked.phone),
        (ConversationRow.channel, asked.channel),
        (ConversationRow.sender, asked.sender),
        (ConversationRow.flow, asked.flow),
    ):
        if value is not None:
            query = query.where(column == value)
    if asked.held is not None:
        held = ConversationRow.held_at.is_not(None)
        query = query.where(held if asked.held else ~held)
    if asked.agent is not None:
        query = query.where(_waits() if asked.agent else ~_waits())
    with database.reading() as session:
        return page(session, query, ConversationRow.id, asked, _conversation)


def conversation(database: Database, id: int) -> WholeConversation:
    """One, with where it stands. Raises NotFound."""
    with database.reading() as session:
        row = session.execute(_conversations(whole=True).where(ConversationRow.id == id)).first()
        if row is None:
            raise NotFound(f"there is no conversation {id}")
        status, flows = _flows(row[0].state)
        timers = select(TimerRow).filter_by(conversation_id=id).order_by(TimerRow.due_at, TimerRow.id)
        effects = select(EffectRow).filter_by(conversation_id=id, status=EffectStatus.PENDING)
        return WholeConversation(
            **dict(_conversation(row)),
            status=status,
            flows=flows,
            timers=[_timer(each) for each in session.scalars(timers.limit(OPEN))],
            effects=[_effect(each) for each in session.scalars(effects.order_by(EffectRow.id).limit(OPEN))],
        )


def contacts(database: Database, asked: Contacts) -> Page[Person]:
    query = select(ContactRow)
    if asked.phone is not None:
        query = query.where(ContactRow.phone == asked.phone)
    if asked.name is not None:
        query = query.where(ContactRow.name.icontains(asked.name, autoescape=True))
    if asked.opted_out is not None:
        out = ContactRow.opted_out_at.is_not(None)
        query = query.where(out if asked.opted_out else ~out)
    with database.reading() as session:
        return page(session, query, ContactRow.id, asked, lambda row: _person(row[0]))


def contact(database: Database, id: int) -> WholePerson:
    """One, with its conversations. Raises NotFound."""
    with database.reading() as session:
        row = session.get(ContactRow, id)
        if row is None:
            raise NotFound(f"there is no contact {id}")
        query = _conversations().where(ConversationRow.contact_id == id).order_by(ConversationRow.id.desc())
        found = [_conversation(each) for each in session.execute(query.limit(OPEN))]
        return WholePerson(**dict(_person(row)), conversations=found)


def effects(database: Database, asked: Effects) -> Page[Effect]:
    query = select(EffectRow)
    if asked.conversation is not None:
        query = query.where(EffectRow.conversation_id == asked.conversation)
    if asked.kind is not None:
        query = query.where(EffectRow.kind == asked.kind)
    if asked.status is not None:
        query = query.where(EffectRow.status == asked.status)
    with database.reading() as session:
        return page(session, query, EffectRow.id, asked, lambda row: _effect(row[0]))


def timers(database: Database, asked: Timers) -> Page[Timer]:
    """Those that are open: one that fired is an event."""
    query = select(TimerRow)
    if asked.conversation is not None:
        query = query.where(TimerRow.conversation_id == asked.conversation)
    with database.reading() as session:
        return page(session, query, TimerRow.id, asked, lambda row: _timer(row[0]))


def exists_conversation(session: Session, id: int) -> None:
    """Raises NotFound where there is no conversation `id`."""
    if session.scalar(select(ConversationRow.id).where(ConversationRow.id == id)) is None:
        raise NotFound(f"there is no conversation {id}")


def _waits() -> ColumnElement[bool]:
    """Whether the conversation's flow waits for a person."""
    return exists().where(
        EffectRow.conversation_id == ConversationRow.id,
        EffectRow.kind == AGENT,
        EffectRow.status == EffectStatus.PENDING,
    )


def _conversations(*, whole: bool = False) -> Select[*tuple[Any, ...]]:
    query = select(ConversationRow, ContactRow, _waits().label("agent"))
    query = query.join(ContactRow, ContactRow.id == ConversationRow.contact_id)
    return query if whole else query.options(defer(ConversationRow.state, raiseload=True))


def _conversation(row: Row[*tuple[Any, ...]]) -> Conversation:
    conversation, contact, agent = row
    return Conversation(
        id=conversation.id,
        channel=conversation.channel,
        sender=conversation.sender,
        contact=_person(contact),
        flow=conversation.flow,
        agent=agent,
        held_at=conversation.held_at,
        held_by=conversation.held_by,
        last_message_at=conversation.last_message_at,
        created_at=conversation.created_at,
    )


def _flows(stored: str | None) -> tuple[str, list[FlowState]]:
    if stored is None:
        return "new", []
    try:
        state = State.from_json(json.loads(stored))
    except (StateError, ValueError):
        return "damaged", []
    frames = [
        FlowState(
            flow=frame.flow, version=frame.version, states=frame.configuration, variables=frame.variables
        )
        for frame in state.frames
    ]
    return state.status, frames


def _person(row: ContactRow) -> Person:
    return Person(
        id=row.id,
        phone=row.phone,
        name=row.name,
        locale=row.locale,
        created_at=row.created_at,
        opted_out_at=row.opted_out_at,
    )


def _timer(row: TimerRow) -> Timer:
    return Timer(id=row.id, conversation=row.conversation_id, name=row.name, due_at=row.due_at)


def _effect(row: EffectRow) -> Effect:
    return Effect(
        id=row.id,
        conversation=row.conversation_id,
        name=row.name,
        kind=row.kind,
        status=EffectStatus(row.status),
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        done_at=row.done_at,
    )
