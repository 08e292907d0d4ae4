"""Redis may lose everything at any moment, be gone and come back: that costs seconds and no message."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from redis import Redis

from tests import servers
from tests.faults.bots import Bot
from tests.faults.crowd import Count, Crowd
from tests.faults.harness import PATIENCE, Bots, wait_until
from wabot.adapters.queue import status
from wabot.core.database import Database
from wabot.runtime import next_due
from wabot.testing import FakeProvider

pytestmark = pytest.mark.redis
MESSAGES = 60
RUNG = timedelta(seconds=2)
"""So long nobody does by himself what RQ was rung for."""


@contextmanager
def workers(database: str, redis: str, provider: FakeProvider, patience: timedelta = RUNG) -> Iterator[Bots]:
    """Two that take messages and work for RQ."""
    grace = timedelta(seconds=0.5)
    bot = Bot(database, provider.url, flow="echo", redis=redis, patience=patience, grace=grace)
    with closing(Bots(provider, bot)) as bots:
        bots.start()
        bots.start()
        yield bots


def work(bots: Bots, *faults: Callable[[], object], messages: int = MESSAGES) -> None:
    """Let contacts write, and cause each fault while they do; then nothing is lost, doubled or disordered."""
    crowd = Crowd(10, messages, lambda: [live.port for live in bots.live])
    crowd.start()
    for number, fault in enumerate(faults, start=1):
        assert bots.provider.wait_for(number * messages // (len(faults) + 1), PATIENCE)
        fault()
    wait_until(lambda: not crowd.busy)
    with closing(Database(bots.bot.database)) as record:
        wait_until(lambda: next_due(record) is None)
    assert crowd.count(bots.provider) == Count()


def test_redis_is_emptied_again_and_again(shared_url: str, redis_url: str, provider: FakeProvider) -> None:
    with workers(shared_url, redis_url, provider) as bots, Redis.from_url(redis_url) as redis:
        flush: Callable[[], object] = redis.flushall
        work(bots, *[flush] * 5)
        wait_until(lambda: len(seen(redis_url)) == 2)


def seen(url: str) -> tuple[object, ...]:
    """The workers that Redis knows of."""
    found = status(url)
    return found.workers if found else ()


def test_redis_is_gone_and_comes_back(shared_url: str, provider: FakeProvider, redis_url: str) -> None:
    with servers.own_redis() as redis, workers(shared_url, redis.url, provider) as bots:
        work(bots, redis.stop, redis.start, redis.stop, redis.start)
        wait_until(lambda: len(seen(redis.url)) == 2)


@pytest.mark.postgres
def test_redis_hangs_and_a_worker_is_killed(
    migrated_postgres: str, provider: FakeProvider, redis_url: str
) -> None:
    """On one database, and few messages: each that comes while Redis hangs waits a second for it."""
    with servers.own_redis() as redis, workers(migrated_postgres, redis.url, provider) as bots:

        def replace() -> None:
            bots.replace(bots.live[0])

        work(bots, redis.freeze, replace, redis.thaw, replace, messages=30)


def test_sweepers_race_the_jobs(shared_url: str, provider: FakeProvider, redis_url: str) -> None:
    """Nobody is patient: whatever RQ was rung for, two sweepers want to do at the same time."""
    with workers(shared_url, redis_url, provider, timedelta(0)) as bots:
        work(bots)
