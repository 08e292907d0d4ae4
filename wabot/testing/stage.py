"""An app on a database in memory that one conversation after another can use, each as if it were new."""

import sqlite3
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, cast

from wabot.app import App
from wabot.engine.step import Step
from wabot.pipeline.compose import CallNext
from wabot.pipeline.turn import Turn
from wabot.testing.fakes import FakeChannel, ManualClock, SequentialIds

if TYPE_CHECKING:
    from wabot.testing.projects import Project


class Recorder:
    """Middleware that keeps what the engine did in each turn, and the errors of those that failed."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.errors: list[Exception] = []

    def __call__(self, turn: Turn, call_next: CallNext) -> None:
        turn.trace = True
        try:
            call_next()
        except Exception as error:
            self.errors.append(error)
            raise
        if turn.step is not None:
            self.steps.append(turn.step)


class _Ids(SequentialIds):
    def begin_anew(self) -> None:
        self._last = 0


class Stage:
    """An app with a fake channel and a clock. Putting one together (migrations, checks, SQL) costs more
    than most conversations: so it is kept, and its database goes back to what it was."""

    def __init__(self, project: "Project", flow: str | None) -> None:
        self.flow = flow
        self.channel = FakeChannel()
        self.clock = ManualClock()
        self.recorder = Recorder()
        self._ids = _Ids()
        self.app: App = project.app(self.channel, self.clock, self._ids, flow=flow)
        self.app.use(self.recorder)
        self.app.bind()
        self._pristine = sqlite3.connect(":memory:", check_same_thread=False)
        self._copy(self._connection, self._pristine)

    def set(self, now: datetime) -> None:
        """Everything as it was at first, and the time `now`."""
        self._copy(self._pristine, self._connection)
        self.clock.set(now)
        self._ids.begin_anew()
        # New lists: the last conversation may still be read.
        self.channel.sent = []
        self.recorder.steps, self.recorder.errors = [], []

    def close(self) -> None:
        self._pristine.close()
        self.app.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        """The one connection under a database in memory."""
        with closing(self.app.database.engine.raw_connection()) as pooled:
            return cast("sqlite3.Connection", pooled.driver_connection)

    @staticmethod
    def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
        source.backup(target)
