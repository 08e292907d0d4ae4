"""A Redis that may be away at any moment, and whose absence nobody waits for."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from redis import ConnectionError as Cut
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from wabot.core.log import describe, get_logger
from wabot.errors import SettingsError

T = TypeVar("T")

TIMEOUT = 0.5
"""Seconds that one question may take; an answer takes about 0.2 ms."""
PAUSE = 1.0
"""Seconds in which Redis isn't asked again after it did not answer."""


class Link:
    """The one client of a process. `url` is redis-py's: `redis://…`, `rediss://…`, `unix://…`.

    Nothing is connected before the first question. `seconds` counts up, as `time.monotonic`.
    """

    def __init__(self, url: str, seconds: Callable[[], float] = monotonic) -> None:
        try:
            self._client = Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                # Once more, for the connections of the pool that a restart of the server has cut; one that
                # hangs is not asked twice.
                retry=Retry(NoBackoff(), 1, supported_errors=(Cut,)),
            )
        except ValueError as error:
            raise SettingsError(
                f"the URL of Redis can't be read: {error}",
                hint="write it like redis://localhost:6379/0",
                keys=("redis",),
            ) from None
        self._seconds = seconds
        self._away_until: float | None = None
        self._one_at_a_time = threading.Lock()

    def script(self, source: str) -> Callable[..., Any]:
        """A Lua script as a function of `keys` and `args`; the server learns it when it is first called."""
        return self._client.register_script(source)

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin so. It looks at every key there is. Raises RedisError."""
        return sorted(map(str, self._client.scan_iter(match=f"{prefix}*", count=1000)))

    def ask(self, question: Callable[[], T], otherwise: T) -> T:
        """What `question` gives; `otherwise` where Redis doesn't answer, or lately didn't."""
        if self._away_until is not None and self._seconds() < self._away_until:
            return otherwise
        try:
            answer = question()
        except RedisError as error:
            self._missed(error)
            return otherwise
        if self._away_until is not None:
            self._away_until = None
            get_logger().info("redis", outcome="back")
        return answer

    def answers(self) -> bool:
        """Whether Redis is there now."""
        return bool(self.ask(self._client.ping, otherwise=False))

    def close(self) -> None:
        self._client.close()

    def _missed(self, error: RedisError) -> None:
        with self._one_at_a_time:
            first = self._away_until is None
            self._away_until = self._seconds() + PAUSE
        if first:
            get_logger().error("redis", outcome="away", **describe(error))
