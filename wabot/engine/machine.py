"""The python-statemachine chart under a flow, and the warm machines that run it.

The chart's class is made once per version of a flow. Making an instance takes time that grows with
the flow, so instances are kept and bound to one conversation after another.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from statemachine import StateChart
from statemachine.engines.sync import SyncEngine
from statemachine.event import BoundEvent
from statemachine.event_data import TriggerData
from statemachine.graph import iterate_states_and_transitions
from statemachine.io import create_machine_class_from_definition
from statemachine.orderedset import OrderedSet
from statemachine.state import State as PlainState
from statemachine.transition import Transition

from wabot.engine.chart import Chart, Edge, Spot, by_order, deep, machine_id
from wabot.engine.names import Node
from wabot.engine.occurrence import Occurrence

if TYPE_CHECKING:
    from wabot.engine.play import Play

Definition = dict[str, Any]

Hook = Callable[["Holder", TriggerData], Any]

MOST_CANDIDATES = 10_000
MOST_EVENTS = 256

IDLE_MACHINES = 8
"""Warm machines kept per chart; more threads than that make machines of their own."""


class Holder:
    """The machine's model: where the callbacks find what is being played."""

    play: "Play"

    def __init__(self) -> None:
        self.state: Any = None
        # Bound, and waiting for its event: until that is taken, eventless transitions rest, whatever
        # the time or the new message make of their guards.
        self.waiting = False


class Callbacks:
    """The chart's callbacks by the keys that the machine calls them by, one table for all instances.

    In place of the machine's own registry, which would look each callback's parameters up by name at
    every call, and search the whole chart for them at every instance.
    """

    has_async_callbacks = False

    def __init__(self, table: Mapping[str, tuple[Hook, ...]], holder: Holder) -> None:
        self._table = table
        self._holder = holder

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def call(self, key: str, *_args: Any, trigger: TriggerData, **_others: Any) -> list[Any]:
        return [hook(self._holder, trigger) for hook in self._table.get(key, ())]


class DocumentOrderEngine(SyncEngine):
    """python-statemachine's engine with a selection of transitions of its own.

    Of the active states in document order, where the original takes them as they were entered; and
    it asks only the transitions whose descriptors match, which it remembers per event.
    """

    sm: Any

    def start(self, **kwargs: Any) -> None:
        """Not as the instance is made: a conversation is bound, or started, later."""

    def select_eventless_transitions(self, trigger_data: TriggerData) -> OrderedSet[Transition]:
        if self.sm.model.waiting or not self.sm.plan.eventless:
            return OrderedSet()
        return self._select("", trigger_data)

    def select_transitions(self, trigger_data: TriggerData) -> OrderedSet[Transition]:
        selected = self._select(str(trigger_data.event), trigger_data)
        occurrence = trigger_data.kwargs.get("occurrence")
        self.sm.model.waiting = bool(occurrence and occurrence.tentative and not selected)
        return selected

    def _select(self, event: str, trigger: TriggerData) -> OrderedSet[Transition]:
        plan, holder = self.sm.plan, self.sm.model
        selected: OrderedSet[Transition] = OrderedSet()
        for spot in plan.atomic(self.sm.configuration_values):
            for edge, transition in plan.candidates(spot, event):
                if not edge.guarded or edge.guard(holder, trigger):
                    selected.add(transition)
                    break
        return self._filter_conflicting_transitions(selected) if len(selected) > 1 else selected

    def get_transition_domain(self, transition: Transition) -> PlainState | None:
        """A history state counts as one of its parent's children, whatever it remembers.

        So all that is entered again through it was left before; the original, as SCXML's algorithm,
        may enter a state that stayed active.
        """
        known = self.sm.plan.domains.get(transition)
        if known is not None:
            return known[0]  # type: ignore[no-any-return]
        domain = super().get_transition_domain(transition)
        if not any(state.is_history for state in transition.targets):
            self.sm.plan.domains[transition] = (domain,)
            return domain
        parents = [state.parent for state in transition.targets if state.is_history]
        if domain is not None and any(parent and domain.is_descendant(parent) for parent in parents):
            return self.find_lcca([transition.source, *transition.targets])
        return domain

    def compute_entry_set(
        self,
        transitions: list[Transition],
        states_to_enter: OrderedSet[Any],
        states_for_default_entry: OrderedSet[Any],
        default_history_content: dict[str, Any],
    ) -> None:
        """The same for the same transitions, unless there is history in it: so worked out once."""
        key, entries = tuple(transitions), self.sm.plan.entries
        if key not in entries:
            found: tuple[OrderedSet[Any], OrderedSet[Any]] = (OrderedSet(), OrderedSet())
            super().compute_entry_set(transitions, *found, default_history_content)  # type: ignore[no-untyped-call]
            if default_history_content:
                states_to_enter.update(found[0])
                states_for_default_entry.update(found[1])
                return
            if len(entries) >= MOST_CANDIDATES:
                entries.clear()
            entries[key] = found
        states_to_enter.update(entries[key][0])
        states_for_default_entry.update(entries[key][1])

    def _prepare_exit_states(
        self, enabled_transitions: list[Transition]
    ) -> tuple[list[Any], OrderedSet[PlainState]]:
        """What deep history states remember are atomic states, in this turn as in the stored state."""
        ordered, left = super()._prepare_exit_states(enabled_transitions)
        for state in left:
            for history in state.history:
                if history.type.is_deep:
                    remembered = self.sm.history_values[history.id]
                    self.sm.history_values[history.id] = [s for s in remembered if not s.states]
        return ordered, left

    def _initial_transitions(self, trigger_data: TriggerData) -> list[Transition]:
        """The same at every start, so made once."""
        if not self.sm.plan.initial:
            self.sm.plan.initial = super()._initial_transitions(trigger_data)  # type: ignore[no-untyped-call]
        return self.sm.plan.initial  # type: ignore[no-any-return]

    def _get_args_kwargs(
        self, transition: Transition, trigger_data: TriggerData, target: Any = None, source: Any = None
    ) -> tuple[tuple[()], dict[str, Any]]:
        """What callbacks get: the event. Ours know their state or transition themselves."""
        return (), {"trigger": trigger_data}


