"""A conversation between two events: complete, small, and JSON."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeVar

from wabot.core.json import from_plain, to_plain
from wabot.errors import StateError

FORMAT = 1

T = TypeVar("T")


@dataclass(slots=True)
class Sent:
    """What a state last put before the contact, so that "1", a title or a tap can be understood.

    `number` tells this showing from earlier ones; `options` are (id, title) in the order shown;
    `ask` says that the state waits for an answer, and `attempts` how many were not understood.
    """

    number: int
    kind: Literal["button", "list", ""] = ""
    options: list[tuple[str, str]] = field(default_factory=list)
    ask: bool = False
    attempts: int = 0


@dataclass(slots=True)
class OpenTimer:
    """A timer that was asked for and has not fired. `state` is empty where no state owns it."""

    key: str
    id: str
    event: str
    state: str = ""
    data: Any = None


@dataclass(slots=True)
class OpenInvoke:
    """Something under way outside the turn, or a sub-flow above this frame."""

    key: str
    id: str
    kind: str
    state: str = ""


@dataclass(slots=True)
class Frame:
    """One flow on the stack. States are named by dotted path; `configuration` holds the active
    atomic ones in document order, `history` the remembered ones by the history state's path."""

    flow: str
    version: int
    configuration: list[str] = field(default_factory=list)
    history: dict[str, list[str]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    timers: list[OpenTimer] = field(default_factory=list)
    invokes: list[OpenInvoke] = field(default_factory=list)
    caller: str = ""


@dataclass(slots=True)
class State:
    """The stack of flows, the outermost first, and what the whole conversation shares.

    `caller` of a frame is the key of the invoke in the frame below that it answers. `counter` feeds
    the keys and numbers that must not come twice. `locale` is what the flow set, or empty.
    """

    frames: list[Frame]
    counter: int = 0
    locale: str = ""
    status: Literal["running", "ended"] = "running"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data. Raises StateError for a variable that holds what JSON can't."""
        return {
            "format": FORMAT,
            "status": self.status,
            "counter": self.counter,
            **({"locale": self.locale} if self.locale else {}),
            "frames": [_frame_to_json(frame) for frame in self.frames],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raises StateError for a format that this version doesn't know, or a damaged record."""
        if not isinstance(data, dict):
            raise StateError(f"a stored state is an object, not {type(data).__name__}")
        if data.get("format") != FORMAT:
            raise StateError(f"state of format {data.get('format')!r} can't be read, only {FORMAT}")
        try:
            state = cls(
                frames=[_frame_from_json(frame) for frame in data["frames"]],
                counter=_a(int, data["counter"]),
                locale=_a(str, data.get("locale", "")),
                status=data["status"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"the stored state is damaged: {error}") from error
        if not state.frames or state.status not in ("running", "ended"):
            raise StateError("the stored state is damaged: it is in no flow, or neither running nor ended")
        return state


def copied(state: State) -> State:
    """A state of its own to work on. Variables' values are shared: nothing changes them in place."""
    frames = [
        Frame(
            flow=frame.flow,
            version=frame.version,
            configuration=frame.configuration,
            history=dict(frame.history),
            variables=dict(frame.variables),
            sent={path: replace(sent) for path, sent in frame.sent.items()} if frame.sent else {},
            timers=list(frame.timers),
            invokes=list(frame.invokes),
            caller=frame.caller,
        )
        for frame in state.frames
    ]
    return State(frames, state.counter, state.locale, state.status)


def _frame_to_json(frame: Frame) -> dict[str, Any]:
    data: dict[str, Any] = {
        "flow": frame.flow,
        "version": frame.version,
        "configuration": frame.configuration,
    }
    if frame.history:
        data["history"] = frame.history
    if frame.variables:
        data["variables"] = {name: _stored(name, value) for name, value in frame.variables.items()}
    if frame.sent:
        data["sent"] = {
            path: [sent.number, sent.kind, [list(o) for o in sent.options], int(sent.ask), sent.attempts]
            for path, sent in frame.sent.items()
        }
    if frame.timers:
        data["timers"] = [[t.key, t.id, t.event, t.state, to_plain(t.data)] for t in frame.timers]
    if frame.invokes:
        data["invokes"] = [[i.key, i.id, i.kind, i.state] for i in frame.invokes]
    if frame.caller:
        data["caller"] = frame.caller
    return data


def _stored(name: str, value: Any) -> Any:
    try:
        return to_plain(value)
    except TypeError as error:
        raise StateError(f'the variable "{name}": {error}') from error


def _frame_from_json(data: dict[str, Any]) -> Frame:
    return Frame(
        flow=_a(str, data["flow"]),
        version=_a(int, data["version"]),
        configuration=[_a(str, path) for path in data["configuration"]],
        history={path: list(states) for path, states in data.get("history", {}).items()},
        variables={name: from_plain(value) for name, value in data.get("variables", {}).items()},
        sent={
            path: Sent(_a(int, number), kind, [(o[0], o[1]) for o in options], bool(ask), _a(int, attempts))
            for path, (number, kind, options, ask, attempts) in data.get("sent", {}).items()
        },
        timers=[
            OpenTimer(key, id, event, state, from_plain(payload))
            for key, id, event, state, payload in data.get("timers", [])
        ],
        invokes=[OpenInvoke(*invoke) for invoke in data.get("invokes", [])],
        caller=data.get("caller", ""),
    )


def _a(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
