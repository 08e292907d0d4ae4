"""A parent that keeps so many children at work, and ends them all when it is told to stop."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from wabot.core.flag import Flag

PARENT = "WABOT_PARENT"
"""In a child's environment: the process that keeps it."""
STARTING = 15.0
"""A child that gives up within these seconds could not start, and another one couldn't either. Importing all
of it takes a second or two, and on a machine with too much to do several times that."""
SHORT_LIFE = 30.0
LONGEST_PAUSE = 30.0
POLL = 0.5


@dataclass(slots=True)
class _Place:
    """One of the children; `process` is None between its end and the start of the next, at `start_at`."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    pause: float = 0.5
    done: bool = False


class Supervisor:
    """Starts `number` children and another for each that dies, later and later for those that die young.

    `start` is told the place of the child, from 0 on; the one that takes its place has the same.
    With `once` a child that ends well is not replaced. `say` tells the operator.
    """

    def __init__(
        self,
        start: Callable[[int], subprocess.Popen[bytes]],
        number: int,
        *,
        once: bool,
        say: Callable[[str], None],
    ) -> None:
        self._start = start
        self._places = [_Place(each) for each in range(number)]
        self._once = once
        self._say = say
        self._signals = 0
        self._code = 0
        self._woken = Flag()

    def run(self) -> int:
        """Until SIGTERM or SIGINT, and all children have ended; a second signal kills them.

        Gives the exit code: that of a child that could not start, else 0.
        """
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        before = {number: signal.signal(number, self._hear) for number in numbers}
        told = 0
        try:
            while True:
                self._woken.clear()
                for place in self._places:
                    self._look_after(place)
                if self._signals > told:
                    self._tell(signal.SIGTERM if self._signals == 1 else signal.SIGKILL)
                    told = self._signals
                if all(place.process is None for place in self._places) and self._nothing_to_start():
                    return self._code
                self._woken.wait(POLL)
        finally:
            self._tell(signal.SIGKILL)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals += 1
        self._woken.set()

    def _nothing_to_start(self) -> bool:
        return bool(self._signals) or all(place.done for place in self._places)

    def _look_after(self, place: _Place) -> None:
        now = time.monotonic()
        if place.process is not None and (code := place.process.poll()) is not None:
            self._bury(place, place.process.pid, code, now)
        if place.process is None and not place.done and not self._signals and now >= place.start_at:
            place.process, place.started = self._start(place.number), now

    def _bury(self, place: _Place, pid: int, code: int, now: float) -> None:
        lived = now - place.started
        place.process = None
        if self._signals:
            return
        if self._once and code == 0:
            place.done = True
        elif code > 0 and lived < STARTING:
            self._say(f"Worker {pid} could not start; the others are ended too.")
            self._code, self._signals = code, self._signals + 1
        else:
            why = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            self._say(f"Worker {pid} {why}; another one takes its place.")
            place.pause = min(place.pause * 2, LONGEST_PAUSE) if lived < SHORT_LIFE else 0.5
            place.start_at = now + place.pause

    def _tell(self, number: signal.Signals) -> None:
        for place in self._places:
            if place.process is not None and place.process.poll() is None:
                place.process.send_signal(number)
        if number == signal.SIGKILL:
            for place in self._places:
                if place.process is not None:
                    place.process.wait()


def follow_parent() -> None:
    """Let this child stop when its parent is gone: nobody would ever tell it to."""
    parent = os.environ.get(PARENT)
    if parent is not None:
        threading.Thread(target=_follow, args=(int(parent),), daemon=True, name="wabot-parent").start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL)
    os.kill(os.getpid(), signal.SIGTERM)
