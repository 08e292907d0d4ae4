"""A reader finds every page, and every extra."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.name for page in (ROOT / "docs").glob("*.md") if page.name != "index.md")


@pytest.mark.parametrize(("where", "folder"), [("README.md", "docs/"), ("docs/index.md", "")])
def test_every_page_is_linked(where: str, folder: str) -> None:
    linked = re.findall(rf"\]\({folder}([\w-]+\.md)\)", (ROOT / where).read_text(encoding="utf-8"))
    assert [page for page in PAGES if page not in linked] == []


def test_the_readme_says_what_every_extra_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(project["optional-dependencies"])
