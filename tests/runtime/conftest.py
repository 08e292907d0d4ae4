from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.runtime.worlds import Runtime, make_runtime
from wabot.testing.fakes import FakeChannel

MakeRuntime = Callable[..., Runtime]


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def build(database_url: str) -> Iterator[MakeRuntime]:
    """`make_runtime` on a fresh database, closed afterwards."""
    made: list[Runtime] = []

    def make(**parts: Any) -> Runtime:
        made.append(make_runtime(**{"database": database_url, **parts}))
        return made[-1]

    yield make
    for runtime in made:
        runtime.world.database.close()


@pytest.fixture
def runtime(build: MakeRuntime, channel: FakeChannel) -> Runtime:
    return build(channel=channel)
