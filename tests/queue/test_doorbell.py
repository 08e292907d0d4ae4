import json
import re

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job

from wabot.adapters.queue import RqDoorbell
from wabot.adapters.queue.doorbell import pauses
from wabot.core.metrics import MemoryMetrics
from wabot.errors import SettingsError

pytestmark = pytest.mark.redis


def jobs(redis: Redis, queue: str) -> list[Job]:
    return Queue(queue, connection=redis).jobs


def test_a_ring_is_a_job_with_an_id_and_nothing_else(bell: RqDoorbell, redis: Redis) -> None:
    bell.ring(17)
    (job,) = jobs(redis, "inbound")
    assert (job.func_name, job.args, job.kwargs) == ("wabot.adapters.queue.jobs.converse", (17,), {})
    assert re.fullmatch(r"[\w-]+", job.id)
    assert (job.result_ttl, job.failure_ttl, job.timeout) == (0, 604800, 180)
    assert job.retries_left == 6
    assert job.retry_intervals == pauses(job.id)
    bell.ring_outbox(17)
    bell.ring_timers()
    assert [job.args for job in jobs(redis, "transactional")] == [(1,), ()]
    assert jobs(redis, "bulk") == []


def test_rings_that_say_the_same_are_one_job(bell: RqDoorbell, redis: Redis) -> None:
    for _ in range(3):
        bell.ring(17)
        bell.ring(18)
        bell.ring_timers()
    assert sorted(job.args[0] for job in jobs(redis, "inbound")) == [17, 18]
    assert len(jobs(redis, "transactional")) == 1


def test_what_is_rung_once_a_job_has_begun_is_another_job(bell: RqDoorbell, redis: Redis) -> None:
    bell.ring(17)
    bell.heard("converse", 17)
    bell.ring(17)
    bell.ring(17)
    first, second = jobs(redis, "inbound")
    assert first.id != second.id


def test_a_ring_that_was_lost_does_not_silence_the_next_for_long(bell: RqDoorbell, redis: Redis) -> None:
    bell.ring(17)
    (flag,) = redis.keys("wabot:rung:*")
    assert 0 < redis.ttl(flag) <= 10


def test_pauses_between_tries_grow_and_are_spread() -> None:
    assert pauses("a") == pauses("a") != pauses("b")
    for seed in map(str, range(50)):
        given = pauses(seed, tries=8)
        assert all(
            max(1, whole / 2) <= pause <= whole
            for pause, whole in zip(given, [2, 4, 8, 16, 32, 60], strict=False)
        )
        assert max(given) <= 60
    assert len({pauses(str(seed))[5] for seed in range(50)}) > 10


def test_without_redis_ringing_costs_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    metrics = MemoryMetrics()
    bell = RqDoorbell("unix:///nowhere/redis.sock", metrics)
    for _ in range(5):
        bell.ring(17)
    bell.heard("converse", 17)
    assert bell.lost == 5
    assert 'wabot_jobs_total{job="converse",outcome="lost"} 5' in metrics.text()
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["event"], line["ring"], line["lost"]) for line in lines] == [
        ("ring", "converse", 1),
        ("ring", "converse", 5),
    ]
    bell.close()


def test_it_rings_again_once_redis_is_back(
    bell: RqDoorbell, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wabot.adapters.queue.doorbell.SILENCE_SECONDS", 0.0)
    away = RqDoorbell("unix:///nowhere/redis.sock")
    away.ring(17)
    there = bell.redis
    away.redis, away._queues = there, bell._queues
    away.ring(17)
    assert (away.lost, len(jobs(redis, "inbound"))) == (1, 1)


def test_a_url_that_is_none() -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        RqDoorbell("localhost:6379")
