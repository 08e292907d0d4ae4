"""What RQ runs. A job is told ids at most, and does all that is due of its kind, or finds nothing to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from wabot.adapters.queue.doorbell import CONVERSE, EFFECTS, OUTBOX, TIMERS, RqDoorbell
from wabot.core.log import describe, get_logger
from wabot.core.metrics import JOBS as JOBS_TOTAL
from wabot.runtime import Drained

BUDGET_SECONDS = 20.0
"""Then a job that is not through rings once more and makes way for others, well before RQ ends it."""

Stop = Callable[[], bool]


class Works(Protocol):
    """The part of an app that jobs need."""

    def serve(self, conversation_id: int, stop: Stop = ..., /) -> Drained: ...
    def send(self, stop: Stop = ..., /) -> Drained: ...
    def fire_timers(self) -> list[int]: ...
    def has_effects(self, conversation_id: int, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where jobs run: the app of this process, the bell for what comes of them, and whether to stop.

    `effects` sees to it that they are run: they wait for other servers, and a job shall not.
    """

    works: Works
    bell: RqDoorbell
    stop: Stop
    effects: Callable[[], object]


class JobFailed(Exception):
    """A job that RQ shall try again. It says what kind of error it was and no more: RQ keeps it in Redis,
    and an error's own words may quote what a contact wrote."""


_place: ContextVar[Place] = ContextVar("place")


@contextmanager
def working_at(place: Place) -> Iterator[None]:
    """Jobs of this thread run here."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def converse(conversation_id: int) -> None:
    """The turns of a conversation."""
    with _job(CONVERSE, conversation_id) as (place, stop):
        if place.works.serve(conversation_id, stop):
            place.bell.ring_outbox(conversation_id)
            if place.works.has_effects(conversation_id):
                place.bell.ring_effects(conversation_id)
        if stop():
            place.bell.ring(conversation_id)


def send_outbox(slot: int) -> None:
    """Everything that is due to be sent."""
    with _job(OUTBOX, slot) as (place, stop):
        place.works.send(stop)
        if stop():
            place.bell.ring_outbox(slot)


def run_effects(slot: int) -> None:
    """What flows asked for outside of turns."""
    with _job(EFFECTS, slot) as (place, _):
        place.effects()


def fire_timers() -> None:
    """Everything whose time has come."""
    with _job(TIMERS) as (place, stop):
        while not stop() and (conversations := place.works.fire_timers()):
            for conversation_id in conversations:
                place.bell.ring(conversation_id)


@contextmanager
def _job(kind: str, *ids: int) -> Iterator[tuple[Place, Stop]]:
    place = _place.get()
    # Before anything is read: who commits from now on rings anew.
    place.bell.heard(kind, *ids)
    until = time.monotonic() + BUDGET_SECONDS
    try:
        yield place, lambda: place.stop() or time.monotonic() >= until
    except Exception as error:  # noqa: BLE001 - whatever it is, RQ tries again
        get_logger().error("job", job=kind, ids=ids, **describe(error))
        place.bell.metrics.count(JOBS_TOTAL, job=kind, outcome="failed")
        raise JobFailed(f"{kind}: {type(error).__name__}") from None
    place.bell.metrics.count(JOBS_TOTAL, job=kind, outcome="done")
