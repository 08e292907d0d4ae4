"""The python-statemachine chart under a flow, and the warm machines that run it.

The chart's class is made once per version of a flow. Making an instance takes time that grows with
the flow, so instances are kept and bound to one conversation after another.
"""

from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from statemachine import StateChart
from statemachine.event import BoundEvent
from statemachine.io import create_machine_class_from_definition
from statemachine.orderedset import OrderedSet

from wabot.engine.chart import Chart, Edge, Spot, deep, machine_id
from wabot.engine.names import Node
from wabot.engine.occurrence import Occurrence

if TYPE_CHECKING:
    from wabot.engine.play import Play

Definition = dict[str, Any]

IDLE_MACHINES = 8
"""Warm machines kept per chart; more threads than that make machines of their own."""


class Holder:
    """The machine's model: where the callbacks find what is being played."""

    def __init__(self) -> None:
        self.state: Any = None
        self.play: Play | None = None


class Machine:
    """One warm machine, bound to at most one conversation at a time. Not safe between threads."""

    __slots__ = ("_chart", "_inner", "holder", "states")

    def __init__(self, kind: type[StateChart[Any]]) -> None:
        self.holder = Holder()
        # The instance enters its initial states as it is made: nobody plays yet, so nothing happens.
        self._inner = kind(model=self.holder)
        self.states: Mapping[str, Any] = kind.states_map

    @property
    def active(self) -> OrderedSet[str]:
        """The ids of the active states, the root's too."""
        return self._inner.configuration_values

    @property
    def remembered(self) -> dict[str, list[Any]]:
        return self._inner.history_values

    def bind(self, play: "Play", active: OrderedSet[str], remembered: Mapping[str, list[str]]) -> None:
        """Take up a conversation where it stands. `active` is in document order."""
        self.holder.play = play
        self._inner.history_values = {
            id: [self.states[state] for state in states] for id, states in remembered.items()
        }
        self._inner.current_state_value = active

    def start(self, play: "Play") -> None:
        """Enter the initial states and run to completion."""
        self.holder.play = play
        self._inner.history_values = {}
        self._inner.current_state_value = None
        self._inner.activate_initial_state()

    def send(self, occurrence: Occurrence) -> None:
        """Run this event to completion, with all that it raises."""
        # Not machine.send(): it looks the event's name up among the machine's attributes.
        event = BoundEvent(occurrence.id, name=occurrence.id, _sm=self._inner)
        event(occurrence=occurrence)

    def raise_(self, occurrence: Occurrence) -> None:
        """Put an event on the internal queue; only from a callback."""
        event = BoundEvent(occurrence.id, name=occurrence.id, internal=True, _sm=self._inner)
        event.put(occurrence=occurrence)

    def release(self) -> None:
        self.holder.play = None


class Bench:
    """The idle machines of one chart."""

    def __init__(self, chart: Chart) -> None:
        self._kind = machine_class(chart)
        self._idle: deque[Machine] = deque(maxlen=IDLE_MACHINES)

    def take(self) -> Machine:
        # pop and append of a deque are atomic: threads need no lock here.
        try:
            return self._idle.pop()
        except IndexError:
            return Machine(self._kind)

    def give_back(self, machine: Machine) -> None:
        """Only a machine whose last event ended well; one that raised is dropped."""
        machine.release()
        self._idle.append(machine)


def machine_class(chart: Chart) -> type[StateChart[Any]]:
    """The class under a chart: every author's state inside one hidden compound state.

    So reaching a top-level final state never terminates an instance (a terminated one can't be bound
    again), and the transitions of the whole flow have a state to stand on.
    """
    kind = create_machine_class_from_definition(
        # The registry keeps the last class of each name for good: one name, so one class at most.
        "Flow",
        states={chart.root.id: {**_definition(chart.root), "initial": True}},  # type: ignore[dict-item]
        configuration=property(_in_document_order, _set_configuration),
        catch_errors_as_events=False,
        validate_disconnected_states=False,
        validate_trap_states=False,
        validate_final_reachability=False,
    )
    _mend(kind, chart)
    return kind


def _definition(spot: Spot) -> Definition:
    definition: Definition = {
        "enter": [spot.enter],
        "exit": [spot.exit],
        "transitions": [_transition(edge) for edge in spot.edges],
    }
    if spot.final:
        return definition | {"final": True, "donedata": spot.result}
    if spot.children:
        definition["states"] = {child.id: _definition(child) for child in spot.children}
        definition["parallel"] = spot.node.kind == "parallel"
        first = spot.node.initial
        explicit = any(edge.kind == "initial" for edge in spot.edges)
        if first is not None and spot.node.kind != "parallel" and not explicit:
            definition["states"][machine_id(first)]["initial"] = True
    if spot.node.histories:
        definition["history"] = {machine_id(node): _history(spot, node) for node in spot.node.histories}
    return definition


def _history(spot: Spot, node: Node) -> Definition:
    defaults = [edge for edge in spot.defaults if edge.path[: len(node.document_path)] == node.document_path]
    transitions = [
        # The machine follows only the first target of each of a history state's transitions.
        {**_transition(edge), "target": target, "on": edge.on if number == 0 and edge.on_actions else None}
        for edge in defaults
        for number, target in enumerate(edge.targets)
    ]
    return {"type": "deep" if deep(node) else "shallow", "transitions": transitions}


def _transition(edge: Edge) -> Definition:
    definition: Definition = {
        "target": " ".join(edge.targets) or None,
        "event": " ".join(edge.descriptors) or None,
        "internal": edge.internal,
        "initial": edge.kind == "initial",
    }
    if edge.kind == "usual":
        definition["before"] = edge.before
        if edge.guarded:
            definition["cond"] = edge.guard
    if edge.on_actions:
        definition["on"] = edge.on
    if edge.after_actions:
        definition["after"] = edge.after
    return definition


def _mend(kind: type[StateChart[Any]], chart: Chart) -> None:
    """Put right what the class's construction gets wrong in nested charts."""
    for spot in chart.spots:
        state = kind.states_map[spot.id]
        # It numbers each branch from its parent on, so that branches overlap, and entry and exit
        # across them run out of order.
        state.document_order = spot.order + 1
        # It adds an initial transition of its own beside an explicit one that goes deeper.
        initial = [transition for transition in state.transitions if transition.initial]
        surplus = initial if spot.node.kind == "parallel" else initial[1:]
        state.transitions.transitions = [t for t in state.transitions if t not in surplus]


def _in_document_order(machine: StateChart[Any]) -> OrderedSet[Any]:
    """The active states. The machine keeps them as they were entered, and would select and weigh
    transitions in that order; SCXML wants document order."""
    states = StateChart.configuration.fget(machine)  # type: ignore[attr-defined]
    orders = [state.document_order for state in states]
    if all(first < second for first, second in pairwise(orders)):
        return states  # type: ignore[no-any-return]
    return OrderedSet(sorted(states, key=lambda state: state.document_order))


def _set_configuration(machine: StateChart[Any], states: OrderedSet[Any]) -> None:
    StateChart.configuration.fset(machine, states)  # type: ignore[attr-defined]
