"""A person at work beside the flow: takes a conversation over, speaks in it, hands it back."""

from collections.abc import Mapping
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
from wabot.runtime.policy import Policy


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
    reference = ids.new()
    with database.transaction() as session:
        row = _locked(session, conversation_id)
        enqueue(session, row, message, reference, clock.now(), None, category)
        session.flush()
        id = session.scalars(select(OutboxRow.id).where(OutboxRow.reference == reference)).one()
        session.commit()
        return id


def refusal(
    database: Database,
    clock: Clock,
    channels: Mapping[str, Channel],
    conversation_id: int,
    message: Outbound,
) -> SendError | None:
    """Why this message would not leave if it were said now; None where it would. Raises NotFound.

    The sender decides once more when it is sent.
    """
    with database.reading() as session:
        row = session.get(ConversationRow, conversation_id)
        if row is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        if row.channel not in channels:
            return Undeliverable(f"there is no channel {row.channel}", code="no_channel")
        said = OutboxRow(
            conversation_id=conversation_id,
            category=Category.TRANSACTIONAL,
            message=message.model_dump(mode="json", exclude_defaults=True),
            as_template=False,
        )
        decided = Policy(channels)(session, said, clock.now())
        return decided if isinstance(decided, SendError) else None


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


def begin_conversation(database: Database, clock: Clock, phone: str, channel: str, sender: str) -> int:
    """The conversation of our `sender` with this number, made where there is none yet."""
    with database.transaction() as session:
        id = open_conversation(session, channel, sender, phone, clock.now())
        session.commit()
        return id


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
