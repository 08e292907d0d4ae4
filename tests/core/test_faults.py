import os
import signal

import pytest

from wabot.core.faults import CRASH_AT, at_crash_points, crash_point


class Crash(BaseException):
    pass


def test_a_crash_point_does_nothing_by_itself() -> None:
    crash_point("here")


def test_the_environment_says_where_the_process_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: killed.append(call))
    monkeypatch.setenv(CRASH_AT, "here")
    crash_point("there")
    assert killed == []
    crash_point("here")
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_a_listener_hears_what_is_passed_and_may_raise_there() -> None:
    passed: list[str] = []

    def listen(name: str) -> None:
        passed.append(name)
        if name == "there":
            raise Crash

    with at_crash_points(listen):
        crash_point("here")
        with pytest.raises(Crash):
            crash_point("there")
    crash_point("later")
    assert passed == ["here", "there"]
