"""The innermost middleware: the engine runs the event, and what it asks of the world is written down."""

from typing import Any

from wabot.core.log import get_logger
from wabot.core.tables import EffectStatus
from wabot.engine.effects import CancelInvoke, CancelTimer, Effect, Log, Say, StartInvoke, StartTimer
from wabot.engine.step import Context, Step
from wabot.pipeline.call import OpenCall
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.record import CANCEL_EFFECT, DELETE_TIMER, INSERT_EFFECT, INSERT_TIMER
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
    flow, counter = world.flow_of(work.taken.sender), work.taken.counter
    return world.engine.start(flow, context, message=received.message, counter=counter)


def _received(turn: Turn) -> Received:
    assert turn.received is not None  # noqa: S101 - the session began the turn with it
    return turn.received


def _context(world: World, turn: Turn) -> Context:
    state, contact = turn.work.state, turn.contact
    assert contact is not None  # noqa: S101 - the session began the turn with it
    if state is not None and state.locale:
        turn.locale = state.locale
    call = OpenCall(world, turn=turn)
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


def _remember_locale(turn: Turn, step: Step) -> None:
    if step.state.locale and turn.contact and step.state.locale != turn.contact.locale:
        turn.work.taken.locale = step.state.locale
    turn.locale = step.state.locale or turn.locale


def _write(world: World, turn: Turn, effect: Effect) -> None:
    work, received = turn.work, _received(turn)
    run = work.transaction.run
    match effect:
        case Say():
            work.enqueue(effect.message, world.ids.new(), received.id)
        case StartTimer():
            timer = {"key": effect.key, "name": effect.id, "due_at": work.now + effect.delay}
            run(INSERT_TIMER, {"conversation_id": turn.conversation_id, **timer})
        case CancelTimer():
            run(DELETE_TIMER, {"conversation_id": turn.conversation_id, "key": effect.key})
        case StartInvoke():
            run(INSERT_EFFECT, _effect_row(turn, effect, received))
        case CancelInvoke():
            gone = {"conversation": turn.conversation_id, "effect_key": effect.key, "done_at": work.now}
            run(CANCEL_EFFECT, gone)
        case Log():
            get_logger().info("flow", label=effect.label, value=str(effect.value))


def _effect_row(turn: Turn, effect: StartInvoke, received: Received) -> dict[str, Any]:
    return {
        "conversation_id": turn.conversation_id,
        "inbound_id": received.id,
        "key": effect.key,
        "name": effect.id,
        "kind": effect.kind,
        "arguments": effect.arguments,
        "status": EffectStatus.PENDING,
        "attempts": 0,
        "created_at": turn.work.now,
        "due_at": None if effect.kind == AGENT else turn.work.now,
    }
