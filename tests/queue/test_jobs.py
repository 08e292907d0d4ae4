import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis
from rq import Queue

from tests.queue.works import FakeWorks
from wabot.adapters.queue import RqDoorbell, jobs, status, work

pytestmark = pytest.mark.redis


@pytest.fixture
def place(bell: RqDoorbell) -> Iterator[FakeWorks]:
    works = FakeWorks()
    with jobs.working_at(jobs.Place(works, bell, lambda: False, works.run_effects)):
        yield works


def waiting(redis: Redis) -> dict[str, list[tuple[int, ...]]]:
    names = ("inbound", "transactional")
    return {name: [tuple(job.args) for job in Queue(name, connection=redis).jobs] for name in names}


def test_turns_ring_for_what_is_to_be_sent(place: FakeWorks, redis: Redis) -> None:
    jobs.converse(17)
    jobs.converse(18)
    assert place.asked == ["serve 17", "serve 18"]
    assert waiting(redis) == {"inbound": [], "transactional": [(1,)]}, "18 had nothing to do"


def test_turns_ring_for_what_is_to_be_done_outside(place: FakeWorks, redis: Redis) -> None:
    place.outside = {17}
    jobs.converse(17)
    assert waiting(redis)["transactional"] == [(1,), (1,)]
    jobs.run_effects(1)
    assert place.asked == ["serve 17", "effects"]


def test_timers_ring_for_their_conversations(place: FakeWorks, redis: Redis) -> None:
    place.fired = [[3], [1, 2]]
    jobs.fire_timers()
    assert waiting(redis) == {"inbound": [(1,), (2,), (3,)], "transactional": []}


def test_what_comes_while_a_job_runs_is_rung_anew(place: FakeWorks, redis: Redis, bell: RqDoorbell) -> None:
    bell.ring(17)
    place.does = lambda _: bell.ring(17)
    jobs.converse(17)
    assert waiting(redis)["inbound"] == [(17,), (17,)]


def test_a_job_that_takes_long_makes_way(
    place: FakeWorks, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BUDGET_SECONDS", 0.0)
    jobs.converse(17)
    jobs.send_outbox(3)
    assert waiting(redis) == {"inbound": [(17,)], "transactional": [(1,), (3,)]}


def test_a_worker_does_what_is_rung_for(redis_url: str, bell: RqDoorbell) -> None:
    works = FakeWorks()
    bell.ring(17)
    bell.ring_timers()
    works.outside = {17}
    work(redis_url, works, burst=True)
    assert works.asked == ["serve 17", "timers", "send", "effects", "drain"]
    assert 'wabot_jobs_total{job="converse",outcome="done"} 1' in works.metrics.text()
    rq = status(redis_url)
    assert rq is not None
    assert rq.workers == ()
    assert [(queue.waiting, queue.failed) for queue in rq.queues] == [(0, 0)] * 3


def test_a_worker_leaves_other_queues_alone(redis_url: str, redis: Redis, bell: RqDoorbell) -> None:
    works = FakeWorks()
    bell.ring(17)
    bell.ring_timers()
    work(redis_url, works, ["transactional"], burst=True)
    assert works.asked == ["timers", "drain"]
    assert waiting(redis) == {"inbound": [(17,)], "transactional": []}


def test_a_job_that_fails_is_tried_again_and_tells_no_secrets(
    redis_url: str,
    redis: Redis,
    bell: RqDoorbell,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wabot.adapters.queue.doorbell.TRIES", 1)
    monkeypatch.setattr("wabot.adapters.queue.doorbell.pauses", lambda _: [1])

    def fail(what: str) -> None:
        if what.startswith("serve"):
            raise OSError("the phone number +919876543210")

    works = FakeWorks(fail)
    bell.ring(17)
    work(redis_url, works, burst=True)
    assert works.asked == ["serve 17", "drain"]
    rq = status(redis_url)
    assert rq is not None
    assert (rq.queues[0].retrying, rq.queues[0].failed) == (1, 0)
    redis.zincrby("rq:scheduled:inbound", -60, str(redis.zrange("rq:scheduled:inbound", 0, 0)[0], "ascii"))  # type: ignore[arg-type]
    work(redis_url, works, burst=True)
    rq = status(redis_url)
    assert rq is not None
    assert (rq.queues[0].retrying, rq.queues[0].failed) == (0, 1)
    assert 'wabot_jobs_total{job="converse",outcome="failed"} 2' in works.metrics.text()
    (failure,) = rq.failures
    assert failure.queue == "inbound"
    assert failure.error.endswith("JobFailed: converse: OSError")
    ours = [json.loads(record.getMessage()) for record in caplog.records if record.name == "wabot"]
    told = [line for line in ours if line["event"] == "job"]
    assert [(line["job"], line["ids"], line["error"]) for line in told] == [("converse", [17], "OSError")] * 2
    everything = caplog.text + "".join(str(redis.dump(key)) for key in redis.scan_iter())
    assert "+9198" not in everything


def test_without_redis_there_is_no_status() -> None:
    assert status("unix:///nowhere/redis.sock") is None


def test_a_burst_without_redis_does_what_the_database_knows(caplog: pytest.LogCaptureFixture) -> None:
    works = FakeWorks()
    work("unix:///nowhere/redis.sock", works, burst=True, sweep=timedelta(seconds=1))
    assert works.asked == ["drain"]
    assert any(
        json.loads(record.getMessage())["event"] == "worker"
        for record in caplog.records
        if record.name == "wabot"
    )
