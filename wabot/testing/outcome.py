"""How a written conversation went."""

from dataclasses import dataclass, field
from typing import Any, Literal

from wabot.engine.problems import Path, Place
from wabot.engine.step import Trace
from wabot.testing.files import Case


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that went another way. `lines` say how: `-` expected, `+` got."""

    place: Place
    message: str
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.place}: {self.message}", *(f"    {line}" for line in self.lines)])

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "message": self.message,
            "details": list(self.lines),
        }


@dataclass(slots=True)
class Outcome:
    """How a conversation went. `updates` are the answers that `--update` would write, by their path."""

    case: Case
    status: Literal["passed", "failed", "error", "skipped"] = "passed"
    failures: list[Failure] = field(default_factory=list)
    transcript: list[tuple[str, str]] = field(default_factory=list)
    updates: list[tuple[Path, Any]] = field(default_factory=list)
    trace: list[Trace] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.case.file,
            "line": self.case.start.line,
            "name": self.case.name,
            "status": self.status,
            "seconds": round(self.seconds, 4),
            "failures": [failure.as_json() for failure in self.failures],
        }


def as_line(who: str, text: str) -> str:
    """One entry of a transcript; a text of several lines goes on below its beginning."""
    return f"{who}: " + text.replace("\n", "\n     ") if who else text
