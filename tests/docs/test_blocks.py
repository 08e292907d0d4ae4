from pathlib import Path

import pytest

from tests.docs.blocks import lay_files, parse

PAGE = Path("page.md")


def test_finds_blocks_with_their_line_language_and_source() -> None:
    [first, second] = parse(PAGE, ["Text", "", "```python", "x = 1", "```", "", "````yaml", "```", "````"])
    assert (first.place, first.language, first.source) == ("page.md:4", "python", "x = 1\n")
    assert (second.place, second.language, second.source) == ("page.md:8", "yaml", "```\n")


def test_an_indented_block_is_dedented() -> None:
    [block] = parse(PAGE, ["=== Tab", "", "    ```python", "    if x:", "        y()", "    ```"])
    assert block.source == "if x:\n    y()\n"


@pytest.mark.parametrize(
    ("opening", "first_line", "path"),
    [
        ('```yaml title="flows/shop.yaml"', "flow: shop", "flows/shop.yaml"),
        ("```yaml", "# tests/order.yaml", "tests/order.yaml"),
        ("```yaml", "# an order", None),
        ("```yaml", "flow: shop", None),
    ],
)
def test_a_block_may_name_the_file_it_is(opening: str, first_line: str, path: str | None) -> None:
    [block] = parse(PAGE, [opening, first_line, "```"])
    assert block.path == path


def test_a_remark_belongs_to_the_next_block_alone() -> None:
    lines = ["<!-- not run: needs an account -->", "", "```python", "```", "", "```python", "```"]
    [first, second] = parse(PAGE, lines)
    assert first.remarks == {"not run": "needs an account"}
    assert (first.runs, second.runs) == (False, True)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["<!-- not run -->", "```python", "```"], "page.md:1: say why"),
        (["<!-- run -->", "", "Text"], "page.md:3: a remark stands above no block"),
    ],
)
def test_a_remark_that_does_nothing_is_an_error(lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(parse(PAGE, lines))


def test_lays_the_files_that_blocks_name(tmp_path: Path) -> None:
    lines = ['```yaml title="flows/a.yaml"', "flow: a", "```", "```yaml", "flow: b", "```"]
    lay_files(parse(PAGE, lines), tmp_path)
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.yaml")] == [Path("flows/a.yaml")]
    assert (tmp_path / "flows/a.yaml").read_text() == "flow: a\n"
