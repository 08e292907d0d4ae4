"""Finds all work that is due from SQL alone, and does it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from wabot.core.database import Database
from wabot.core.log import describe, get_logger
from wabot.core.tables import InboundRow, OutboxRow, TimerRow
from wabot.errors import RecordError
from wabot.pipeline.compose import Pipeline
from wabot.pipeline.turn import Outcome, Turn
from wabot.pipeline.world import World
from wabot.runtime.send import Sender, SendOutcome
from wabot.runtime.timers import fire_due

BATCH = 200
ROUNDS = 1000
"""What a flow that never comes to rest (a timer of no length that starts itself) may cost one drain."""
LONGEST_PAUSE = 30.0

Stop = Callable[[], bool]


@dataclass(slots=True)
class Drained:
    """How much was done. `retried` turns will be tried again; `failed` ones were parked; `delayed`
    messages go later, `unsent` ones never, and of `unknown` ones the fate isn't known yet."""

    timers: int = 0
    turns: int = 0
    retried: int = 0
    failed: int = 0
    sent: int = 0
    delayed: int = 0
    unsent: int = 0
    unknown: int = 0

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


class Sweep:
    """One pass over everything that is due, in this thread."""

    def __init__(self, world: World, pipeline: Pipeline, sender: Sender) -> None:
        self._world = world
        self._pipeline = pipeline
        self._sender = sender

    def drain(self, stop: Stop = lambda: False) -> Drained:
        """Pass after pass until nothing is due, or `stop()` says so between two pieces of work.

        Raises, once the others are served, what came of a conversation whose row can't be read.
        """
        total = Drained()
        for _ in range(ROUNDS):
            done = self.once(stop)
            total.add(done)
            if not done or stop():
                break
        return total

    def once(self, stop: Stop = lambda: False) -> Drained:
        """Fire due timers, give each conversation with something to do one turn, send what is due."""
        world, done = self._world, Drained()
        done.timers = len(fire_due(world.database, world.clock, world.ids))
        broken: Exception | None = None
        for conversation_id in due_conversations(world.database, world.clock.now()):
            if stop():
                return done
            turn = Turn(conversation_id)
            try:
                self._pipeline.run(turn)
            except (RecordError, SQLAlchemyError):
                raise
            except Exception as error:  # noqa: BLE001 - one spoilt row must not keep the others waiting
                broken = broken or error
            _count(done, _TURNS.get(turn.outcome))
        while not stop() and (outcome := self._sender.send_next()) is not None:
            _count(done, _SENDS[outcome])
        if broken is not None:
            raise broken
        return done


def _count(done: Drained, name: str | None) -> None:
    if name:
        setattr(done, name, getattr(done, name) + 1)


def due_conversations(database: Database, now: datetime) -> list[int]:
    """The conversations whose events wait longest."""
    query = (
        select(InboundRow.conversation_id)
        .where(InboundRow.due_at <= now)
        .order_by(InboundRow.due_at, InboundRow.id)
        .limit(BATCH)
    )
    with database.reading() as session:
        return list(dict.fromkeys(session.scalars(query)))


def next_due(database: Database) -> datetime | None:
    """When something will be due, or was: the earliest of events, messages and timers."""
    with database.reading() as session:
        columns = (InboundRow.due_at, OutboxRow.due_at, TimerRow.due_at)
        times = [session.scalar(select(func.min(column))) for column in columns]
    return min((time for time in times if time is not None), default=None)


class Drains(Protocol):
    def __call__(self, stop: Stop, /) -> object: ...


class Sweeper:
    """Drains whenever it is rung, and every `interval` seconds: its own bell, so a lost ring costs no more.

    An error of the database does not end it: it logs, waits longer and longer, and goes on.
    """

    def __init__(self, drain: Drains, interval: float = 1.0) -> None:
        self._drain = drain
        self._interval = interval
        self._rung = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def ring(self, conversation_id: int) -> None:
        self._rung.set()

    def start(self) -> None:
        """Sweep in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="wabot-sweeper")
        self._thread.start()

    def run(self) -> None:
        """Sweep in this thread until `stop` is called from elsewhere, or from a signal's handler."""
        failures = 0
        while not self._stopped.is_set():
            self._rung.clear()
            try:
                self._drain(self._stopped.is_set)
                failures = 0
            except Exception as error:  # noqa: BLE001 - the database may come back; the work is still there
                failures += 1
                get_logger().error("sweep", failures=failures, **describe(error))
            self._rung.wait(min(self._interval * 2**failures, LONGEST_PAUSE) if failures else self._interval)

    def stop(self, timeout: float | None = 30.0) -> bool:
        """End after the piece of work in hand; whether it ended within `timeout` seconds."""
        self._stopped.set()
        self._rung.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()