class Plan:
    """What the engine looks up about a chart, worked out once."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._transitions: dict[Spot, list[tuple[Edge, Transition]]] = {}
        self._candidates: dict[tuple[Spot, str], list[tuple[Edge, Transition]]] = {}
        self.eventless = False
        self.initial: list[Transition] = []
        self.domains: dict[Transition, tuple[PlainState | None]] = {}
        self.entries: dict[tuple[Transition, ...], tuple[OrderedSet[Any], OrderedSet[Any]]] = {}
        self.table: dict[str, tuple[Hook, ...]] = {}

    def fill(self, kind: type[StateChart[Any]]) -> None:
        for spot in self._chart.spots:
            usual = [edge for edge in spot.edges if edge.kind == "usual"]
            transitions = [t for t in kind.states_map[spot.id].transitions if not t.initial]
            self._transitions[spot] = list(zip(usual, transitions, strict=True))
            self.eventless = self.eventless or any(edge.eventless for edge in usual)
        for visited in iterate_states_and_transitions(kind.states):
            groups = (
                (visited.enter, visited.exit)
                if isinstance(visited, PlainState)
                else (visited.before, visited.on, visited.after)
            )
            for group in groups:
                hooks = tuple(spec.func for spec in group if not spec.is_convention)
                if hooks:
                    self.table[group.key] = hooks

    def atomic(self, active: Iterable[str]) -> list[Spot]:
        """The active atomic states in document order."""
        spots = [spot for id in active if (spot := self._chart.by_id[id]).atomic]
        if len(spots) > 1:
            spots.sort(key=by_order)
        return spots

    def candidates(self, spot: Spot, event: str) -> list[tuple[Edge, Transition]]:
        """The transitions of a state and of those around it that this event could take; the eventless
        ones for the empty string."""
        found = self._candidates.get((spot, event))
        if found is None:
            found = [
                (edge, transition)
                for source in (spot, *spot.around())
                for edge, transition in self._transitions[source]
                if edge.matches(event)
            ]
            # Ids of taps come from outside: what they name must not fill the memory.
            if len(self._candidates) >= MOST_CANDIDATES:
                self._candidates.clear()
            self._candidates[spot, event] = found
        return found


class Machine:
    """One warm machine, bound to at most one conversation at a time. Not safe between threads."""

    __slots__ = ("_events", "_inner", "holder", "states")

    def __init__(self, kind: type[StateChart[Any]]) -> None:
        self.holder = Holder()
        self._inner = kind(model=self.holder)
        self.states: Mapping[str, Any] = kind.states_map
        self._events: dict[str, BoundEvent] = {}

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
        self.holder.waiting = False
        self._inner.history_values = {}
        self._inner.current_state_value = None
        self._inner.activate_initial_state()

    def send(self, occurrence: Occurrence) -> None:
        """Run this event to completion, with all that it raises."""
        self.holder.waiting = True
        self._event(occurrence.id)(occurrence=occurrence)

    def _event(self, id: str) -> BoundEvent:
        # Not machine.send(): it looks the event's name up among the machine's attributes.
        event = self._events.get(id)
        if event is None:
            event = BoundEvent(id, name=id, _sm=self._inner)
            if len(self._events) < MOST_EVENTS:
                self._events[id] = event
        return event

    def raise_(self, occurrence: Occurrence) -> None:
        """Put an event on the internal queue; only from a callback."""
        event = BoundEvent(occurrence.id, name=occurrence.id, internal=True, _sm=self._inner)
        event.put(occurrence=occurrence)

    def release(self) -> None:
        del self.holder.play


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
            pass
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
    plan = Plan(chart)
    kind = create_machine_class_from_definition(
        # The registry keeps the last class of each name for good: one name, so one class at most.
        "Flow",
        states={chart.root.id: {**_definition(chart.root), "initial": True}},  # type: ignore[dict-item]
        plan=plan,
        **{name: value for name, value in vars(_Overrides).items() if callable(value)},
        catch_errors_as_events=False,
        validate_disconnected_states=False,
        validate_trap_states=False,
        validate_final_reachability=False,
    )
    _mend(kind, chart)
    plan.fill(kind)
    return kind


class _Overrides:
    """Methods that the chart's class has in place of python-statemachine's own."""

    plan: "Plan"
    model: Holder
    _callbacks: Callbacks

    def _get_engine(self) -> DocumentOrderEngine:
        return DocumentOrderEngine(self)  # type: ignore[arg-type]  # the machine's own method

    def _register_callbacks(self, _listeners: list[Any]) -> None:
        self._callbacks = Callbacks(self.plan.table, self.model)


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
