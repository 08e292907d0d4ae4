import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wabot.core.flag import Flag


def test_it_is_up_until_it_is_cleared() -> None:
    flag = Flag()
    assert not flag.wait(0)
    flag.set()
    flag.set()
    assert flag.is_set()
    assert flag.wait(600)
    flag.clear()
    assert not flag.is_set()
    assert not flag.wait(0)


def test_who_waits_is_woken() -> None:
    flag = Flag()
    threading.Thread(target=flag.set).start()
    assert flag.wait(600)


@contextmanager
def alarms(flag: Flag) -> Iterator[list[int]]:
    """A signal each half of a millisecond, which sets the flag."""
    heard: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        flag.set()

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        yield heard
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_signals_may_set_it_at_any_moment() -> None:
    flag = Flag()
    with alarms(flag) as heard:
        while len(heard) < 1000:
            assert flag.wait(600)
            flag.clear()
