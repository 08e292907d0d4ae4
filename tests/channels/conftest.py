from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from wabot.adapters.channels.twilio import TwilioChannel
from wabot.core.database import Base, Database
from wabot.testing import FakeTwilio, ManualClock

OpenTwilio = Callable[..., TwilioChannel]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def twilio(clock: ManualClock) -> Iterator[FakeTwilio]:
    with FakeTwilio(clock=clock) as twilio:
        yield twilio


ON_BOTH = pytest.mark.parametrize(
    "record", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
"""For tests whose app's database several processes share: an SQLite file, and PostgreSQL."""


@pytest.fixture
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An app's database, with its tables: in memory, but for tests that are `ON_BOTH`."""
    kind = getattr(request, "param", "")
    url = f"sqlite:///{tmp_path / 'record.db'}" if kind else "sqlite://"
    if kind == "postgres":
        url = request.getfixturevalue("migrated_postgres")
    with closing(Database(url)) as database:
        Base.metadata.create_all(database.engine)
        yield database


@pytest.fixture
def open_twilio(twilio: FakeTwilio, record: Database, clock: ManualClock) -> Iterator[OpenTwilio]:
    """Makes channels to the fake Twilio; closed at the end."""
    with ExitStack() as stack:

        def make(**changes: Any) -> TwilioChannel:
            given: dict[str, Any] = {
                "account_sid": twilio.account_sid,
                "auth_token": twilio.auth_token,
                "database": lambda: record,
                "clock": clock,
                "api_base": twilio.url,
                **changes,
            }
            return stack.enter_context(closing(TwilioChannel(**given)))

        yield make


@pytest.fixture
def channel(open_twilio: OpenTwilio) -> TwilioChannel:
    return open_twilio()
