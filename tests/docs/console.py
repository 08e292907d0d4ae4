"""Runs the commands of a console block in a shell and compares what they print.

A line that is `...` stands for any lines; `...` within a line for any text.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROMPT = "$ "


@dataclass(slots=True)
class Session:
    """One folder after another, as `cd` moves."""

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        programs = Path(sys.executable).parent
        self.environment["PATH"] = f"{programs}{os.pathsep}{self.environment.get('PATH', '')}"
        self.environment |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}

    def play(self, source: str) -> Iterator[tuple[str, str, str]]:
        """Yields each command with the output that the block shows and the one that it gave."""
        for command, shown in commands(source):
            if command.startswith("cd "):
                self.folder = self.folder / command.removeprefix("cd ")
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            yield command, shown, done.stdout


def commands(source: str) -> Iterator[tuple[str, str]]:
    for part in re.split(rf"^{re.escape(PROMPT)}", source, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def agrees(shown: str, given: str) -> bool:
    """Whether the block shows what was given; one that shows nothing agrees with everything."""
    if not shown.strip():
        return True
    pattern = re.escape(tidy(shown)).replace(re.escape("..."), ".*?")
    return re.fullmatch(pattern, tidy(given), flags=re.DOTALL) is not None


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
