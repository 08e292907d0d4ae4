"""A clock that `/wait` can move."""

from datetime import datetime, timedelta

from wabot.core.ports import SystemClock


class MovableClock:
    """The system's time, and what was added to it."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._ahead = timedelta()

    def now(self) -> datetime:
        return self._system.now() + self._ahead

    def move_to(self, moment: datetime) -> None:
        """Let it be `moment` now; a moment in the past is left alone."""
        self._ahead += max(moment - self.now(), timedelta())
