"""A flag that signals may raise."""

from contextlib import suppress
from queue import Empty, SimpleQueue


class Flag:
    """As `threading.Event`, for one thread that waits.

    `set` may be called from a signal's handler. An Event's may not: it takes a lock that `wait` and `clear`
    hold at moments, and where the handler has interrupted just these, nobody ever lets go of it.
    """

    def __init__(self) -> None:
        self._is_set = False
        # Its `put` is reentrant, by the documentation of `queue`.
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._wakes.put(None)

    def clear(self) -> None:
        self._is_set = False
        with suppress(Empty):
            while True:
                self._wakes.get_nowait()

    def wait(self, seconds: float) -> bool:
        """Until it is set, or these seconds are over; whether it is set. It may come back early."""
        if not self._is_set:
            with suppress(Empty):
                self._wakes.get(timeout=seconds)
        return self._is_set
