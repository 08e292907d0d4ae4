"""Rings: each puts a job on a queue, unless one that has not begun says the same already."""

import hashlib
import time
from collections.abc import Mapping

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as Retrying
from rq import Queue, Retry

from wabot.core.log import describe, get_logger
from wabot.core.metrics import JOBS as JOBS_TOTAL
from wabot.core.metrics import Metrics, NoMetrics
from wabot.core.ports import Ids, RandomIds
from wabot.errors import SettingsError

INBOUND, TRANSACTIONAL, BULK = "inbound", "transactional", "bulk"
QUEUES = (INBOUND, TRANSACTIONAL, BULK)
"""By priority: a worker takes from a queue only what those before it have not."""

JOBS = "wabot.adapters.queue.jobs"
CONVERSE, OUTBOX, TIMERS, EFFECTS = "converse", "send_outbox", "fire_timers", "run_effects"
QUEUE_OF: Mapping[str, str] = {
    CONVERSE: INBOUND,
    OUTBOX: TRANSACTIONAL,
    TIMERS: TRANSACTIONAL,
    EFFECTS: TRANSACTIONAL,
}

SLOTS = 16
"""So many workers at most are called to the outbox, or to effects, at once; each does whatever is due."""
FLAG_SECONDS = 10
"""How long a ring whose job is lost keeps others like it silent. The sweeper is quicker."""
TRIES = 6
JOB_SECONDS = 180
FAILURE_SECONDS = 7 * 24 * 3600
ANSWER_SECONDS = 1.0
"""What a Redis that hangs may cost whoever rings; the provider waits for the answer to its webhook."""
SILENCE_SECONDS = 5.0
"""After a failure nobody rings for so long: the sweeper does the work, and accepting stays quick."""


def connect(url: str, timeout: float | None = ANSWER_SECONDS) -> Redis:
    """A client that gives up after `timeout` seconds. Nothing is connected yet. Raises SettingsError."""
    # One retry, at once: a Redis that was restarted has left dead connections behind.
    retry = Retrying(NoBackoff(), 1)
    try:
        return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=ANSWER_SECONDS, retry=retry)
    except ValueError as error:
        raise SettingsError(
            f"the URL of Redis can't be read: {error}",
            hint="write it like redis://localhost:6379/0",
            keys=("redis",),
        ) from None


def pauses(seed: str, tries: int = TRIES) -> list[int]:
    """Seconds before each retry of a job: doubling from 2 to 60, each spread by half: RQ spreads none.

    The same `seed` gives the same pauses.
    """
    wholes = [min(2.0 ** (number + 1), 60.0) for number in range(tries)]
    chances = hashlib.sha256(seed.encode()).digest()
    return [
        max(1, round(whole / 2 + whole / 2 * chance / 255))
        for whole, chance in zip(wholes, chances, strict=False)
    ]


def flag_of(kind: str, *ids: int) -> str:
    return ":".join(["wabot", "rung", kind, *map(str, ids)])


class RqDoorbell:
    """A ring that fails is logged and counted in `lost`, and nothing else: the sweeper finds the work."""

    def __init__(self, url: str, metrics: Metrics | None = None, ids: Ids | None = None) -> None:
        self.redis = connect(url)
        self.metrics = metrics or NoMetrics()
        self._ids = ids or RandomIds()
        self.lost = 0
        self._queues = {name: Queue(name, connection=self.redis) for name in QUEUES}
        self._silent_until = 0.0

    def ring(self, conversation_id: int) -> None:
        """Something waits in this conversation for its turn."""
        self._ring(CONVERSE, conversation_id)

    def ring_outbox(self, conversation_id: int) -> None:
        """Messages of this conversation wait to be sent."""
        self._ring(OUTBOX, conversation_id % SLOTS)

    def ring_effects(self, conversation_id: int) -> None:
        """Something that this conversation asked of the world outside is to be done."""
        self._ring(EFFECTS, conversation_id % SLOTS)

    def ring_timers(self) -> None:
        """A timer has come due."""
        self._ring(TIMERS)

    def heard(self, kind: str, *ids: int) -> None:
        """A job of this ring begins: from now on it can be rung anew, for work that comes while it runs."""
        try:
            self.redis.delete(flag_of(kind, *ids))
        except RedisError as error:
            self._failed(kind, error)

    def close(self) -> None:
        self.redis.close()

    def _ring(self, kind: str, *ids: int) -> None:
        if time.monotonic() < self._silent_until:
            self._count_lost(kind)
            return
        try:
            if self.redis.set(flag_of(kind, *ids), 1, nx=True, ex=FLAG_SECONDS):
                self._enqueue(kind, ids)
        except RedisError as error:
            self._count_lost(kind)
            self._failed(kind, error)

    def _count_lost(self, kind: str) -> None:
        self.lost += 1
        self.metrics.count(JOBS_TOTAL, job=kind, outcome="lost")

    def _failed(self, kind: str, error: RedisError) -> None:
        self._silent_until = time.monotonic() + SILENCE_SECONDS
        get_logger().warning("ring", ring=kind, lost=self.lost, **describe(error))

    def _enqueue(self, kind: str, ids: tuple[int, ...]) -> None:
        # An id of its own for each: two jobs of one id would share their record, and the end of the first
        # would take it from the second. RQ's `unique` refuses a ring while the job before it still runs.
        job_id = "-".join([kind, *map(str, ids), self._ids.new()])
        self._queues[QUEUE_OF[kind]].enqueue_call(
            f"{JOBS}.{kind}",
            args=ids,
            job_id=job_id,
            timeout=JOB_SECONDS,
            result_ttl=0,
            failure_ttl=FAILURE_SECONDS,
            retry=Retry(max=TRIES, interval=pauses(job_id)),
        )
