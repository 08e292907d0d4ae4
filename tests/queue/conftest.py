from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.queue.deployment import Deployment
from wabot.adapters.queue import RqDoorbell
from wabot.core.metrics import MemoryMetrics
from wabot.testing.fakes import SequentialIds


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis."""
    client = Redis.from_url(redis_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def bell(redis: Redis, redis_url: str) -> Iterator[RqDoorbell]:
    bell = RqDoorbell(redis_url, MemoryMetrics(), SequentialIds())
    yield bell
    bell.close()


Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """`deploy(redis_url, database_url)` makes a project; its processes end with the test."""
    made: list[Deployment] = []

    def make(redis_url: str, database_url: str | None = None, **settings: str) -> Deployment:
        made.append(Deployment(tmp_path / f"shop{len(made)}", redis_url, database_url, settings))
        return made[-1]

    yield make
    for deployment in made:
        deployment.end()
