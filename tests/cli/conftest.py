from pathlib import Path

import pytest

from tests.testing import shop


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, which is also where commands run."""
    folder = shop.make(tmp_path / "shop")
    monkeypatch.chdir(folder)
    return folder
