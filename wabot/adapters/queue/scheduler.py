"""rq-scheduler rings when something comes due.

Killed or emptied at the wrong moment it forgets, or rings twice. So it is told anew what to ring for, from
the database, when it starts and every few seconds after that; what it never rang for, the sweeper finds.
"""

import math
import signal
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError
from rq_scheduler import Scheduler

from wabot.adapters.queue.doorbell import (
    EFFECTS,
    FAILURE_SECONDS,
    JOB_SECONDS,
    JOBS,
    OUTBOX,
    QUEUE_OF,
    SLOTS,
    TIMERS,
    connect,
)
from wabot.core.flag import Flag
from wabot.core.log import describe, get_logger
from wabot.core.ports import Clock

AHEAD = timedelta(minutes=1)
TELL_SECONDS = 2.0
TICK_SECONDS = 1.0
LONGEST_PAUSE = 5.0
ALIVE = "wabot:scheduler"
ALIVE_SECONDS = 15


class Upcoming(Protocol):
    """When something comes due, each moment once."""

    @property
    def timers(self) -> Iterable[datetime]: ...
    @property
    def messages(self) -> Iterable[datetime]: ...
    @property
    def effects(self) -> Iterable[datetime]: ...


class Foresees(Protocol):
    """The part of an app that a scheduler needs."""

    def upcoming(self, until: datetime, /) -> Upcoming: ...


def schedule(url: str, app: Foresees, clock: Clock) -> None:
    """Ring in time until SIGTERM or SIGINT, in the main thread. Redis and the database may go and come."""
    stopping = Flag()
    before = {
        number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    redis = connect(url)
    rings = RingsInTime(redis, app, clock)
    failures = 0
    try:
        while not stopping.is_set():
            try:
                rings.tick()
                failures = 0
            except Exception as error:  # noqa: BLE001 - Redis or the database may come back; the timers are on record
                failures += 1
                rings.tell_anew()
                get_logger().warning("scheduler", failures=failures, **describe(error))
            stopping.wait(min(TICK_SECONDS * 2**failures, LONGEST_PAUSE) if failures else TICK_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        rings.close()


class RingsInTime:
    """One scheduler. Several may run: rq-scheduler's lock lets one at a time put jobs on the queues."""

    def __init__(self, redis: Redis, app: Foresees, clock: Clock) -> None:
        self._redis = redis
        self._app = app
        self._clock = clock
        self._scheduler: Any = Scheduler(connection=redis, interval=TICK_SECONDS)
        self._tell_at = 0.0

    def tick(self) -> None:
        """Ring for what is due by now. Raises RedisError, and what the database raises."""
        self._redis.set(ALIVE, 1, ex=ALIVE_SECONDS)
        if time.monotonic() >= self._tell_at:
            self.tell()
            self._tell_at = time.monotonic() + TELL_SECONDS
        if not self._scheduler.acquire_lock():
            return
        try:
            for job in self._scheduler.get_jobs(until=math.floor(self._clock.now().timestamp())):
                self._scheduler.enqueue_job(job)
        finally:
            self._scheduler.remove_lock()

    def tell(self) -> None:
        """Register a ring for each second of the next minute in which something comes due."""
        upcoming = self._app.upcoming(self._clock.now() + AHEAD)
        moments: Mapping[str, Iterable[datetime]] = {
            TIMERS: upcoming.timers,
            OUTBOX: upcoming.messages,
            EFFECTS: upcoming.effects,
        }
        for kind, times in moments.items():
            for second in {math.ceil(moment.timestamp()) for moment in times}:
                self._register(kind, second)

    def tell_anew(self) -> None:
        """At the next tick: what was registered may be gone."""
        self._tell_at = 0.0

    def close(self) -> None:
        try:
            self._redis.delete(ALIVE)
        except RedisError as error:
            get_logger().debug("scheduler", **describe(error))
        self._redis.close()

    def _register(self, kind: str, second: int) -> None:
        job_id = f"{kind}-at-{second}"
        if job_id in self._scheduler:
            return
        job = self._scheduler.enqueue_at(
            datetime.fromtimestamp(second, UTC),
            f"{JOBS}.{kind}",
            *([] if kind == TIMERS else [second % SLOTS]),
            job_id=job_id,
            queue_name=QUEUE_OF[kind],
            timeout=JOB_SECONDS,
            job_result_ttl=0,
        )
        # Not among its arguments, and RQ's own default is a year.
        job.failure_ttl = FAILURE_SECONDS
        job.save()
