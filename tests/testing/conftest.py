from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.testing import shop
from wabot.testing import Project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own on the disk."""
    return shop.make(tmp_path / "shop")


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that tests share: none of them changes its files."""
    with closing(Project.open(shop.make(tmp_path_factory.mktemp("shared")))) as project:
        yield project
