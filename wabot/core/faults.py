"""Named places where a test kills the process, to see that nothing is lost or done twice."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CRASH_AT = "WABOT_CRASH_AT"

_listeners: list[Callable[[str], None]] = []


def crash_point(name: str) -> None:
    """Does nothing, unless the environment's `WABOT_CRASH_AT` has this name: then the process dies by
    SIGKILL, without any clean-up, as it would by a power cut."""
    for listener in _listeners:
        listener(name)
    if os.environ.get(CRASH_AT) == name:
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def at_crash_points(listener: Callable[[str], None]) -> Iterator[None]:
    """Within the block `listener` hears the name of every crash point that this process passes, and may
    stop or delay it there; an error that it raises is raised at that place."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
