"""Named places where a test kills the process, to see that nothing is lost or done twice."""

import os
import signal

CRASH_AT = "WABOT_CRASH_AT"


def crash_point(name: str) -> None:
    """Does nothing, unless the environment's `WABOT_CRASH_AT` has this name: then the process dies by
    SIGKILL, without any clean-up, as it would by a power cut."""
    if os.environ.get(CRASH_AT) == name:
        os.kill(os.getpid(), signal.SIGKILL)
