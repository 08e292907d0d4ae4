"""Buckets and circuits in both forms, whose time can be moved: the same tests hold for each."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from redis import Redis

from tests import servers
from wabot.adapters.redis import Link, RedisBreaker, RedisBuckets
from wabot.core.buckets import Buckets, MemoryBuckets, Rate
from wabot.core.circuits import Breaker, CircuitPolicy, CircuitState, MemoryBreaker
from wabot.testing.fakes import ManualClock

FORMS = ["memory", pytest.param("redis", marks=pytest.mark.redis)]
RATE = Rate(count=30, window=timedelta(minutes=1), burst=3)
POLICY = CircuitPolicy(threshold=3, pause=timedelta(seconds=30), probe=timedelta(seconds=60))


def age(client: Redis, delay: timedelta) -> None:
    """Redis takes its own time, which can't be moved: so what it wrote down is."""
    for key in client.scan_iter("wabot:*"):
        for name in ("at", "told", "opened", "probe"):
            if client.hexists(key, name):
                client.hincrby(key, name, -int(delay.total_seconds() * 1000))


@dataclass
class Moved:
    """`later` lets time pass for whatever `buckets` and `breaker` made."""

    buckets: Callable[[Rate], Buckets]
    breaker: Callable[[], Breaker]
    later: Callable[[timedelta], None]
    heard: list[CircuitState] = field(default_factory=list)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[Moved]:
    if request.param == "memory":
        clock = ManualClock()
        made = Moved(lambda rate: MemoryBuckets(clock, rate), lambda: shared, clock.advance)
        shared = MemoryBreaker(clock, POLICY, lambda _, state: made.heard.append(state))
        yield made
        return
    url = request.getfixturevalue("redis_url")
    with closing(Link(url)) as link, Redis.from_url(url, decode_responses=True) as client:
        client.flushall()
        made = Moved(
            lambda rate: RedisBuckets(link, rate),
            lambda: RedisBreaker(link, POLICY, lambda _, state: made.heard.append(state)),
            lambda delay: age(client, delay),
        )
        yield made


@pytest.fixture
def server(redis_url: str) -> Iterator[servers.OwnRedis]:
    """`redis_url` first: it knows what to do where there is no Redis."""
    with servers.own_redis() as started:
        yield started
