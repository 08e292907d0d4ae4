import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, make_url, text

from tests import servers

# The same examples in every run: a red test is red for the next one who looks.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
# Here new examples each time, to find what CI's don't.
settings.register_profile("local", deadline=None)

IN_CI = os.environ.get("CI") == "true"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "local"))


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
def postgres_database(postgres_url: str) -> str:
    """The SQLAlchemy URL of an empty database of this test's own, on the session's server."""
    name = f"test_{uuid4().hex}"
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return make_url(postgres_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a real Redis, started for this session; a test empties what it uses."""
    try:
        with servers.redis() as url:
            yield url
    except servers.ServerMissing as error:
        missing(error)
