"""The middleware that opens the turn's transaction, takes the oldest event and commits it all."""

import json
from dataclasses import replace

import structlog

from wabot.core.faults import crash_point
from wabot.core.json import loads
from wabot.core.messages import Inbound
from wabot.core.module import Contact
from wabot.core.tables import Origin
from wabot.engine.state import State
from wabot.engine.step import Event
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.record import Taken, save, take
from wabot.pipeline.turn import Outcome, Received, Turn, Work
from wabot.pipeline.world import World


def make_session(world: World) -> Middleware:
    """Everything further in happens in one transaction: it commits with the event done, or not at all."""

    def session(turn: Turn, call_next: CallNext) -> None:
        with world.database.turn() as transaction:
            now = world.clock.now()
            taken = take(transaction, turn.conversation_id, wait=turn.wait)
            if taken is None:
                return
            # First without its event: so that one that can't be read can be parked.
            turn.received = received = _received(taken)
            turn.received = received = replace(received, event=_event(taken))
            structlog.contextvars.bind_contextvars(correlation=received.correlation)
            _greet(taken, received)
            work = Work(transaction, turn.conversation_id, taken, None, now)
            turn.begin(work, received, _contact(taken, world.business.locale))
            try:
                work.state = _state(taken)
                call_next()
                _write(work)
            finally:
                turn.end()
            crash_point("turn.before_commit")
            transaction.commit()
        crash_point("turn.after_commit")
        turn.outcome = Outcome.DONE

    return session


def _received(taken: Taken) -> Received:
    return Received(
        taken.inbound_id, Origin(taken.origin), taken.correlation, taken.attempts, taken.received_at, Event()
    )


def _event(taken: Taken) -> Event:
    payload = loads(taken.payload)
    if taken.origin == Origin.MESSAGE:
        return Event(message=Inbound.model_validate(payload))
    return Event(name=payload["name"], data=payload.get("data"), key=payload["key"])


def _greet(taken: Taken, received: Received) -> None:
    """What a message tells of its writer: a name, if none is known, and that the window is open."""
    if received.message is None:
        return
    taken.last_message_at = received.received_at
    if not taken.name:
        taken.name = received.message.name[:255]


def _contact(taken: Taken, locale: str) -> Contact:
    return Contact(taken.contact_id, taken.phone, taken.name, taken.locale or locale)


def _state(taken: Taken) -> State | None:
    return State.from_json(json.loads(taken.state)) if taken.state else None


def _write(work: Work) -> None:
    taken, state = work.taken, work.state
    taken.version += 1
    if state is not None:
        taken.state = json.dumps(state.to_json(), ensure_ascii=False, separators=(",", ":"))
        taken.flow = state.frames[0].flow if state.frames else ""
        taken.counter = max(taken.counter, state.counter)
    save(work.transaction, work.conversation_id, taken, work.now)
