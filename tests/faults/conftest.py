from collections.abc import Iterator

import pytest

from tests.faults.bots import Bot
from tests.faults.harness import Bots
from wabot.testing import FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def bots(shared_url: str, provider: FakeProvider) -> Iterator[Bots]:
    """Bots on a fresh record: SQLite in a file, and PostgreSQL."""
    bots = Bots(provider, Bot(shared_url, provider.url))
    yield bots
    bots.close()
