"""What commands print: plain without a terminal, in colour with one, one JSON value with `--json`."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from wabot.engine.problems import Problem
    from wabot.errors import WabotError


def console(*, stderr: bool = False) -> "Console":
    """A console on the current standard output or error; rich itself honours NO_COLOR."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # A pipe has no width: what goes down it is not wrapped.
    return Console(file=stream, highlight=False, soft_wrap=not stream.isatty(), markup=False, emoji=False)


def show(*lines: "RenderableType") -> None:
    screen = console()
    for line in lines:
        screen.print(line)


def show_json(value: Any) -> None:
    """One JSON value on one line; what is not JSON is written as text."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def show_error(error: "WabotError") -> None:
    """One clear message on standard error: what, where, and how to mend it."""
    from rich.text import Text

    screen = console(stderr=True)
    problems = tuple(getattr(error, "problems", ()))
    if problems:
        show_problems(problems, screen)
        return
    line = Text.assemble(("error: ", "bold red"), error.message)
    screen.print(line)
    if error.hint:
        screen.print(Text.assemble(("  mend: ", "bold"), error.hint))


def show_problems(problems: Iterable["Problem"], screen: "Console | None" = None) -> None:
    """Each finding with its source line and a caret under the place."""
    screen = screen or console()
    for problem in problems:
        for line in problem_lines(problem):
            screen.print(line)


def problem_lines(problem: "Problem") -> list["RenderableType"]:
    from rich.text import Text

    colour = "bold red" if problem.severity == "error" else "bold yellow"
    place = problem.place
    lines: list[RenderableType] = [
        Text.assemble(
            (f"{place}: ", "bold"),
            (f"{problem.severity}: ", colour),
            problem.message,
            (f"  [{problem.code}]", "dim"),
        )
    ]
    source = source_line(place.file, place.line)
    if source.strip():
        number = f"{place.line:>5} | "
        before = len(source[: place.column - 1].expandtabs(4))
        lines.append(Text.assemble((number, "dim"), source.expandtabs(4)))
        lines.append(Text.assemble((" " * (len(number) - 2) + "| ", "dim"), " " * before, ("^", colour)))
    if problem.hint:
        lines.append(Text.assemble(("   mend: ", "bold"), problem.hint))
    return lines


def source_line(file: str, line: int) -> str:
    path = Path(file)
    try:
        lines = _lines(path.resolve(), path.stat().st_mtime_ns)
    except OSError:
        return ""
    return lines[line - 1] if 0 < line <= len(lines) else ""


@lru_cache(maxsize=64)
def _lines(path: Path, _changed_at: int) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return ()


def counted(number: int, one: str, many: str = "") -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def compact(value: Any) -> str:
    """`value` on one line, for tables and traces: as JSON, money, decimals and times as people write them."""
    return json.dumps(value, ensure_ascii=False, default=_as_text)


def _as_text(value: Any) -> Any:
    from pydantic import BaseModel

    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    return str(value)


def table(
    rows: Iterable[tuple[str, ...]], columns: Mapping[str, str], *, heads: bool = True
) -> Iterator["Text"]:
    """Lines in columns; `columns` are headings and their styles. The last column is not padded."""
    from rich.cells import cell_len
    from rich.text import Text

    body = list(rows)
    lines = [tuple(columns), *body] if heads else body
    widths = [max((cell_len(line[at]) for line in lines), default=0) for at in range(len(columns))]
    for number, line in enumerate(lines):
        text = Text()
        for cell, width, style in zip(line, widths, columns.values(), strict=True):
            text.append(cell, style="dim" if heads and number == 0 else style)
            text.append(" " * (width - cell_len(cell) + 2))
        text.rstrip()
        yield text
