"""What RQ knows, for `wabot status`."""

from dataclasses import dataclass
from datetime import datetime

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry

from wabot.adapters.queue.doorbell import QUEUES, connect
from wabot.adapters.queue.scheduler import ALIVE

FAILURES = 10


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """Jobs that wait, that run, that failed and will be tried again, and that failed for good this week."""

    name: str
    waiting: int
    running: int
    retrying: int
    failed: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """`done` and `failed` count its jobs. Killed ones are shown until a minute and a half after."""

    name: str
    host: str
    pid: int
    queues: tuple[str, ...]
    state: str
    heard_at: datetime | None
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class JobFailure:
    job: str
    queue: str
    failed_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class RqStatus:
    """`scheduler` is whether one runs; `scheduled` are the rings it keeps."""

    queues: tuple[QueueStatus, ...]
    workers: tuple[WorkerStatus, ...]
    failures: tuple[JobFailure, ...]
    scheduler: bool


def status(url: str) -> RqStatus | None:
    """None where Redis can't be reached."""
    redis = connect(url)
    try:
        return RqStatus(
            queues=tuple(_queue(name, redis) for name in QUEUES),
            workers=_workers(redis),
            failures=_failures(redis),
            scheduler=bool(redis.exists(ALIVE)),
        )
    except RedisError:
        return None
    finally:
        redis.close()


def _queue(name: str, redis: Redis) -> QueueStatus:
    queue = Queue(name, connection=redis)
    return QueueStatus(
        name=name,
        waiting=queue.count,
        # None of these shall clean up: that would be another's work, and it writes.
        running=StartedJobRegistry(queue=queue).get_job_count(cleanup=False),
        retrying=redis.zcard(ScheduledJobRegistry.key_template.format(name)),
        failed=FailedJobRegistry(queue=queue).get_job_count(cleanup=False),
    )


def _workers(redis: Redis) -> tuple[WorkerStatus, ...]:
    found = sorted(
        SimpleWorker.all(connection=redis), key=lambda worker: (worker.hostname or "", worker.pid or 0)
    )
    return tuple(
        WorkerStatus(
            name=worker.name,
            host=worker.hostname or "",
            pid=worker.pid or 0,
            queues=tuple(worker.queue_names()),
            state=str(worker.get_state()),
            heard_at=worker.last_heartbeat,
            done=worker.successful_job_count,
            failed=worker.failed_job_count,
        )
        for worker in found
    )


def _failures(redis: Redis) -> tuple[JobFailure, ...]:
    failures: list[JobFailure] = []
    for name in QUEUES:
        registry = FailedJobRegistry(name, connection=redis)
        ids = registry.get_job_ids(cleanup=False, desc=True, end=FAILURES - 1)
        for job in Job.fetch_many(ids, connection=redis):
            if job is not None:
                result = job.latest_result()
                words = (result.exc_string or "").strip() if result else ""
                failures.append(JobFailure(job.id, name, job.ended_at, words.rpartition("\n")[2]))
    return tuple(failures)
