"""`wabot status`: what waits and since when, what failed, who works."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wabot.app.parts import circuits_of
from wabot.bootstrap import import_queue
from wabot.cli.record import record_of
from wabot.cli.run import settings_here
from wabot.cli.screen import counted, show, show_json, table
from wabot.core.ports import SystemClock
from wabot.runtime.backlog import Backlog, Waiting, backlog
from wabot.settings import Settings

if TYPE_CHECKING:
    from wabot.adapters.queue import RqStatus

ALONE = "Its circuits are known to that process alone; wabot run --metrics tells them."
UNSEEN = "Which circuits are open can't be seen without it; while it is away they let everything through."
TABLES = ("inbound", "outbox", "timers", "effects")


def run(project: Path | None, *, as_json: bool) -> None:
    """Look at the database, and at Redis where the settings name one. Neither is changed."""
    settings = settings_here(project)
    now = SystemClock().now()
    record = _backlog(settings, now)
    queue = import_queue().status(settings.redis_url) if settings.redis_url else None
    circuits = _circuits(settings) if queue else {}
    if as_json:
        show_json(_as_json(record, queue, circuits, now, with_redis=settings.redis_url is not None))
        return
    show(*_record_lines(record, now))
    if settings.redis_url is None:
        show("", "No Redis in the settings: the process that accepts does the work.", ALONE)
    elif queue is None:
        show("", "Redis can't be reached: each worker finds the work in the database by itself.", UNSEEN)
    else:
        show("", *_queue_lines(queue, now), *_circuit_lines(circuits))


def _backlog(settings: Settings, now: datetime) -> Backlog:
    with record_of(settings) as database:
        return backlog(database, now)


def _circuits(settings: Settings) -> dict[str, str]:
    """Those that all processes share; without Redis each process knows its own."""
    from wabot.adapters.redis import Link, RedisBreaker

    with closing(Link(settings.redis_url or "")) as link:
        breaker = RedisBreaker(link, circuits_of(settings))
        return {name: state.value for name, state in breaker.troubled().items()}


def _circuit_lines(circuits: dict[str, str]) -> Iterator[Any]:
    if circuits:
        yield ""
        yield from table(circuits.items(), {"circuit": "bold", "state": ""})
    else:
        yield "Every circuit is closed."


def _as_json(
    record: Backlog,
    queue: "RqStatus | None",
    circuits: dict[str, str],
    now: datetime,
    *,
    with_redis: bool,
) -> dict[str, Any]:
    shown: dict[str, Any] = {"at": now, **asdict(record)}
    for name in TABLES:
        shown[name]["age_seconds"] = _age(shown[name]["oldest"], now)
    if not with_redis:
        return {**shown, "redis": None}
    if queue is None:
        return {**shown, "redis": {"reachable": False}}
    return {**shown, "redis": {"reachable": True, **asdict(queue), "circuits": circuits}}


def _record_lines(record: Backlog, now: datetime) -> Iterator[Any]:
    rows = [_row(name, getattr(record, name), now) for name in TABLES]
    columns = {"": "bold", "due": "", "oldest": "", "later": "", "failed": ""}
    yield from table(rows, columns)
    if record.unknown:
        yield f"{counted(record.unknown, 'message')} may or may not have been sent; nobody will know."
    if record.inbound.failed:
        yield "wabot failed lists the events that failed, with their errors."
    if record.outbox.failed or record.outbox.later or record.unknown:
        yield "wabot outbox lists the messages that wait or did not go out, and says why."


def _row(name: str, waiting: Waiting, now: datetime) -> tuple[str, ...]:
    age = _age(waiting.oldest, now)
    since = "-" if age is None else f"{timedelta(seconds=round(age))} ago"
    return (name, str(waiting.due), since, str(waiting.later), str(waiting.failed))


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())


def _queue_lines(queue: "RqStatus", now: datetime) -> Iterator[Any]:
    columns = {"queue": "bold", "waiting": "", "running": "", "retrying": "", "failed": ""}
    rows = [
        (each.name, *map(str, (each.waiting, each.running, each.retrying, each.failed)))
        for each in queue.queues
    ]
    yield from table(rows, columns)
    yield ""
    if queue.workers:
        heads = {"worker": "bold", "queues": "", "state": "", "heard": "", "jobs": "", "failed": ""}
        yield from table([_worker_row(worker, now) for worker in queue.workers], heads)
    else:
        yield "No worker is at work."
    yield f"The scheduler {'runs' if queue.scheduler else 'does not run'}."
    if queue.failures:
        yield ""
        failures = [(failure.job, failure.queue, failure.error) for failure in queue.failures]
        yield from table(failures, {"failed job": "bold", "queue": "", "error": ""})


def _worker_row(worker: Any, now: datetime) -> tuple[str, ...]:
    age = _age(worker.heard_at, now)
    heard = "-" if age is None else f"{round(age)} s ago"
    place = f"{worker.host}:{worker.pid}"
    return (place, ",".join(worker.queues), worker.state, heard, str(worker.done), str(worker.failed))
