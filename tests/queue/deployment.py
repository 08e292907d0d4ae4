"""A project at work in real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import servers
from tests.testing import shop
from wabot.app import App
from wabot.bootstrap import build, load_settings
from wabot.core.messages import Inbound
from wabot.core.tables import InboundRow, OutboxRow

PATIENCE = 180.0
"""Seconds after which a wait counts as hanging; on a busy machine a start alone takes ten."""
QUICK_TO_MEND = {"WABOT_RUNTIME__LEASE": "5s", "WABOT_RUNTIME__GRACE": "1s"}
"""Where something is killed: what it had claimed is left alone for as long as the two together."""


class Deployment:
    """`app` accepts, as a web process would; `start` starts what works."""

    def __init__(
        self, folder: Path, redis_url: str, database_url: str | None, settings: dict[str, str]
    ) -> None:
        self.folder = shop.make(folder)
        self.environment = {
            "WABOT_PROJECT": str(self.folder),
            "WABOT_REDIS": redis_url,
            "WABOT_RUNTIME__SWEEP": "0.2s",
            "WABOT_RUNTIME__PATIENCE": "0.3s",
            **({"WABOT_DATABASE": database_url} if database_url else {}),
            **settings,
        }
        self.processes: list[Process] = []
        self._app: App | None = None

    @property
    def app(self) -> App:
        if self._app is None:
            self._app = build(load_settings(self.folder, environment=self.environment)).bind()
        return self._app

    def start(self, *arguments: str, wait_for: str = "Ctrl-C", **environment: str) -> "Process":
        """`wabot` with these arguments, once it says that it is up."""
        command = [sys.executable, "-m", "wabot", *arguments]
        process = Process(command, {**os.environ, **self.environment, **environment})
        self.processes.append(process)
        process.until(lambda: wait_for in process.said)
        return process

    def hear(self, text: str, phone: str = "+911") -> int:
        """Accept a message, and give its conversation's id."""
        event = f"{phone} {text} {time.monotonic_ns()}"
        message = Inbound(channel="console", event_id=event, sender=phone, recipient="wabot", text=text)
        assert self.app.accept(message)
        conversation = self.app.conversation(phone)
        assert conversation is not None
        return conversation.id

    def settled(self, turns: int) -> bool:
        """Whether so many messages had their turn, and every answer is sent."""
        with self.app.database.reading() as session:
            done = session.query(InboundRow).filter_by(status="done").count()
            unsent = session.query(OutboxRow).filter(OutboxRow.status != "sent").count()
        assert done <= turns
        return done == turns and unsent == 0

    def end(self) -> None:
        for process in self.processes:
            process.close()
        if self._app is not None:
            self._app.close()


class Process:
    """A process, and what it said on both streams; it is read all the time, so that it never waits for us."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.said = ""
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def until(self, condition: Callable[[], bool]) -> None:
        until(lambda: condition() or not self.alive)
        assert condition(), self.said

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop; gives its exit code."""
        self.tell(number)
        return self.wait()

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended_by(self, number: signal.Signals) -> bool:
        """Whether it has ended, told once more."""
        if self.alive:
            self.tell(number)
        return not self.alive

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        if self.alive:
            # A parent ends its children, and then itself.
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.said += line


@contextmanager
def redis_in(home: Path) -> Iterator[str]:
    """A Redis whose URL stays the same when another takes its place."""
    socket = home / "redis.sock"
    options: list[str | Path] = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", home]
    with subprocess.Popen([servers.find_redis(), *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            servers.await_line(process, servers.READY)
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
