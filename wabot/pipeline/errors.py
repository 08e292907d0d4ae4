"""The middleware that answers for a turn that failed: counted, tried again, and in the end parked."""

import traceback

from sqlalchemy import exists, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from wabot.core.database import lock
from wabot.core.log import describe, get_logger
from wabot.core.messages import Outbound
from wabot.core.tables import ConversationRow, InboundRow, InboundStatus, Origin, OutboxRow
from wabot.errors import ConfigurationError, TurnError
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Outcome, Received, Turn, enqueue
from wabot.pipeline.world import World

APOLOGY = "wabot.apology"


def make_errors(world: World) -> Middleware:
    """A turn that raises was rolled back by the session. Here its event's attempt is counted in a
    transaction of its own; after `world.tries` it is parked as failed with its error, the contact
    gets the apology once, be the event tried again later, and the conversation goes on with its next.

    The same event meets the same state again, so an error that says so itself (TurnError,
    ConfigurationError) is parked at once. Any other may have come from outside, such as a deadlock.
    """

    def errors(turn: Turn, call_next: CallNext) -> None:
        try:
            call_next()
        except Exception as error:
            if turn.received is None or _lost_connection(error):
                raise  # The database itself failed, and that is no fault of the event.
            turn.error = error
            turn.step = None
            turn.outcome = _record(world, turn, turn.received, error)

    return errors


def _lost_connection(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _record(world: World, turn: Turn, received: Received, error: Exception) -> Outcome:
    now = world.clock.now()
    with world.database.transaction() as session:
        conversation = lock(session, ConversationRow, turn.conversation_id)
        row = session.get_one(InboundRow, received.id)
        if conversation is None or row.status != InboundStatus.PENDING:
            return Outcome.DROPPED
        row.attempts += 1
        row.error = "".join(traceback.format_exception(error))
        hopeless = isinstance(error, TurnError | ConfigurationError)
        parked = hopeless or row.attempts >= world.tries
        if parked:
            row.status, row.due_at, row.done_at = InboundStatus.FAILED, None, now
            # Nobody waits for what a timer does, so it fails without a word to the contact.
            told = received.origin is Origin.TIMER or _has_apology(session, row.id)
            message = None if told else _apology(world, turn)
            if message:
                enqueue(session, conversation, message, world.ids.new(), now, row.id)
        session.commit()
    return Outcome.FAILED if parked else Outcome.RETRY


def _has_apology(session: Session, inbound_id: int) -> bool:
    """Whether it failed before: a turn that fails leaves no message but the apology."""
    return session.scalar(select(exists().where(OutboxRow.inbound_id == inbound_id))) is True


def _apology(world: World, turn: Turn) -> Outbound | None:
    locale = turn.locale or world.business.locale
    try:
        text = world.texts.find(APOLOGY, locale).render(world.scope(turn.contact, locale))
    except TurnError as error:
        get_logger().error("apology", **describe(error))
        return None
    return Outbound(text=text)
