"""docs/settings.md has every setting, with its type and its default, and nothing else."""

import re
from pathlib import Path

import pytest

from tests.docs.settings_rows import Row, rows

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)


def sections() -> dict[str, str]:
    """The parts of the page by the table they are about; the project's own under the empty name."""
    _, *parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    named = zip(parts[::2], parts[1::2], strict=True)
    return {"" if name == "The project" else name.strip("[]"): text for name, text in named}


TOLD = {
    (table, key): (type_, default, meaning)
    for table, text in sections().items()
    for key, type_, default, meaning in ROW.findall(text)
}


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: f"{row.table}.{row.key}".strip("."))
def test_every_setting_is_told(row: Row) -> None:
    type_, default, meaning = TOLD[row.table, row.key]
    assert (type_, default) == (row.type, row.default)
    *usual, _ = row.variables
    assert all(f"`{variable}`" in meaning for variable in usual)


def test_nothing_is_told_that_is_no_setting() -> None:
    assert set(TOLD) == {(row.table, row.key) for row in rows()}
