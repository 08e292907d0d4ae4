import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from wabot.cli import supervisor
from wabot.cli.supervisor import PARENT, Supervisor

WAITS = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(99)"


class Children:
    def __init__(self, *codes: str) -> None:
        self.codes = list(codes)
        self.started: list[subprocess.Popen[bytes]] = []
        self.said: list[str] = []

    def start(self, place: int) -> subprocess.Popen[bytes]:
        code = self.codes[min(len(self.started), len(self.codes) - 1)]
        self.started.append(subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE))
        return self.started[-1]

    def keep(self, number: int, *, once: bool = False) -> int:
        try:
            return Supervisor(self.start, number, once=once, say=self.said.append).run()
        finally:
            for child in self.started:
                assert child.returncode is not None, "no child outlives its parent"
                assert child.stdout is not None
                child.stdout.close()


def when(condition: Callable[[], bool], *then: Callable[[], object]) -> None:
    """From another thread, as soon as it is so."""

    def watch() -> None:
        while not condition():
            time.sleep(0.01)
        for step in then:
            step()

    threading.Thread(target=watch).start()


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_it_keeps_children_and_ends_them() -> None:
    children = Children(WAITS)
    when(lambda: len(children.started) == 3, stop)
    assert children.keep(3) == 0
    assert [child.returncode for child in children.started] == [-signal.SIGTERM] * 3
    assert children.said == []


def test_one_that_is_killed_is_replaced() -> None:
    children = Children("import os; os.kill(os.getpid(), 9)", WAITS)
    when(lambda: len(children.started) == 2, stop)
    assert children.keep(1) == 0
    (line,) = children.said
    assert line.endswith("was killed by SIGKILL; another one takes its place.")


def test_one_that_ends_by_itself_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STARTING", 0.0)
    children = Children("raise SystemExit(3)", WAITS)
    when(lambda: len(children.started) == 2, stop)
    assert children.keep(1) == 0
    (line,) = children.said
    assert line.endswith("ended with 3; another one takes its place.")


def test_one_that_cannot_start_ends_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STARTING", 180.0)
    children = Children(WAITS, "raise SystemExit(2)")
    assert children.keep(2) == 2
    (line,) = children.said
    assert line.endswith("could not start; the others are ended too.")


def test_children_of_a_burst_are_not_replaced() -> None:
    children = Children("pass")
    assert children.keep(2, once=True) == 0
    assert len(children.started) == 2


def test_a_second_signal_kills() -> None:
    children = Children(DEAF)

    def ready() -> bool:
        if not children.started:
            return False
        stream = children.started[0].stdout
        assert stream is not None
        return bool(stream.readline())

    # Of two kinds, since two of one kind that wait are one.
    when(ready, stop, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert children.keep(1) == 0
    assert children.started[0].returncode == -signal.SIGKILL


def test_a_child_ends_when_its_parent_is_another() -> None:
    code = "from wabot.cli.supervisor import follow_parent; import time; follow_parent(); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, PARENT: "1"})
    assert child.wait(180) == -signal.SIGTERM
