from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.offices import Office
from tests.web.sites import Site, make_site

MakeSite = Callable[..., Site]
MakeOffice = Callable[..., Office]


@pytest.fixture
def build(database_url: str) -> Iterator[MakeSite]:
    """`make_site` on a fresh database, closed afterwards."""
    made: list[Site] = []

    def make(**parts: Any) -> Site:
        made.append(make_site(**{"database": database_url, **parts}))
        return made[-1]

    yield make
    for site in made:
        site.app.close()


@pytest.fixture
def site(build: MakeSite) -> Site:
    return build()


@pytest.fixture
def open_office(database_url: str) -> Iterator[MakeOffice]:
    """`Office` on a fresh database, closed afterwards."""
    made: list[Office] = []

    def make(**parts: Any) -> Office:
        made.append(Office(database_url, **parts))
        return made[-1]

    yield make
    for office in made:
        office.close()
