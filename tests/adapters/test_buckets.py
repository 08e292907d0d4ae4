import threading
from datetime import timedelta
from time import monotonic

import pytest
from redis import Redis

from tests.adapters.conftest import RATE, Moved
from tests.servers import OwnRedis
from wabot.adapters.redis import Link, RedisBuckets
from wabot.adapters.redis.link import TIMEOUT
from wabot.core.buckets import MemoryBuckets, NoBuckets, Rate, Verdict
from wabot.testing.fakes import ManualClock

PASS, TELL, HUSH = Verdict.PASS, Verdict.TELL, Verdict.HUSH


def test_as_many_as_the_burst_pass_and_the_next_is_told_once(form: Moved) -> None:
    buckets = form.buckets(RATE)
    assert [buckets.take("asha") for _ in range(6)] == [PASS, PASS, PASS, TELL, HUSH, HUSH]


def test_one_key_takes_nothing_from_another(form: Moved) -> None:
    buckets = form.buckets(RATE)
    for _ in range(4):
        buckets.take("asha")
    assert buckets.take("ben") is PASS


def test_tokens_come_back_evenly_and_no_more_than_the_burst(form: Moved) -> None:
    buckets = form.buckets(RATE)
    for _ in range(3):
        buckets.take("asha")
    form.later(timedelta(seconds=2.2))
    assert buckets.take("asha") is PASS
    assert buckets.take("asha") is TELL
    form.later(timedelta(hours=1))
    assert [buckets.take("asha") for _ in range(4)] == [PASS, PASS, PASS, TELL]


def test_who_goes_on_is_told_again_in_the_next_window(form: Moved) -> None:
    buckets = form.buckets(Rate(count=1, window=timedelta(minutes=10), burst=1))
    assert [buckets.take("asha") for _ in range(3)] == [PASS, TELL, HUSH]
    form.later(timedelta(minutes=9))
    assert buckets.take("asha") is HUSH
    form.later(timedelta(minutes=2))
    assert [buckets.take("asha") for _ in range(3)] == [PASS, TELL, HUSH]


def test_many_at_once_get_no_more_than_there_is(form: Moved) -> None:
    buckets = form.buckets(Rate(count=1, window=timedelta(days=1), burst=5))
    verdicts: list[Verdict] = []
    threads = [threading.Thread(target=lambda: verdicts.append(buckets.take("asha"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == sorted([PASS] * 5 + [TELL] + [HUSH] * 14)


def test_no_limit_is_one_too() -> None:
    buckets = NoBuckets()
    assert {buckets.take("asha") for _ in range(100)} == {PASS}


def test_in_memory_the_longest_unused_are_forgotten() -> None:
    buckets = MemoryBuckets(ManualClock(), Rate(burst=1), most=2)
    for key in ("asha", "ben", "chen"):
        buckets.take(key)
    assert [buckets.take("chen"), buckets.take("asha")] == [TELL, PASS]


def test_a_clock_that_is_set_back_gives_nothing() -> None:
    clock = ManualClock()
    buckets = MemoryBuckets(clock, RATE)
    for _ in range(3):
        buckets.take("asha")
    clock.advance(timedelta(hours=-1))
    assert buckets.take("asha") is TELL


@pytest.mark.redis
def test_in_redis_a_bucket_that_is_full_again_is_not_kept(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        client.flushall()
        RedisBuckets(Link(redis_url), Rate(count=30, burst=90)).take("asha")
        assert 170_000 < client.pttl("wabot:bucket:asha") <= 180_001


@pytest.mark.redis
def test_a_flush_fills_the_buckets(redis_url: str) -> None:
    buckets = RedisBuckets(Link(redis_url), RATE)
    with Redis.from_url(redis_url) as client:
        client.flushall()
        for _ in range(4):
            buckets.take("asha")
        client.flushall()
        client.script_flush()
    assert buckets.take("asha") is PASS


@pytest.mark.redis
def test_without_redis_everything_passes_until_it_is_back(
    server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = [0.0]
    buckets = RedisBuckets(Link(server.url, lambda: seconds[0]), RATE)
    assert [buckets.take("asha") for _ in range(4)] == [PASS, PASS, PASS, TELL]
    server.stop()
    assert {buckets.take("asha") for _ in range(9)} == {PASS}
    seconds[0] = 5
    assert buckets.take("asha") is PASS
    server.start()
    assert {buckets.take("asha") for _ in range(9)} == {PASS}, "it isn't asked again at once"
    seconds[0] = 10
    assert [buckets.take("asha") for _ in range(4)] == [PASS, PASS, PASS, TELL]
    assert [record.levelname for record in caplog.records if '"redis"' in record.getMessage()] == ["ERROR"]


@pytest.mark.redis
def test_a_redis_that_hangs_is_waited_for_once(server: OwnRedis) -> None:
    seconds = [0.0]
    buckets = RedisBuckets(Link(server.url, lambda: seconds[0]), RATE)
    buckets.take("asha")
    server.freeze()
    began = monotonic()
    assert {buckets.take("asha") for _ in range(50)} == {PASS}
    assert monotonic() - began < 25 * TIMEOUT, "each of them would have waited"
