import json
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from redis import Redis
from rq import Queue

from tests.queue.conftest import Deploy
from tests.queue.deployment import until
from wabot.adapters.queue import schedule, status
from wabot.adapters.queue.scheduler import RingsInTime
from wabot.runtime.backlog import Upcoming
from wabot.testing.fakes import ManualClock

pytestmark = pytest.mark.redis


@dataclass
class Foreseen:
    """An app that knows these moments."""

    timers: list[datetime] = field(default_factory=list)
    messages: list[datetime] = field(default_factory=list)
    effects: list[datetime] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)

    def upcoming(self, until: datetime) -> Upcoming:
        self.asked.append(until)
        return Upcoming(self.timers, self.messages, self.effects)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def app() -> Foreseen:
    return Foreseen()


@pytest.fixture
def rings(redis: Redis, redis_url: str, app: Foreseen, clock: ManualClock) -> Iterator[RingsInTime]:
    with closing(RingsInTime(Redis.from_url(redis_url), app, clock)) as rings:
        yield rings


def rung(redis: Redis) -> list[str]:
    return sorted(
        str(job.func_name).rpartition(".")[2] for job in Queue("transactional", connection=redis).jobs
    )


def test_it_rings_when_something_is_due_and_not_before(
    rings: RingsInTime, redis: Redis, app: Foreseen, clock: ManualClock
) -> None:
    now = clock.now()
    app.timers = [now + timedelta(seconds=2.2), now + timedelta(seconds=2.9)]
    app.messages = app.effects = [now + timedelta(seconds=4)]
    rings.tick()
    assert app.asked == [now + timedelta(minutes=1)]
    clock.advance(timedelta(seconds=2.5))
    rings.tick()
    assert rung(redis) == [], "in its whole second, when both are due"
    clock.advance(timedelta(seconds=0.5))
    rings.tick()
    assert rung(redis) == ["fire_timers"]
    clock.advance(timedelta(seconds=1))
    rings.tick()
    rings.tick()
    assert rung(redis) == ["fire_timers", "run_effects", "send_outbox"]
    (job, *_) = Queue("transactional", connection=redis).jobs
    assert (job.result_ttl, job.failure_ttl, job.timeout) == (0, 604800, 180)


def test_what_redis_forgot_is_told_anew(
    rings: RingsInTime, redis: Redis, app: Foreseen, clock: ManualClock
) -> None:
    app.timers = [clock.now() + timedelta(seconds=2)]
    rings.tick()
    redis.flushall()
    rings.tell()
    rings.tell()
    clock.advance(timedelta(seconds=2))
    rings.tick()
    assert rung(redis) == ["fire_timers"]


def test_of_several_schedulers_one_rings(
    rings: RingsInTime, redis: Redis, redis_url: str, app: Foreseen, clock: ManualClock
) -> None:
    app.timers = [clock.now() + timedelta(seconds=2)]
    rings.tick()
    clock.advance(timedelta(seconds=2))
    app.timers = []
    redis.set("rq:scheduler_lock", "another", ex=10)
    rings.tick()
    assert rung(redis) == []
    redis.delete("rq:scheduler_lock")
    rings.tick()
    assert rung(redis) == ["fire_timers"]


def test_it_outlives_redis_and_the_database(caplog: pytest.LogCaptureFixture, clock: ManualClock) -> None:
    def told() -> list[dict[str, object]]:
        return [json.loads(record.getMessage()) for record in list(caplog.records) if record.name == "wabot"]

    def stop() -> None:
        until(lambda: bool(told()))
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=stop).start()
    schedule("unix:///nowhere/redis.sock", Foreseen(), clock)
    lines = told()
    assert (lines[0]["event"], lines[0]["failures"], lines[0]["error"]) == ("scheduler", 1, "ConnectionError")


def test_a_timer_fires_in_time_by_the_scheduler_and_a_worker(
    deploy: Deploy, redis: Redis, redis_url: str
) -> None:
    shop = deploy(redis_url, WABOT_RUNTIME__SWEEP="60s", WABOT_RUNTIME__PATIENCE="60s")
    (shop.folder / "flows" / "shop.yaml").write_text(TEA, encoding="utf-8")
    scheduler, worker = shop.start("scheduler"), shop.start("worker")
    shop.hear("Hi")
    until(lambda: "Tea is ready" in worker.said)
    rq = status(redis_url)
    assert rq is not None
    assert rq.scheduler
    assert scheduler.stop() == 0
    rq = status(redis_url)
    assert rq is not None
    assert not rq.scheduler
    assert "Traceback" not in scheduler.said


TEA = """
flow: shop
states:
  open:
    initial: true
    enter: {say: Welcome}
    after: {4s: steeped}
  steeped:
    enter: {say: Tea is ready}
    final: true
"""
