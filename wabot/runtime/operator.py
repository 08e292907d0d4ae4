"""A person at work beside the flow: takes a conversation over, speaks in it, hands it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wabot.core.database import Database, lock
from wabot.core.messages import Outbound
from wabot.core.ports import Channel, Clock, Ids
from wabot.core.tables import (
    Category,
    ContactRow,
    ConversationRow,
    EffectRow,
    EffectStatus,
    InboundRow,
    InboundStatus,
    Origin,
    OutboxRow,
)
from wabot.errors import NotFound, SendError, Undeliverable
from wabot.pipeline.flow import AGENT
from wabot.pipeline.handover import HELD
from wabot.pipeline.turn import enqueue
from wabot.runtime.accept import insert_event, open_conversation
from wabot.runtime.policy import Leaving, Policy


def take_over(database: Database, clock: Clock, conversation_id: int, by: str = "") -> bool:
    """From now on the flow hears nothing; False where a person has it already. Raises NotFound.

    `by` is who takes it, to be shown. A turn that is at work ends first.
    """
    with database.transaction() as session:
        row = _locked(session, conversation_id)
        if row.held_at is not None:
            return False
        row.held_at, row.held_by = clock.now(), by[:255]
        session.commit()
        return True


def hand_back(database: Database, clock: Clock, ids: Ids, conversation_id: int, data: Any = None) -> bool:
    """The flow hears again; False where no person had the conversation. Raises NotFound.

    What timers and effects told meanwhile is told now; the contact's messages were the person's to answer. An
    `agent` that the flow waits for is done, with `data` (plain data) as its result.
    """
    now = clock.now()
    with database.transaction() as session:
        row = _locked(session, conversation_id)
        agents = _open_agents(session, conversation_id)
        if row.held_at is None and not agents:
            return False
        row.held_at, row.held_by = None, ""
        untold = update(InboundRow).where(
            InboundRow.conversation_id == conversation_id,
            InboundRow.status == InboundStatus.DONE,
            InboundRow.error == HELD,
            InboundRow.origin != Origin.MESSAGE,
        )
        again = {"status": InboundStatus.PENDING, "due_at": now, "done_at": None, "error": ""}
        session.execute(untold.values(again), execution_options={"synchronize_session": False})
        for agent in agents:
            agent.status, agent.result, agent.done_at = EffectStatus.DONE, data, now
            told = {"name": f"done.invoke.{agent.name}", "key": agent.key, "data": data}
            insert_event(session, Origin.RESULT, str(agent.id), conversation_id, told, ids.new(), now)
        session.commit()
        return True


def say(
    database: Database,
    clock: Clock,
    ids: Ids,
    conversation_id: int,
    message: Outbound,
    category: Category = Category.TRANSACTIONAL,
) -> int:
    """Put one message in the conversation's outbox; its id there. Raises NotFound."""
    with database.transaction() as session:
        id = _put(session, _locked(session, conversation_id), message, ids.new(), clock.now(), category).id
        session.commit()
        return id


@dataclass(frozen=True, slots=True)
class Address:
    """A contact's number, and the channel and our number by which it is written to."""

    phone: str
    channel: str
    sender: str


def send(
    database: Database,
    clock: Clock,
    ids: Ids,
    channels: Mapping[str, Channel],
    place: int | Address,
    message: Outbound,
) -> tuple[int, int]:
    """As `say`, where the message could leave now: its id in the outbox, and its conversation's.

    `place` is a conversation's id, or where one is begun unless it is there. Raises NotFound, and, having
    changed nothing, the SendError that the sender would end with.
    """
    now = clock.now()
    with database.transaction() as session:
        if isinstance(place, Address):
            place = open_conversation(session, place.channel, place.sender, place.phone, now)
        row = _locked(session, place)
        if row.channel not in channels:
            raise Undeliverable(f"there is no channel {row.channel}", code="no_channel")
        said = _put(session, row, message, ids.new(), now, Category.TRANSACTIONAL)
        contact = session.get_one(ContactRow, row.contact_id)
        leaving = Leaving(
            channel=row.channel,
            sender=row.sender,
            category=said.category,
            message=said.message,
            as_template=said.as_template,
            last_message_at=row.last_message_at,
            opted_out_at=contact.opted_out_at,
        )
        decided = Policy(channels)(leaving, now)
        if isinstance(decided, SendError):
            raise decided
        session.commit()
        return said.id, place


def _put(
    session: Session,
    conversation: ConversationRow,
    message: Outbound,
    reference: str,
    now: datetime,
    category: Category,
) -> OutboxRow:
    enqueue(session, conversation, message, reference, now, None, category)
    session.flush()
    return session.scalars(select(OutboxRow).where(OutboxRow.reference == reference)).one()


def latest_conversation(
    database: Database, phone: str, *, channel: str | None = None, sender: str | None = None
) -> int | None:
    """Where this contact wrote last, of the channel and our sender where they are given."""
    query = select(ConversationRow.id).join(ContactRow, ContactRow.id == ConversationRow.contact_id)
    query = query.where(ContactRow.phone == phone)
    if channel:
        query = query.where(ConversationRow.channel == channel)
    if sender:
        query = query.where(ConversationRow.sender == sender)
    # A conversation without a message of the contact comes last on every database.
    silent, last = ConversationRow.last_message_at.is_(None), ConversationRow.last_message_at.desc()
    with database.reading() as session:
        return session.scalars(query.order_by(silent, last, ConversationRow.id.desc()).limit(1)).one_or_none()


def _locked(session: Session, conversation_id: int) -> ConversationRow:
    row = lock(session, ConversationRow, conversation_id)
    if row is None:
        raise NotFound(f"there is no conversation {conversation_id}")
    return row


def _open_agents(session: Session, conversation_id: int) -> list[EffectRow]:
    """Locked: two that hand back at once finish each agent once."""
    query = select(EffectRow).where(
        EffectRow.conversation_id == conversation_id,
        EffectRow.kind == AGENT,
        EffectRow.status == EffectStatus.PENDING,
    )
    return list(session.scalars(query.order_by(EffectRow.id).with_for_update(key_share=True)))
