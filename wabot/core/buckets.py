"""How often something may happen: token buckets, by key."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from wabot.core.ports import Clock


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in each `window`, evenly; and as many as `burst` at once by one who was quiet before."""

    count: int = 30
    window: timedelta = timedelta(minutes=1)
    burst: int = 30

    @property
    def per_second(self) -> float:
        return self.count / self.window.total_seconds()

    @property
    def idle(self) -> timedelta:
        """After so long a bucket is full again and nothing of it has to be kept."""
        return max(self.window, self.window * (self.burst / self.count))


class Verdict(StrEnum):
    """`tell`: too much, and for the first time in this window. `hush`: too much, and that was said."""

    PASS = "pass"  # noqa: S105 - no password
    TELL = "tell"
    HUSH = "hush"


class Buckets(Protocol):
    """One bucket a key. Whoever can't reach them lets everything pass."""

    def take(self, key: str) -> Verdict:
        """Take a token, if there is one."""
        ...


class NoBuckets:
    """No limit."""

    def take(self, key: str) -> Verdict:
        return Verdict.PASS


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: datetime
    told: datetime | None = None


class MemoryBuckets:
    """The buckets of this process, for as long as it runs; the `most` last used ones are kept."""

    def __init__(self, clock: Clock, rate: Rate, most: int = 100_000) -> None:
        self._clock = clock
        self._rate = rate
        self._most = most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def take(self, key: str) -> Verdict:
        now = self._clock.now()
        with self._one_at_a_time:
            bucket = self._filled(key, now)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return Verdict.PASS
            if bucket.told is not None and now - bucket.told < self._rate.window:
                return Verdict.HUSH
            bucket.told = now
            return Verdict.TELL

    def _filled(self, key: str, now: datetime) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(self._rate.burst, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        # A clock that was set back gives nothing and takes nothing.
        passed = max((now - bucket.at).total_seconds(), 0.0)
        bucket.tokens = min(bucket.tokens + passed * self._rate.per_second, self._rate.burst)
        bucket.at = now
        return bucket
