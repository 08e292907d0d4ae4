"""Runs the command line: in this process, or at a terminal of its own."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from wabot.cli import main

PATIENCE = 180


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@contextmanager
def _streams(given: str) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    kept = sys.stdin, sys.stdout, sys.stderr
    out, err = io.StringIO(), io.StringIO()
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(given), out, err
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


def wabot(*arguments: object, stdin: str = "") -> Ran:
    with _streams(stdin) as (out, err), pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    code = leaving.value.code
    return Ran(code if isinstance(code, int) else 0 if code is None else 1, out.getvalue(), err.getvalue())


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        command = [str(Path(sys.executable).with_name("wabot")), *arguments]
        environment = os.environ | {"NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave, close_fds=True
        )
        os.close(slave)
        self.shown = ""

    def until(self, text: str) -> str:
        """Everything shown, once `text` is among it."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown and time.monotonic() < deadline and self._read(1):
            pass
        assert text in self.shown
        return self.shown

    def type(self, text: str) -> None:
        self.shown = ""
        os.write(self._master, text.encode())

    def end(self) -> int:
        """The exit code, once it has ended; what it still says is in `shown`."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._read(0.2):
            pass
        return self.process.wait(timeout=PATIENCE)

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        # What is echoed shows that it reads. An interrupt just before it waits again is lost: hence twice.
        self.type("x")
        self.until("x")
        for _ in range(2):
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=15)
                break
        return self.end()

    def _read(self, seconds: float) -> bool:
        """Take what comes within this time; False once there will be no more."""
        if not select.select([self._master], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            self.shown += os.read(self._master, 4096).decode("utf-8", "replace")
        except OSError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
