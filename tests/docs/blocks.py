"""Finds the code blocks of a Markdown page, and what the comments above them ask for.

    <!-- not run: why -->     the block is left alone
    <!-- continued -->        a Python block that stands on the page's earlier ones
    <!-- run -->              a console block whose commands are run and whose output is compared

A block with a path, as `title="flows/shop.yaml"` behind the language or as a comment in its first line, is a
file of the project that the page builds up: later blocks of the page find it.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w-]*) *(?P<rest>.*)$")
TITLE = re.compile(r'title="(?P<path>[^"]+)"')
FIRST_LINE = re.compile(r"^# (?P<path>[\w./-]+\.\w+)$")
REMARK = re.compile(r"^<!-- (?P<name>not run|continued|run)(?:: (?P<reason>.+?))? -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """`line` is that of the first line of `source`, counted from 1."""

    page: Path
    line: int
    language: str
    source: str
    path: str | None
    remarks: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def runs(self) -> bool:
        return "not run" not in self.remarks


def blocks_of(page: Path) -> list[Block]:
    return list(parse(page, page.read_text(encoding="utf-8").splitlines()))


def parse(page: Path, lines: list[str]) -> Iterator[Block]:
    remarks: dict[str, str] = {}
    numbered = iter(enumerate(lines, start=1))
    for number, line in numbered:
        if fence := FENCE.match(line):
            source = body(numbered, fence["ticks"])
            yield Block(page, number + 1, fence["language"], source, path_of(fence["rest"], source), remarks)
            remarks = {}
        elif remark := REMARK.match(line.strip()):
            if remark["name"] == "not run" and not remark["reason"]:
                raise ValueError(f"{page.name}:{number}: say why the block is not run")
            remarks[remark["name"]] = remark["reason"] or ""
        elif line.strip() and remarks:
            raise ValueError(f"{page.name}:{number}: a remark stands above no block")


def body(numbered: Iterable[tuple[int, str]], ticks: str) -> str:
    taken = []
    for _, line in numbered:
        if line.strip() == ticks:
            break
        taken.append(line)
    return textwrap.dedent("\n".join(taken)) + "\n"


def path_of(rest: str, source: str) -> str | None:
    named = TITLE.search(rest) or FIRST_LINE.match(source.split("\n", 1)[0])
    return named["path"] if named else None


def lay_files(blocks: Iterable[Block], folder: Path) -> None:
    """Writes the blocks that are files below `folder`; a later one of the same path replaces the earlier."""
    for block in blocks:
        if block.path:
            target = folder / block.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.source, encoding="utf-8")
