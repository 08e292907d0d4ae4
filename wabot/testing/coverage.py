"""Which states and transitions of the flows a run of tests went through, and which lines it never took."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wabot.engine.document import FlowDocument, StateNode, Transition
from wabot.engine.loader import Source
from wabot.engine.problems import Path, Place
from wabot.engine.step import Trace


@dataclass(frozen=True, slots=True)
class Item:
    """A state or a transition of a flow, by its place in the document."""

    kind: Literal["state", "transition"]
    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class FlowCoverage:
    """What was taken of one flow. `missing` are the items never taken, with their places."""

    flow: str
    version: int
    file: str
    states: int
    states_taken: int
    transitions: int
    transitions_taken: int
    missing: tuple[tuple[Item, Place], ...]

    @property
    def percent(self) -> float:
        return percent(self.states_taken + self.transitions_taken, self.states + self.transitions)

    def as_json(self) -> dict[str, Any]:
        return {
            "flow": self.flow,
            "version": self.version,
            "file": self.file,
            "states": {"total": self.states, "taken": self.states_taken},
            "transitions": {"total": self.transitions, "taken": self.transitions_taken},
            "percent": round(self.percent, 1),
            "missing": [
                {"kind": item.kind, "what": item.label, "line": place.line, "column": place.column}
                for item, place in self.missing
            ],
        }


def percent(taken: int, total: int) -> float:
    """`taken` of `total` in percent; nothing of nothing is all of it."""
    return 100.0 * taken / total if total else 100.0


@dataclass(slots=True)
class Coverage:
    """Collects traces of steps. Of a flow in several versions the newest is measured."""

    sources: Sequence[Source]
    taken: set[tuple[str, Path]] = field(default_factory=set)

    def record(self, trace: Iterable[Trace]) -> None:
        for one in trace:
            if one.kind in ("enter", "transition"):
                self.taken.add((one.flow, one.path))

    def flows(self) -> list[FlowCoverage]:
        newest: dict[str, Source] = {}
        for source in self.sources:
            known = newest.get(source.document.flow)
            if known is None or known.document.version < source.document.version:
                newest[source.document.flow] = source
        return [self._flow(source) for source in newest.values()]

    @property
    def percent(self) -> float:
        """Of all states and transitions of all flows."""
        flows = self.flows()
        taken = sum(flow.states_taken + flow.transitions_taken for flow in flows)
        return percent(taken, sum(flow.states + flow.transitions for flow in flows))

    def _flow(self, source: Source) -> FlowCoverage:
        document = source.document
        items = list(items_of(document))
        taken = [item for item in items if (document.flow, item.path) in self.taken]
        missing = [item for item in items if (document.flow, item.path) not in self.taken]
        placed = [(item, source.positions.place(item.path, key=item.kind == "state")) for item in missing]
        return FlowCoverage(
            flow=document.flow,
            version=document.version,
            file=source.file,
            states=sum(item.kind == "state" for item in items),
            states_taken=sum(item.kind == "state" for item in taken),
            transitions=sum(item.kind == "transition" for item in items),
            transitions_taken=sum(item.kind == "transition" for item in taken),
            missing=tuple(sorted(placed, key=lambda pair: pair[1])),
        )


def items_of(document: FlowDocument) -> Iterator[Item]:
    """Every state and transition that a run can take, in document order."""
    yield from _transitions(document.transitions, ("transitions",), "")
    yield from _states(document.states, ("states",), "")


def _states(states: dict[str, StateNode], path: Path, above: str) -> Iterator[Item]:
    for name, state in states.items():
        here, full = (*path, name), f"{above}.{name}" if above else name
        yield Item("state", here, full)
        yield from _transitions(state.transitions, (*here, "transitions"), full)
        for delay, after in state.after.items():
            target = f" → {after.target}" if after.target else ""
            yield Item("transition", (*here, "after", delay), f"{full}: after {delay}{target}")
        yield from _states(state.states, (*here, "states"), full)


def _transitions(transitions: Sequence[Transition], path: Path, state: str) -> Iterator[Item]:
    for index, transition in enumerate(transitions):
        if transition.initial:
            continue
        intent = f"intent {transition.intent}" if transition.intent else ""
        what = " ".join(part for part in (transition.event, intent) if part) or "at once"
        guards = [*transition.cond, *(f"not {guard}" for guard in transition.unless)]
        condition = f" [{' and '.join(guards)}]" if guards else ""
        target = f" → {transition.target}" if transition.target else ""
        yield Item("transition", (*path, index), f"{state or 'the flow'}: {what}{condition}{target}")
