"""Middleware: functions around the flow, each deciding whether and when the next one runs."""

from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Protocol

from wabot.errors import DuplicateName, Frozen
from wabot.pipeline.turn import Turn

CallNext = Callable[[], None]


class Middleware(Protocol):
    """Does its part before and after `call_next()`. Without that call the message has no further effect;
    an error it raises rolls the turn back."""

    def __call__(self, turn: Turn, call_next: CallNext, /) -> None: ...


def compose(middleware: Iterable[Middleware]) -> Callable[[Turn], None]:
    """One function of all: the first is the outermost."""
    chain = tuple(middleware)

    def run(turn: Turn) -> None:
        reduce(lambda inner, outer: partial(outer, turn, inner), reversed(chain), _nothing)()

    return run


def _nothing() -> None:
    return None


class Pipeline:
    """Middleware in the order it runs: `first`, what was added, `last`. Frozen by its first use."""

    def __init__(self, first: Iterable[Middleware], last: Iterable[Middleware]) -> None:
        self._first = list(first)
        self._added: list[Middleware] = []
        self._last = list(last)
        self._run: Callable[[Turn], None] | None = None

    @property
    def middleware(self) -> tuple[Middleware, ...]:
        return (*self._first, *self._added, *self._last)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(name_of, self.middleware))

    def add(self, middleware: Middleware) -> None:
        """Raises Frozen once the pipeline runs, DuplicateName for a name that is there already."""
        name = name_of(middleware)
        if self._run is not None:
            raise Frozen(f'the pipeline is in use: "{name}" comes too late')
        if name in self.names:
            raise DuplicateName(f'there is a middleware "{name}" already')
        self._added.append(middleware)

    def freeze(self) -> None:
        self._run = self._run or compose(self.middleware)

    def run(self, turn: Turn) -> None:
        self.freeze()
        assert self._run is not None  # noqa: S101 - freeze set it
        self._run(turn)


def name_of(middleware: Middleware) -> str:
    """A function's name; of any other callable, its class's."""
    return str(getattr(middleware, "__name__", type(middleware).__name__))
