"""purgatory's circuit breaker on a synchronous Redis unit of work.

purgatory's own one can't be used without asyncio, lets everybody through once the pause is over, loses
counts between processes, and fails the call where Redis fails. Here Redis decides, by its own clock and in
one script each: who is let in, whether this failure opens the circuit, and what a probe's end means.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from purgatory import ContextChanged, Event, SyncAbstractUnitOfWork, SyncCircuitBreakerFactory
from purgatory.domain.messages import Message
from purgatory.domain.model import Context, OpenedState
from purgatory.service._sync.repository import SyncAbstractRepository

from wabot.adapters.redis.link import Link
from wabot.core.circuits import CircuitPolicy, CircuitState, Ignore, Listener, deaf, none
from wabot.errors import CircuitOpen

T = TypeVar("T")

PREFIX = "wabot:circuit:"
KEPT = 24 * 60 * 60 * 1000
"""Milliseconds after which a circuit that nobody called is forgotten."""

_STATES = {
    "closed": CircuitState.CLOSED,
    "opened": CircuitState.OPEN,
    "half-opened": CircuitState.HALF_OPEN,
}

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'failures', 'opened', 'probe')
local failures, opened, probe = tonumber(found[1]) or 0, tonumber(found[2]), tonumber(found[3])
"""

# ARGV: the pause; how long a probe may take, 0 where nobody wants to be one
_ENTER = f"""{_NOW}
if not opened then return {{'closed', failures}} end
if now - opened < tonumber(ARGV[1]) then return {{'opened', failures}} end
if ARGV[2] == '0' then return {{'half-opened', failures}} end
if probe and now < probe then return {{'opened', failures}} end
redis.call('HSET', KEYS[1], 'probe', now + tonumber(ARGV[2]))
return {{'half-opened', failures}}
"""

# ARGV: the threshold, how long to keep it; gives whether that opened the circuit
_FAILED = f"""{_NOW}
failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if not probe and (opened or failures < tonumber(ARGV[1])) then return 0 end
redis.call('HSET', KEYS[1], 'opened', now)
redis.call('HDEL', KEYS[1], 'probe')
return 1
"""

# A call that began before the circuit opened says nothing of how the other side is now.
_WORKED = f"""{_NOW}
if opened and not probe then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""


class _Scripts:
    def __init__(self, link: Link, policy: CircuitPolicy) -> None:
        self.link = link
        self.policy = policy
        self._enter = link.script(_ENTER)
        self._failed = link.script(_FAILED)
        self._worked = link.script(_WORKED)

    def enter(self, circuit: str, *, probing: bool = True) -> tuple[str, int]:
        """purgatory's name of the state that this call meets, and the failures in a row."""
        pause = int(self.policy.pause.total_seconds() * 1000)
        probe = int(self.policy.probe.total_seconds() * 1000) if probing else 0
        keys = [PREFIX + circuit]
        state, failures = self.link.ask(lambda: self._enter(keys=keys, args=[pause, probe]), ("closed", 0))
        return str(state), int(failures)

    def failed(self, circuit: str) -> bool:
        keys, arguments = [PREFIX + circuit], [self.policy.threshold, KEPT]
        return bool(self.link.ask(lambda: self._failed(keys=keys, args=arguments), 0))

    def worked(self, circuit: str) -> None:
        self.link.ask(lambda: self._worked(keys=[PREFIX + circuit], args=[]), 0)


class RedisCircuits(SyncAbstractRepository):
    """purgatory's repository, for one call: so threads share nothing and each exception is a new one."""

    def __init__(self, scripts: _Scripts) -> None:
        self.messages: list[Message] = []
        self._scripts = scripts

    def get(self, name: str) -> Context:
        """The circuit as this call meets it; closed where Redis doesn't answer.

        Its threshold is out of reach: the failures of all processes together open it, and not those
        that this one happened to see.
        """
        state, failures = self._scripts.enter(name)
        never_over = float("inf") if state == "opened" else None
        return Context(
            name,
            sys.maxsize,
            self._scripts.policy.pause.total_seconds(),
            "opened" if state == "opened" else "half-opened" if state == "half-opened" else "closed",
            failures,
            never_over,
        )

    def register(self, context: Context) -> None:
        """A circuit that nothing is known of is closed: there is nothing to write down."""

    def update_state(self, name: str, state: str, opened_at: float | None) -> None:
        """What a probe found out. One that failed is counted here, the others in `inc_failures`."""
        if state == "closed":
            self._scripts.worked(name)
        elif opened_at is not None:
            self._scripts.failed(name)

    def inc_failures(self, name: str, failure_count: int) -> None:
        if self._scripts.failed(name):
            # Without its time: so `update_state` knows that it is written already.
            self.messages.append(ContextChanged(name, "opened", None))

    def reset_failure(self, name: str) -> None:
        self._scripts.worked(name)


class RedisUnitOfWork(SyncAbstractUnitOfWork):
    """Each script is a transaction of its own, so there is nothing left to commit or roll back."""

    def __init__(self, scripts: _Scripts) -> None:
        self.contexts = RedisCircuits(scripts)

    def commit(self) -> None:
        """Nothing is left to do."""

    def rollback(self) -> None:
        """Nothing can be undone, nor has to be."""


class RedisBreaker:
    """`core.circuits.Breaker` in Redis. Where Redis doesn't answer, the call goes through, uncounted."""

    def __init__(self, link: Link, policy: CircuitPolicy | None = None, listener: Listener = deaf) -> None:
        self._scripts = _Scripts(link, policy or CircuitPolicy())
        self._listener = listener

    def call(self, circuit: str, function: Callable[[], T], *, ignore: Ignore = none) -> T:
        factory = SyncCircuitBreakerFactory(uow=RedisUnitOfWork(self._scripts))
        factory.add_listener(self._hear)
        breaker = factory.get_breaker(circuit, exclude=[(Exception, ignore)])
        if breaker.context.state == "half-opened":
            self._listener(circuit, CircuitState.HALF_OPEN)
        with ExitStack() as stack:
            try:
                stack.enter_context(breaker)
            except OpenedState:
                raise CircuitOpen(f'"{circuit}" failed too often: no calls for a while') from None
            return function()

    def state(self, circuit: str) -> CircuitState:
        state, _ = self._scripts.enter(circuit, probing=False)
        return _STATES[state]

    def troubled(self) -> dict[str, CircuitState]:
        """The circuits whose last call failed, with their states; all others are closed."""
        link = self._scripts.link
        nothing: list[str] = []
        names = [key.removeprefix(PREFIX) for key in link.ask(lambda: link.keys(PREFIX), nothing)]
        return {name: self.state(name) for name in names}

    def _hear(self, circuit: str, kind: str, event: Event) -> None:
        if isinstance(event, ContextChanged):
            self._listener(circuit, _STATES[event.state])
