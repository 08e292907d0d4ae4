"""The middleware that opens the turn's transaction, takes the oldest event and commits it all."""

import json
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wabot.core.database import lock
from wabot.core.faults import crash_point
from wabot.core.messages import Inbound
from wabot.core.module import Contact
from wabot.core.tables import ContactRow, ConversationRow, InboundRow, InboundStatus, Origin
from wabot.engine.state import State
from wabot.engine.step import Event
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Outcome, Received, Turn, Work
from wabot.pipeline.world import World

_OLDEST = (
    select(InboundRow, ContactRow)
    .join(ConversationRow, ConversationRow.id == InboundRow.conversation_id)
    .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
    .where(InboundRow.conversation_id == bindparam("id"), InboundRow.due_at.is_not(None))
    .order_by(InboundRow.id)
    .limit(1)
    .with_for_update(of=ContactRow, key_share=True)
)


def make_session(world: World) -> Middleware:
    """Everything further in happens in one transaction: it commits with the event done, or not at all."""

    def session(turn: Turn, call_next: CallNext) -> None:
        with world.database.transaction() as db:
            now = world.clock.now()
            conversation = lock(db, ConversationRow, turn.conversation_id, wait=turn.wait)
            found = oldest(db, conversation) if conversation is not None else None
            if conversation is None or found is None:
                return
            row, contact = found
            # First without its event: so that one that can't be read can be parked.
            turn.received = received = _received(row)
            turn.received = received = replace(received, event=_event(row))
            structlog.contextvars.bind_contextvars(correlation=received.correlation)
            _greet(conversation, contact, received)
            turn.begin(Work(db, conversation, None, now), received, _contact(contact, world.business.locale))
            try:
                turn.work.state = _state(conversation)
                call_next()
                _write(turn.work, row, now)
            finally:
                turn.end()
            crash_point("turn.before_commit")
            db.commit()
        crash_point("turn.after_commit")
        turn.outcome = Outcome.DONE

    return session


def oldest(session: Session, conversation: ConversationRow) -> tuple[InboundRow, ContactRow] | None:
    """The conversation's next event, and its contact: read once the conversation is locked.

    Read by a statement of its own: one that waits for a lock still sees the events of before it waited.
    The contact is locked before anything else is: so two turns with one contact, each in a conversation
    of its own, don't wait for each other in a ring.
    """
    found = session.execute(_OLDEST, {"id": conversation.id}).first()
    return (found[0], found[1]) if found else None


def _received(row: InboundRow) -> Received:
    return Received(row.id, Origin(row.origin), row.correlation, row.attempts, row.received_at, Event())


def _event(row: InboundRow) -> Event:
    if row.origin == Origin.MESSAGE:
        return Event(message=Inbound.model_validate(row.payload))
    return Event(name=row.payload["name"], data=row.payload.get("data"), key=row.payload["key"])


def _greet(conversation: ConversationRow, contact: ContactRow, received: Received) -> None:
    """What a message tells of its writer: a name, if none is known, and that the window is open."""
    if received.message is None:
        return
    conversation.last_message_at = received.received_at
    if not contact.name:
        contact.name = received.message.name[:255]


def _contact(row: ContactRow, locale: str) -> Contact:
    return Contact(id=row.id, phone=row.phone, name=row.name, locale=row.locale or locale)


def _state(conversation: ConversationRow) -> State | None:
    return State.from_json(json.loads(conversation.state)) if conversation.state else None


def _write(work: Work, row: InboundRow, now: datetime) -> None:
    conversation, state = work.conversation, work.state
    conversation.version += 1
    if state is not None:
        text = json.dumps(state.to_json(), ensure_ascii=False, separators=(",", ":"))
        conversation.state, conversation.flow = text, state.frames[0].flow if state.frames else ""
        conversation.counter = max(conversation.counter, state.counter)
    row.status, row.due_at, row.done_at = InboundStatus.DONE, None, now
