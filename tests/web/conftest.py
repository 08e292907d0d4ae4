from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.sites import Site, make_site

MakeSite = Callable[..., Site]


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
