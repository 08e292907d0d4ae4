"""Random charts and events: the engine, its state through JSON text between any two events, against
python-statemachine's own engine run without interruption.

The charts are in the vocabulary that both read. Two things of python-statemachine are put right in
the oracle, because SCXML has them otherwise: it numbers the states of nested branches so that their
numbers overlap (so entry and exit run out of order), and it keeps the configuration as it was
entered (so of transitions in conflict in parallel states the wrong one may win). What is left out of
the charts, for the same reason: actions on transitions to a history state, which it runs twice, and
`internal` on transitions that leave their source.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from statemachine import StateChart
from statemachine.io import load
from statemachine.orderedset import OrderedSet

from tests.engine.playing import Talk

EVENTS = ["e1", "e2", "e3"]
RAISED = ["r1", "r2"]


@dataclass
class Grown:
    """A chart as it grows: its states in document order, with what each may be a target of."""

    ids: list[str] = field(default_factory=list)
    histories: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    below: dict[str, list[str]] = field(default_factory=dict)


def counted(action: dict[str, Any]) -> dict[str, Any]:
    """An action that can't go on for ever, and leaves a trace of each time."""
    count = {"assign": {"location": "n", "expr": "n + 1"}}
    return {"if": {"cond": "n < 25", "then": [count, action]}}


@st.composite
def charts(draw: st.DrawFn) -> dict[str, Any]:
    grown = Grown()
    count = draw(st.integers(1, 4))
    states: dict[str, Any] = {}
    for _ in range(count):
        states |= draw(trees(grown, draw(st.integers(0, 3)), top=True))
    for id, state in walk(states):
        add_transitions(draw, grown, id, state)
    return {"name": "random", "datamodel": [{"id": "n", "expr": "0"}], "states": states}


@st.composite
def trees(draw: st.DrawFn, grown: Grown, depth: int, *, top: bool = False) -> dict[str, Any]:
    id = f"s{len(grown.ids)}"
    grown.ids.append(id)
    begin = len(grown.ids)
    kind = draw(
        st.sampled_from(["atomic", "final", "compound", "parallel"] if depth else ["atomic", "final"])
    )
    if top and kind == "final" and len(grown.ids) == 1:
        kind = "atomic"
    state: dict[str, Any] = {}
    if kind == "final":
        state["final"] = True
    if kind in ("compound", "parallel"):
        state["states"] = {}
        for _ in range(draw(st.integers(1, 3))):
            state["states"] |= draw(trees(grown, depth - 1))
        grown.parents.append(id)
        if kind == "parallel":
            state["parallel"] = True
        else:
            state["states"][draw(st.sampled_from(list(state["states"])))]["initial"] = True
        if draw(st.booleans()):
            state["history"] = {f"h{id}": draw(histories(state, grown.ids[begin:]))}
            grown.histories.append(f"h{id}")
    grown.below[id] = grown.ids[begin:]
    return {id: state}


@st.composite
def histories(draw: st.DrawFn, state: dict[str, Any], inside: list[str]) -> dict[str, Any]:
    kind = draw(st.sampled_from(["shallow", "deep"]))
    targets = list(state["states"]) if kind == "shallow" else inside
    if state.get("parallel"):
        # The default of a parallel state's history enters all its regions.
        targets = list(state["states"])[:1]
    return {"type": kind, "transitions": [{"target": draw(st.sampled_from(targets))}]}


def walk(states: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for id, state in states.items():
        found.append((id, state))
        found += walk(state.get("states", {}))
    return found


def add_transitions(draw: st.DrawFn, grown: Grown, id: str, state: dict[str, Any]) -> None:
    raising = st.sampled_from(RAISED).map(lambda event: counted({"raise": event}))
    for slot in ("enter", "exit"):
        if draw(st.integers(0, 3)) == 0:
            state[slot] = [draw(raising)]
    if state.get("final"):
        return
    transitions = [draw_transition(draw, grown, id) for _ in range(draw(st.integers(0, 3)))]
    if transitions:
        state["transitions"] = transitions


def draw_transition(draw: st.DrawFn, grown: Grown, id: str) -> dict[str, Any]:
    transition: dict[str, Any] = {}
    event = draw(st.sampled_from([*EVENTS, *EVENTS, *RAISED, "done.state", "e1 r2", "*", None]))
    if event == "done.state" and grown.parents:
        event = f"done.state.{draw(st.sampled_from(grown.parents))}"
    # Without an event from outside nothing else would end a circle.
    circling = event is None or event == "*" or event.startswith("done")
    conditions = ["n < 25"] if circling else []
    if event is not None:
        transition["event"] = event
    if draw(st.integers(0, 3)) == 0:
        conditions.append(f"{draw(st.sampled_from(['', 'not ']))}In('{draw(st.sampled_from(grown.ids))}')")
    if conditions:
        transition["cond"] = " and ".join(conditions)
    target = draw(st.sampled_from([*grown.ids, *([] if circling else grown.histories), ""]))
    if target:
        transition["target"] = target
    if target in grown.below[id] and draw(st.booleans()):
        transition["internal"] = True
    if circling:
        transition["on"] = [{"assign": {"location": "n", "expr": "n + 1"}}]
    elif not target.startswith("h") and draw(st.booleans()):
        transition["on"] = [counted({"raise": draw(st.sampled_from(RAISED))})]
    return transition


def oracle(chart: dict[str, Any]) -> StateChart[Any]:
    """python-statemachine's own machine, with the two corrections above."""
    kind = load(json.dumps(chart), format="json")
    for order, (id, _) in enumerate(walk(chart["states"])):
        kind.states_map[id].document_order = order
    ordered: Any = property(in_document_order, StateChart.configuration.fset)  # type: ignore[attr-defined]
    setattr(kind, "configuration", ordered)  # noqa: B010  # to mypy a property is fixed
    return kind()


def in_document_order(machine: Any) -> OrderedSet[Any]:
    states = StateChart.configuration.fget(machine)  # type: ignore[attr-defined]
    return OrderedSet(sorted(states, key=lambda state: state.document_order))


def atomic(machine: Any) -> list[str]:
    return [state.id for state in machine.configuration if state.is_atomic]


@settings(max_examples=100)
@given(charts(), st.lists(st.sampled_from(EVENTS), max_size=6))
def test_random_charts_run_as_python_statemachine_runs_them(chart: dict[str, Any], events: list[str]) -> None:
    expected = oracle(chart)
    talk = Talk(json.dumps(chart)).start()
    seen = [(talk.at, talk.variables["n"])]
    wanted = [(atomic(expected), expected.model.n)]

    for event in events:
        expected.send(event)
        talk.event(event)
        wanted.append((atomic(expected), expected.model.n))
        seen.append((talk.at, talk.variables["n"]))

    assert seen == wanted
    # It ends a parallel state with one in it only where the regions finish in one of the orders.
    assert talk.ended or not expected.is_terminated
