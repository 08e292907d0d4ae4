"""What a state starts when it is entered and stops when it is left: timers and invokes, compiled."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wabot.core.durations import parse_duration
from wabot.engine import document as doc
from wabot.engine.actions import Actions, named_values
from wabot.engine.chart import TIMER
from wabot.engine.formula import Formula
from wabot.engine.problems import Path
from wabot.errors import ExpressionError

if TYPE_CHECKING:
    from wabot.engine.play import Play

AGENT = "agent"
FLOW = "flow"


@dataclass(frozen=True, slots=True)
class Timer:
    """An `after` of a state. `event` is what the chart knows its firing by."""

    written: str
    delay: timedelta
    event: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """An `invoke` of a state.

    `kind` is `flow`, `http`, `agent` or a module's `<module>.<name>`; `target` gives the flow's id.
    `arguments` are those of the effect, or the first values of the sub-flow's variables; where
    `lenient`, those that it doesn't declare are dropped, as a plain statechart's are.
    """

    id: str
    kind: str
    path: Path
    arguments: Formula
    target: Formula | None = None
    into: str | None = None
    idlocation: str | None = None
    lenient: bool = False
    where: str = ""


def invocations(at: Actions, models: list[doc.Invoke], path: Path, inline: str) -> tuple[Invocation, ...]:
    """`inline` is the beginning of the ids of flows written here. Raises ExpressionError."""
    made = []
    for index, model in enumerate(models):
        default = at.spot.path if index == 0 else f"{at.spot.path}.{index}"
        made.append(_invocation(at, model, (*path, index), model.id or default, f"{inline}{index}"))
    return tuple(made)


def _invocation(at: Actions, model: doc.Invoke, path: Path, id: str, inline: str) -> Invocation:
    kind: str
    arguments: Formula
    target: Formula | None = None
    lenient = False
    if model.http is not None:
        kind, arguments = "http", at.value(model.http, (*path, "http"))
    elif model.call is not None:
        kind, arguments = model.call, at.value(model.with_, (*path, "with"))
    elif model.flow is not None:
        name = model.flow
        kind, target, arguments = FLOW, lambda _play: name, at.value(model.with_, (*path, "with"))
    elif AGENT in model.model_fields_set:
        kind, arguments = AGENT, at.value(_agent(model.agent), (*path, AGENT))
    else:
        kind, target, lenient = FLOW, _target(at, model, path, inline), True
        named = named_values(at, model.namelist, model.params, path)
        rest = at.value(model.with_, (*path, "with"))
        arguments = lambda play: {**{n: f(play) for n, f in named}, **rest(play)}  # noqa: E731
    return Invocation(
        id=id,
        kind=kind,
        path=path,
        arguments=arguments,
        target=target,
        into=model.into,
        idlocation=model.idlocation,
        lenient=lenient,
        where=at.where(path),
    )


def _agent(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {"to": value} if isinstance(value, str) else {}


def _target(at: Actions, model: doc.Invoke, path: Path, inline: str) -> Formula:
    if isinstance(model.content, doc.FlowDocument):
        return lambda _play: inline
    if model.srcexpr is not None:
        return at.expression(model.srcexpr, (*path, "srcexpr"))
    if model.src is None:
        raise ExpressionError(f"{at.where(path)}: the invoke says neither flow, http, agent nor call")
    source = model.src
    return lambda _play: source


def timers(model: doc.StateNode, spot_id: str) -> tuple[Timer, ...]:
    return tuple(
        Timer(written, parse_duration(written), f"{TIMER}{spot_id}.{index}")
        for index, written in enumerate(model.after)
    )


def started(play: "Play", invocation: Invocation) -> dict[str, Any]:
    """The invoke's arguments, evaluated. Raises ExpressionError where they are no object."""
    arguments = invocation.arguments(play)
    if not isinstance(arguments, dict):
        raise ExpressionError(f"{invocation.where}: the arguments are an object, not {arguments!r}")
    return arguments
