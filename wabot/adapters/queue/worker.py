"""The worker: RQ's, in one process with the app, and a sweeper beside it.

RQ's own worker forks for each job, 14 to 18 ms, and each child would open the database anew. A job of ours
is some milliseconds in a process that is ready, so it runs in the worker itself (SimpleWorker: four
times as many jobs a second). What forking would give, a process that a broken job can't harm, the database
gives here: whatever is killed, its work is found again.
"""

import logging
import os
import signal
import time
from collections.abc import Sequence
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker, worker_registration
from rq.exceptions import StopRequested
from rq.scheduler import RQScheduler
from rq.worker import WorkerStatus

from wabot.adapters.queue.doorbell import QUEUES, RqDoorbell, connect
from wabot.adapters.queue.jobs import Place, Stop, working_at
from wabot.adapters.queue.jobs import Works as JobWorks
from wabot.core.flag import Flag
from wabot.core.log import describe, get_logger
from wabot.core.metrics import Metrics
from wabot.runtime import Drained, Sweeper

if TYPE_CHECKING:
    from redis.client import Pipeline

WORKER_TTL = 20
"""Seconds; a worker that has nothing to do says every fourth of it that it lives (RQ takes 15 off), and is
forgotten a minute after it."""
REGISTER_SECONDS = 5.0
MAINTENANCE_SECONDS = 30
PAUSE_SECONDS = 1.0
STOP_SECONDS = 30.0
COLD = 1


class Works(JobWorks, Protocol):
    """The part of an app that a worker needs."""

    @property
    def metrics(self) -> Metrics: ...
    def drain(self, stop: Stop = ..., patience: timedelta = ..., /, *, effects: bool = ...) -> Drained: ...
    def run_effects(self, stop: Stop = ..., /) -> Drained: ...


class BellWorker(SimpleWorker):
    """RQ's worker, which tells the job in hand to come to an end, and can be stopped without Redis."""

    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(self, queues: Sequence[str], connection: Redis, stopping: Flag) -> None:
        super().__init__(
            list(queues),
            connection=connection,
            worker_ttl=WORKER_TTL,
            maintenance_interval=MAINTENANCE_SECONDS,
            log_job_description=False,
        )
        self._stopping = stopping
        self._registered_at = 0.0

    def subscribe(self) -> None:
        """Not to RQ's commands: signals do, and the thread that listens makes a stop a second longer."""

    def check_for_suspension(self, burst: bool) -> None:
        """The first thing that RQ does once its own handlers of signals are in place: one that came before is
        not known to it."""
        self._end_if_told()
        super().check_for_suspension(burst)

    def heartbeat(self, timeout: int | None = None, pipeline: "Pipeline | None" = None) -> None:
        """RQ registers a worker once, and one that a FLUSHALL has struck off would be seen no more."""
        self._end_if_told()
        super().heartbeat(timeout, pipeline)
        if pipeline is None and time.monotonic() - self._registered_at >= REGISTER_SECONDS:
            self._registered_at = time.monotonic()
            self.connection.hset(self.key, mapping=self.serialize())
            worker_registration.register(self, self.connection)  # type: ignore[arg-type]

    def _end_if_told(self) -> None:
        if self._stopping.is_set() and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """End now: the transaction in hand is rolled back, and its work is found again."""
        try:
            super().request_force_stop(signum, frame)
        except SystemExit:
            os._exit(COLD)

    def set_shutdown_requested_date(self) -> None:
        """It is called within the signal's handler: an error would go off in the middle of a turn."""
        try:
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]
        except RedisError as error:
            get_logger().warning("worker", **describe(error))


def work(
    url: str,
    works: Works,
    queues: Sequence[str] = QUEUES,
    *,
    burst: bool = False,
    sweep: timedelta = timedelta(seconds=1),
    patience: timedelta = timedelta(seconds=2),
    effects: int = 4,
) -> None:
    """Do the jobs of these queues, and whatever else is due, until SIGTERM or SIGINT; in the main thread.

    The turn in hand is finished; a second signal, a second later, ends it at once. With `burst` it returns
    when nothing is left to do. `effects` threads wait for other servers. While Redis is away the sweeper
    does the work alone.
    """
    _hear_rq()
    stopping = Flag()
    bell, redis = RqDoorbell(url, works.metrics), connect(url, timeout=None)
    retries = Retries(redis)

    def maintain(stop: Stop) -> Drained:
        retries.ring()
        return works.drain(stop, patience, effects=False)

    def run_effects() -> None:
        if burst:
            works.run_effects(stopping.is_set)
        else:
            sweeper.ring(0)

    sweeper = Sweeper(maintain, sweep.total_seconds(), [works.run_effects] * effects)
    try:
        if burst:
            retries.ring()
        else:
            sweeper.start()
        with working_at(Place(works, bell, stopping.is_set, run_effects)):
            _work(redis, queues, stopping, burst=burst)
            if burst and not stopping.is_set():
                works.drain(stopping.is_set)
    finally:
        ended = sweeper.stop(STOP_SECONDS)
        bell.close()
        redis.close()
    if not ended:
        get_logger().error("worker", reason="what it had in hand did not end")
        os._exit(COLD)


STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Retold(logging.Handler):
    """What RQ logs, as a line of ours: one line, and of an error its kind and place alone."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        said = record.getMessage().partition("\n")[0]
        # RQ stops by an exception from its signal's handler, which logging would swallow here.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            get_logger().log(record.levelno, "rq", said=said, **(describe(error) if error else {}))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _hear_rq() -> None:
    logger = logging.getLogger("rq")
    logger.handlers, logger.propagate = [_Retold()], False
    logger.setLevel(logging.WARNING)


def _work(redis: Redis, queues: Sequence[str], stopping: Flag, *, burst: bool) -> None:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        while not stopping.is_set():
            for number in before:
                signal.signal(number, lambda *_: stopping.set())
            try:
                BellWorker(queues, redis, stopping).work(burst=burst, logging_level="WARNING")
            except RedisError as error:
                get_logger().warning("worker", **describe(error))
            if burst:
                return
            # Either it was told to stop, or Redis is away.
            stopping.wait(PAUSE_SECONDS)
    except StopRequested:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Retries:
    """Puts jobs that failed back on their queues when their pause is over.

    RQ has that done by a scheduler in a process of its own, which nobody restarts for up to ten minutes after
    it was killed; so each worker does it while it sweeps.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scheduler: Any = None

    def ring(self) -> None:
        """Whether Redis is there or not."""
        try:
            scheduler = self._scheduler or RQScheduler(QUEUES, self._redis, logging_level=logging.WARNING)
            self._scheduler = scheduler
            if scheduler.acquire_locks():
                scheduler.enqueue_scheduled_jobs()
                scheduler.release_locks()
        except RedisError as error:
            get_logger().debug("retries", **describe(error))
