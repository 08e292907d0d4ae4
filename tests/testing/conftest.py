from pathlib import Path

import pytest

from tests.testing import shop


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own on the disk."""
    return shop.make(tmp_path / "shop")
