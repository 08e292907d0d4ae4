"""The innermost middleware: the engine runs the event, and what it asks of the world is written down."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wabot.core.log import get_logger
from wabot.core.media import MEDIA
from wabot.core.tables import ContactRow, EffectRow, EffectStatus, TimerRow
from wabot.engine.effects import CancelInvoke, CancelTimer, Effect, Log, Say, StartInvoke, StartTimer
from wabot.engine.step import Context, Step
from wabot.pipeline.call import OpenCall
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Received, Turn
from wabot.pipeline.world import World, contact_data

AGENT = "agent"


def make_flow(world: World) -> Middleware:
    """Starts the sender's flow with the first message, and anew with the next one after it has ended.

    What a timer or an effect tells a conversation that has ended is dropped.
    """

    def flow(turn: Turn, call_next: CallNext) -> None:
        step = _run(world, turn)
        if step is not None:
            turn.step = step
            turn.work.state = step.state
            _remember_locale(turn, step)
            for effect in step.effects:
                _write(world, turn, effect)
        call_next()

    return flow


def _run(world: World, turn: Turn) -> Step | None:
    work, received = turn.work, _received(turn)
    context = _context(world, turn)
    if work.state is not None and work.state.status == "running":
        return world.engine.handle(work.state, received.event, context)
    if received.message is None:
        return None
    if work.conversation.version:
        drop_open(work.session, turn.conversation_id, work.now)
    flow, counter = world.flow_of(work.conversation.sender), work.conversation.counter
    return world.engine.start(flow, context, message=received.message, counter=counter)


def _received(turn: Turn) -> Received:
    assert turn.received is not None  # noqa: S101 - the session began the turn with it
    return turn.received


def _context(world: World, turn: Turn) -> Context:
    state, contact = turn.work.state, turn.contact
    assert contact is not None  # noqa: S101 - the session began the turn with it
    if state is not None and state.locale:
        turn.locale = state.locale
    call = OpenCall(world, turn.work.session, turn=turn)
    return Context(
        now=world.local(turn.work.now),
        locale=turn.locale,
        currency=world.business.currency,
        contact=contact_data(contact, turn.locale),
        business=world.business.as_data(),
        commands=call,
        said=call.said,
        trace=turn.trace,
    )


def drop_open(session: Session, conversation_id: int, now: datetime) -> None:
    """Delete the conversation's timers and cancel its effects, but for the fetching of its files."""
    session.execute(delete(TimerRow).where(TimerRow.conversation_id == conversation_id))
    pending = (
        EffectRow.conversation_id == conversation_id,
        EffectRow.status == EffectStatus.PENDING,
        EffectRow.kind != MEDIA,
    )
    cancelled = {"status": EffectStatus.CANCELLED, "due_at": None, "done_at": now}
    session.execute(update(EffectRow).where(*pending).values(cancelled))


def _remember_locale(turn: Turn, step: Step) -> None:
    if step.state.locale and turn.contact and step.state.locale != turn.contact.locale:
        turn.work.session.get_one(ContactRow, turn.contact.id).locale = step.state.locale
    turn.locale = step.state.locale or turn.locale


def _write(world: World, turn: Turn, effect: Effect) -> None:
    work, received = turn.work, _received(turn)
    match effect:
        case Say():
            work.enqueue(effect.message, world.ids.new(), received.id)
        case StartTimer():
            work.session.add(
                TimerRow(
                    conversation_id=turn.conversation_id,
                    key=effect.key,
                    name=effect.id,
                    due_at=work.now + effect.delay,
                )
            )
        case CancelTimer():
            timers = select(TimerRow).filter_by(conversation_id=turn.conversation_id, key=effect.key)
            for timer in work.session.scalars(timers):
                work.session.delete(timer)
        case StartInvoke():
            work.session.add(_effect_row(turn, effect, received))
        case CancelInvoke():
            effects = select(EffectRow).filter_by(conversation_id=turn.conversation_id, key=effect.key)
            for row in work.session.scalars(effects):
                if row.status == EffectStatus.PENDING:
                    row.status, row.due_at, row.done_at = EffectStatus.CANCELLED, None, work.now
        case Log():
            get_logger().info("flow", label=effect.label, value=str(effect.value))


def _effect_row(turn: Turn, effect: StartInvoke, received: Received) -> EffectRow:
    return EffectRow(
        conversation_id=turn.conversation_id,
        inbound_id=received.id,
        key=effect.key,
        name=effect.id,
        kind=effect.kind,
        arguments=effect.arguments,
        created_at=turn.work.now,
        due_at=None if effect.kind == AGENT else turn.work.now,
    )
