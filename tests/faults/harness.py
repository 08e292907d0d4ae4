"""Starts bots, kills them, and looks at what the contacts got and what the record holds."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerProcess
from typing import Any

from tests.faults import bots
from tests.faults.bots import PHONE, Bot
from wabot.app import App
from wabot.testing import FakeProvider

# Real processes, forked from one that has imported everything already.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.bots"])
PATIENCE = 180.0
"""Seconds after which a process or a wait counts as hanging."""


@dataclass(slots=True)
class Live:
    """A bot that sweeps and takes messages over HTTP until it is ended."""

    process: ForkServerProcess
    port: int

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.join(PATIENCE)

    def end(self) -> int | None:
        """As a deployment does it: the work in hand is finished."""
        self.send(signal.SIGTERM)
        self.process.join(PATIENCE)
        return self.process.exitcode

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid
        os.kill(self.process.pid, number)

    def wait_until_stopped(self) -> None:
        """Until it has stopped itself with SIGSTOP."""
        status = f"/proc/{self.process.pid}/stat"

        def stopped() -> bool:
            with open(status, encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel's
                return file.read().rpartition(")")[2].split()[0] == "T"

        wait_until(stopped)


@dataclass(slots=True)
class Bots:
    """`bot` is what every process is, but for what a call says otherwise."""

    provider: FakeProvider
    bot: Bot
    live: list[Live] = field(default_factory=list)

    def run(self, *texts: str, **changes: Any) -> None:
        """Whoever comes next: accepts these texts and drains. It is no process of its own, being none of
        those that died."""
        bots.talk(replace(self.bot, **changes), texts)

    def begin(self, *texts: str, **changes: Any) -> ForkServerProcess:
        """A process that accepts these texts, drains and ends."""
        process = PROCESSES.Process(target=bots.talk, args=(replace(self.bot, **changes), texts))
        process.start()
        return process

    def killed(self, crash_at: str, *texts: str, **changes: Any) -> None:
        """A process that does the same, and dies at this crash point."""
        assert self.crash(crash_at, *texts, **changes) == -signal.SIGKILL

    def crash(self, crash_at: str, *texts: str, **changes: Any) -> int | None:
        """As `killed`, but it may not get there; its exit code."""
        process = self.begin(*texts, crash_at=crash_at, **changes)
        process.join(PATIENCE)
        return process.exitcode

    def start(self, **changes: Any) -> Live:
        """A bot that lives by the real clock."""
        here, there = PROCESSES.Pipe(duplex=False)
        bot = replace(self.bot, **{"hours": None, **changes})
        process = PROCESSES.Process(target=bots.serve, args=(bot, there), daemon=True)
        process.start()
        there.close()
        try:
            assert here.poll(PATIENCE), "the bot didn't start"
            self.live.append(Live(process, here.recv()))
        finally:
            here.close()
        return self.live[-1]

    def replace(self, live: Live) -> Live:
        """Kill a bot, and start another in its place."""
        self.live.remove(live)
        live.kill()
        live.process.close()
        return self.start()

    def close(self) -> None:
        for live in self.live:
            if live.process.is_alive():
                live.kill()
            live.process.close()

    @contextmanager
    def record(self, **changes: Any) -> Iterator[App]:
        """The record, to look at."""
        with replace(self.bot, **changes).make().bind() as app:
            yield app

    @property
    def said(self) -> list[str]:
        """What the contact got to read."""
        return self.provider.texts(PHONE)


def wait_until(is_so: Any) -> None:
    """Fails where it isn't so for too long."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
