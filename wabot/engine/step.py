"""What goes into the engine beside the state, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from wabot.core.messages import Inbound, Outbound
from wabot.engine.effects import Effect
from wabot.engine.problems import Path
from wabot.engine.state import State
from wabot.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a conversation.

    For a message of the contact leave `name` empty and give `message`: the engine names it
    (`message.text`, `message.button.<id>`, …). `key` is the `key` of the timer or invoke that this
    answers: where it is no longer open, the event is ignored.
    """

    name: str = ""
    data: Any = None
    message: Inbound | None = None
    key: str = ""


class Commands(Protocol):
    """Runs a module's command inside the turn, as an action names it."""

    def run(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The command's result as plain data (typed values of `core.json` allowed).

        Raises UnknownName, Rejected, or TurnError where the arguments don't fit the model.
        """
        ...


class NoCommands:
    """For flows that use no module."""

    def run(self, name: str, arguments: Mapping[str, Any]) -> Any:
        raise UnknownName(f'there is no command "{name}" here')


@dataclass(frozen=True, slots=True)
class Context:
    """What a flow may know of the world, for one event.

    `now` is aware, in the contact's time zone; `contact` and `business` are plain data
    (`contact.name`, `contact.phone`, `contact.locale`; `business.name`, `business.currency`, …).
    What a command puts into `said` goes out in its place among what the flow says.
    """

    now: datetime
    locale: str = "en"
    currency: str = "INR"
    contact: Mapping[str, Any] = field(default_factory=dict)
    business: Mapping[str, Any] = field(default_factory=dict)
    commands: Commands = field(default_factory=NoCommands)
    said: list[Outbound] = field(default_factory=list)
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that happened inside a step. `path` is its place in the flow's document."""

    kind: Literal["event", "guard", "transition", "enter", "exit", "action", "answer"]
    flow: str
    path: Path
    text: str
    value: Any = None


@dataclass(slots=True)
class Step:
    """The outcome of one event. `handled` is whether any transition, ask or agent took it."""

    state: State
    effects: list[Effect]
    handled: bool = True
    trace: list[Trace] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Limits:
    """The budget of one event; past it the turn fails with BudgetExceeded."""

    microsteps: int = 1000
    actions: int = 10_000
    invokes: int = 50
    messages: int = 20
    rendered_bytes: int = 256 * 1024
    depth: int = 8
