"""Finds all work that is due from SQL alone, and does it."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from random import shuffle
from typing import Protocol

from sqlalchemy import bindparam, func, literal_column, select
from sqlalchemy.exc import SQLAlchemyError

from wabot.core.database import Database, UtcDateTime
from wabot.core.flag import Flag
from wabot.core.log import describe, get_logger
from wabot.core.statements import Prepared
from wabot.core.tables import EffectRow, InboundRow, OutboxRow, TimerRow
from wabot.errors import RecordError
from wabot.pipeline.compose import Pipeline
from wabot.pipeline.turn import Outcome, Turn
from wabot.pipeline.world import World
from wabot.runtime.effects import EffectOutcome, Effects
from wabot.runtime.fate import SendOutcome
from wabot.runtime.send import Sender
from wabot.runtime.timers import fire_due

BATCH = 200
TURNS = 20
"""Turns of one pass, before what they said is sent."""
ROUNDS = 1000
"""What a flow that never comes to rest (a timer of no length that starts itself) may cost one drain."""
LONGEST_PAUSE = 30.0

Stop = Callable[[], bool]
Ring = Callable[[int], None]


@dataclass(slots=True)
class Drained:
    """How much was done. `retried` turns will be tried again; `failed` ones were parked; `delayed`
    messages go later, `unsent` ones never, and of `unknown` ones the fate isn't known yet. `effects` have an
    answer, good or bad; `postponed` ones are tried again."""

    timers: int = 0
    turns: int = 0
    retried: int = 0
    failed: int = 0
    sent: int = 0
    delayed: int = 0
    unsent: int = 0
    unknown: int = 0
    effects: int = 0
    postponed: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def add(self, other: "Drained") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


_TURNS = {Outcome.DONE: "turns", Outcome.RETRY: "retried", Outcome.FAILED: "failed"}
_SENDS = {
    SendOutcome.SENT: "sent",
    SendOutcome.LATER: "delayed",
    SendOutcome.FAILED: "unsent",
    SendOutcome.UNKNOWN: "unknown",
}
_EFFECTS = {
    EffectOutcome.DONE: "effects",
    EffectOutcome.FAILED: "effects",
    EffectOutcome.LATER: "postponed",
}


class Sweep:
    """One pass over everything that is due, in this thread."""

    def __init__(
        self,
        world: World,
        pipeline: Pipeline,
        sender: Sender,
        effects: Effects | None = None,
        ring: Ring = lambda _: None,
    ) -> None:
        self._world = world
        self._pipeline = pipeline
        self._sender = sender
        self._effects = effects or Effects(world, {})
        self._ring = ring

    def drain(
        self, stop: Stop = lambda: False, patience: timedelta = timedelta(), *, effects: bool = True
    ) -> Drained:
        """Pass after pass until nothing is due, or `stop()` says so between two pieces of work.

        Raises, once the others are served, what came of a conversation whose row can't be read.
        """
        total = Drained()
        for _ in range(ROUNDS):
            done = self.once(stop, patience)
            if effects:
                done.add(self.run_effects(stop))
            total.add(done)
            if not done or stop():
                break
        return total

    def once(self, stop: Stop = lambda: False, patience: timedelta = timedelta()) -> Drained:
        """Fire due timers, give each conversation with something to do one turn, send what is due.

        What another process has in hand is passed over. Events younger than `patience` are left to
        whoever was rung for them.
        """
        world, done = self._world, Drained()
        fired = fire_due(world.database, world.clock, world.ids)
        done.timers = len(fired)
        overdue = due_conversations(world.database, world.clock.now() - patience)
        waiting = list(dict.fromkeys([*fired, *overdue]))
        broken: Exception | None = None
        turns = 0
        # Not all that wait, since answers go out after the turns; but all once a spoilt row ends the pass.
        while waiting and (turns < TURNS or broken is not None):
            if stop():
                return done
            turn = Turn(waiting.pop(0), wait=False)
            try:
                self._pipeline.run(turn)
            except (RecordError, SQLAlchemyError):
                raise
            except Exception as error:  # noqa: BLE001 - one spoilt row must not keep the others waiting
                broken = broken or error
            _count(done, _TURNS.get(turn.outcome))
            turns += turn.outcome is not Outcome.IDLE
            if turn.outcome is Outcome.IDLE:
                # Another worker goes through the same conversations: look for work elsewhere.
                shuffle(waiting)
        done.add(self.send(stop))
        if broken is not None:
            raise broken
        return done

    def serve(self, conversation_id: int, stop: Stop = lambda: False) -> Drained:
        """Turns of this conversation, until nothing waits in it or one of its events must be tried again."""
        done = Drained()
        while not stop():
            outcome = self._run(Turn(conversation_id))
            _count(done, _TURNS.get(outcome))
            if outcome not in (Outcome.DONE, Outcome.FAILED):
                break
        return done

    def send(self, stop: Stop = lambda: False) -> Drained:
        """Send what is due, of all conversations."""
        done = Drained()
        for outcome in self._sender.send_due(BATCH, stop):
            _count(done, _SENDS[outcome])
        return done

    def run_effects(self, stop: Stop = lambda: False) -> Drained:
        """Do what flows asked for outside of turns, and ring for each conversation that has an answer."""
        done = Drained()
        while not stop() and (ran := self._effects.run_next()) is not None:
            _count(done, _EFFECTS.get(ran.outcome))
            if _EFFECTS.get(ran.outcome) == "effects":
                self._ring(ran.conversation_id)
        return done

    def _run(self, turn: Turn) -> Outcome:
        self._pipeline.run(turn)
        return turn.outcome


def _count(done: Drained, name: str | None) -> None:
    if name:
        setattr(done, name, getattr(done, name) + 1)


_WAITING = Prepared(
    lambda _dialect: (
        select(InboundRow.conversation_id)
        .where(InboundRow.due_at <= bindparam("now", type_=UtcDateTime))
        .order_by(InboundRow.due_at, InboundRow.id)
        .limit(literal_column(str(BATCH)))
    )
)


def due_conversations(database: Database, now: datetime) -> list[int]:
    """The conversations whose events wait longest."""
    return list(dict.fromkeys(id for (id,) in database.rows(_WAITING, {"now": now})))


def next_due(database: Database, kinds: Collection[str] = ()) -> datetime | None:
    """When something will be due, or was: the earliest of events, messages, timers, and effects of these
    kinds."""
    with database.reading() as session:
        columns = (InboundRow.due_at, OutboxRow.due_at, TimerRow.due_at)
        times = [session.scalar(select(func.min(column))) for column in columns]
        if kinds:
            times.append(session.scalar(select(func.min(EffectRow.due_at)).where(EffectRow.kind.in_(kinds))))
    return min((time for time in times if time is not None), default=None)


class Drains(Protocol):
    def __call__(self, stop: Stop, /) -> object: ...


class Sweeper:
    """Drains whenever it is rung, and every `interval` seconds: its own bell, so a lost ring costs no more.

    `beside` are drained each in a thread of its own, as what waits for other servers. Whoever has done
    something rings the others. An error of the database ends none of them: it logs, waits longer and
    longer, and goes on.
    """

    def __init__(self, drain: Drains, interval: float = 1.0, beside: Sequence[Drains] = ()) -> None:
        self._lines = [(each, Flag()) for each in (drain, *beside)]
        self._interval = interval
        self._stopped = Flag()
        self._thread: threading.Thread | None = None

    def ring(self, conversation_id: int) -> None:
        self._ring_all()

    def start(self) -> None:
        """Sweep in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="wabot-sweeper")
        self._thread.start()

    def run(self) -> None:
        """Sweep in this thread until `stop` is called from elsewhere, or from a signal's handler."""
        (drain, bell), *beside = self._lines
        threads = [threading.Thread(target=self._keep, args=line, name="wabot-beside") for line in beside]
        for thread in threads:
            thread.start()
        self._keep(drain, bell)
        for thread in threads:
            thread.join()

    def _keep(self, drain: Drains, bell: Flag) -> None:
        failures = 0
        while not self._stopped.is_set():
            bell.clear()
            try:
                if drain(self._stopped.is_set):
                    self._ring_all(but=bell)
                failures = 0
            except Exception as error:  # noqa: BLE001 - the database may come back; the work is still there
                failures += 1
                get_logger().error("sweep", failures=failures, **describe(error))
            if not self._stopped.is_set():
                bell.wait(min(self._interval * 2**failures, LONGEST_PAUSE) if failures else self._interval)

    def _ring_all(self, but: Flag | None = None) -> None:
        for _, bell in self._lines:
            if bell is not but:
                bell.set()

    def stop(self, timeout: float | None = 30.0) -> bool:
        """End after the piece of work in hand; whether it ended within `timeout` seconds."""
        self._stopped.set()
        self._ring_all()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()
