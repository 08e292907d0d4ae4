import gc
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import make_url

from tests import migrated, servers
from wabot.bootstrap import find_modules
from wabot.core.database import Database
from wabot.core.log import NAME
from wabot.core.migrate import upgrade

# The same examples in every run: a red test is red for the next one who looks.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
# Here new examples each time, to find what CI's don't.
settings.register_profile("local", deadline=None)

IN_CI = os.environ.get("CI") == "true"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "local"))

# Once and for all: pytest's own tests of plugins forget what was first imported in them, and a table can't
# be declared again.
find_modules()


def pytest_collection_finish() -> None:
    """What is imported by now stays: the collector needn't look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def remembered_migrations() -> Iterator[None]:
    """An empty SQLite gets its tables the fast way, but where a test takes `real_migrations`."""
    with migrated.remembering():
        yield


@pytest.fixture
def real_migrations() -> Iterator[None]:
    with migrated.in_earnest():
        yield


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    """What a command at the terminal sets up for its process must not write into another test's output."""
    logger = logging.getLogger(NAME)
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def missing(error: servers.ServerMissing) -> None:
    if IN_CI:
        pytest.fail(f"CI needs every server: {error}")
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The SQLAlchemy URL of a real PostgreSQL, started for this session."""
    try:
        with servers.postgres() as url:
            yield url
    except servers.ServerMissing as error:
        missing(error)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database of this test's own, on the session's server."""
    with servers.postgres_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a database with the tables of wabot and all its modules, to make others from."""
    with servers.postgres_database(postgres_url) as url:
        with closing(Database(url)) as database:
            upgrade(database, find_modules())
        yield str(make_url(url).database)


@pytest.fixture
def migrated_postgres(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """The SQLAlchemy URL of a database of this test's own that has all tables."""
    with servers.postgres_database(postgres_url, template=postgres_template) as url:
        yield url


BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database: the test runs on SQLite in memory and on PostgreSQL."""
    return "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("migrated_postgres"))


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest) -> str:
    """As `database_url`, without any table."""
    return "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("postgres_database"))


@pytest.fixture(params=BOTH)
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As `database_url`, for several connections or processes: SQLite is a file."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    return str(request.getfixturevalue("migrated_postgres"))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a real Redis, started for this session; a test empties what it uses."""
    try:
        with servers.redis() as url:
            yield url
    except servers.ServerMissing as error:
        missing(error)
