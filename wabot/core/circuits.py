"""Circuit breakers: what fails again and again is left alone for a while, then tried by one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from wabot.core.metrics import CIRCUIT, CIRCUIT_CHANGES, Metrics
from wabot.core.ports import Clock
from wabot.errors import CircuitOpen

T = TypeVar("T")


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """`threshold` failures in a row open a circuit for `pause`; then one call is let through as a probe,
    and another one only if that hasn't come back after `probe`."""

    threshold: int = 5
    pause: timedelta = timedelta(seconds=30)
    probe: timedelta = timedelta(seconds=60)


Listener = Callable[[str, CircuitState], None]
"""Told the circuit and its new state."""

Ignore = Callable[[Exception], bool]
"""Whether an error says that the other side works, and only did not want this."""


def deaf(circuit: str, state: CircuitState) -> None:
    """Hears nothing."""


OPENNESS = {CircuitState.CLOSED: 0.0, CircuitState.HALF_OPEN: 0.5, CircuitState.OPEN: 1.0}
"""A state as a number to plot."""


def counted(metrics: Metrics) -> Listener:
    """A listener that keeps the operator's numbers."""

    def listen(circuit: str, state: CircuitState) -> None:
        metrics.count(CIRCUIT_CHANGES, circuit=circuit, state=state.value)
        metrics.set(CIRCUIT, OPENNESS[state], circuit=circuit)

    return listen


def none(_error: Exception) -> bool:
    """Every error counts."""
    return False


class Breaker(Protocol):
    def call(self, circuit: str, function: Callable[[], T], *, ignore: Ignore = none) -> T:
        """`function()`, unless this circuit is open: then CircuitOpen is raised, a new one each time.

        An error of `function` counts against the circuit, unless it is one to `ignore`, and is raised.
        """
        ...

    def state(self, circuit: str) -> CircuitState: ...


def call_or(
    breaker: Breaker,
    circuit: str,
    function: Callable[[], T],
    fallback: T | Callable[[CircuitOpen], T],
    *,
    ignore: Ignore = none,
) -> T:
    """As `breaker.call`, but a refused call gives `fallback`, or what it gives where it is a function."""
    try:
        return breaker.call(circuit, function, ignore=ignore)
    except CircuitOpen as error:
        return fallback(error) if callable(fallback) else fallback


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    opened_at: datetime | None = None
    probe_until: datetime | None = None


class MemoryBreaker:
    """The circuits of this process; any thread may call."""

    def __init__(self, clock: Clock, policy: CircuitPolicy | None = None, listener: Listener = deaf) -> None:
        self._clock = clock
        self._policy = policy or CircuitPolicy()
        self._listener = listener
        self._circuits: dict[str, _Circuit] = {}
        self._one_at_a_time = threading.Lock()

    def call(self, circuit: str, function: Callable[[], T], *, ignore: Ignore = none) -> T:
        self._enter(circuit)
        try:
            result = function()
        except BaseException as error:
            if isinstance(error, Exception) and ignore(error):
                self._worked(circuit)
            else:
                self._failed(circuit)
            raise
        self._worked(circuit)
        return result

    def state(self, circuit: str) -> CircuitState:
        with self._one_at_a_time:
            return self._state(self._circuits.get(circuit, _Circuit()))

    def _state(self, found: _Circuit) -> CircuitState:
        if found.opened_at is None:
            return CircuitState.CLOSED
        paused = self._clock.now() - found.opened_at < self._policy.pause
        return CircuitState.OPEN if paused else CircuitState.HALF_OPEN

    def _enter(self, circuit: str) -> None:
        now = self._clock.now()
        with self._one_at_a_time:
            found = self._circuits.setdefault(circuit, _Circuit())
            state = self._state(found)
            probed = found.probe_until is not None and now < found.probe_until
            if state is CircuitState.OPEN or (state is CircuitState.HALF_OPEN and probed):
                raise CircuitOpen(f'"{circuit}" failed too often: no calls for a while')
            if state is CircuitState.CLOSED:
                return
            found.probe_until = now + self._policy.probe
        self._listener(circuit, CircuitState.HALF_OPEN)

    def _worked(self, circuit: str) -> None:
        with self._one_at_a_time:
            found = self._circuits[circuit]
            if found.opened_at is not None and found.probe_until is None:
                return  # It began before the circuit opened.
            was_open = found.opened_at is not None
            self._circuits[circuit] = _Circuit()
        if was_open:
            self._listener(circuit, CircuitState.CLOSED)

    def _failed(self, circuit: str) -> None:
        with self._one_at_a_time:
            found = self._circuits[circuit]
            found.failures += 1
            probed = found.probe_until is not None
            if not probed and (found.opened_at is not None or found.failures < self._policy.threshold):
                return
            found.opened_at, found.probe_until = self._clock.now(), None
        self._listener(circuit, CircuitState.OPEN)
