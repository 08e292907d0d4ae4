"""What the outside gives: the time and new ids. Both can be replaced, so nothing else asks for them."""

from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...


class Ids(Protocol):
    def new(self) -> str:
        """A new id: letters, digits and dashes, never the same twice."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomIds:
    def new(self) -> str:
        return uuid4().hex
