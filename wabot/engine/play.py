"""One flow of the stack while an event runs: what the machine's callbacks do."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from statemachine.event_data import TriggerData
from statemachine.orderedset import OrderedSet

from wabot.engine.chart import Chart, Edge, Spot, by_order, deep, in_document_order, machine_id
from wabot.engine.effects import Log
from wabot.engine.names import Unresolved
from wabot.engine.occurrence import Occurrence
from wabot.engine.problems import did_you_mean
from wabot.engine.state import Frame
from wabot.engine.variables import RESERVED, Misfit, coerce, placed
from wabot.errors import ExpressionError, Rejected, StateError

if TYPE_CHECKING:
    from wabot.engine.actions import Action
    from wabot.engine.machine import Machine
    from wabot.engine.run import Run


class Play:
    """A frame being run. `here` is the state that the expression now evaluated stands in.

    `entered` are the states entered in this macrostep and not left since; `left` says that any was left.
    """

    def __init__(self, run: "Run", frame: Frame, chart: Chart) -> None:
        self.run = run
        self.frame = frame
        self.chart = chart
        self._machine: Machine | None = None
        self.here = chart.root
        self.speaker = chart.root
        self.occurrence: Occurrence | None = None
        self.entered: dict[Spot, None] = {}
        self.left = False
        self.alive = True
        self._closing = False
        self.ended = False
        self.result: Any = None
        self.sending: str | None = None
        self.digressions: list[tuple[str, dict[str, Any]]] = []
        self._trigger: TriggerData | None = None
        self._stepped: TriggerData | None = None
        self._armed: set[Edge] = set()
        self._followed: set[Edge] = set()
        self._faults: list[ExpressionError] = []
        self._regions_final = False
        self.scope: dict[str, Any] = {
            **frame.variables,
            **run.scope,
            "event": None,
            "_event": None,
            "In": self.is_in,
            "_name": chart.flow,
            "_sessionid": f"{chart.flow}.{chart.version}",
        }

    @property
    def machine(self) -> "Machine":
        """The machine, bound where the frame stands when it is first needed.

        Raises StateError where the frame doesn't fit the chart.
        """
        if self._machine is None:
            self._machine = self.chart.bench.take()
            self._bind(self._machine)
        return self._machine

    def release(self) -> None:
        """Give the machine back; only after it ran well."""
        if self._machine is not None:
            self.chart.bench.give_back(self._machine)
            self._machine = None

    def fall(self) -> None:
        """Let the machine go, which stopped half-way."""
        self._machine = None

    def _bind(self, machine: "Machine") -> None:
        spots = [self.chart.spot(path) for path in self.frame.configuration]
        if not spots:
            raise StateError(f'the stored state of "{self.chart.flow}" is in no state at all')
        active: OrderedSet[str] = OrderedSet(id for spot in spots for id in spot.lineage)
        remembered = {
            machine_id(self.chart.tree.by_path[path]): [self.chart.spot(state).id for state in states]
            for path, states in self.frame.history.items()
            if path in self.chart.tree.by_path
        }
        machine.bind(self, active, remembered)

    def start(self) -> None:
        """Enter the flow and run to completion."""
        self._machine = self.chart.bench.take()
        self._machine.start(self)

    def declare(self, data: Mapping[str, Any], *, lenient: bool) -> None:
        """Give the variables their first values, those in `data` before the declared ones.

        Raises ExpressionError for one in `data` that isn't declared (unless `lenient`), and for a
        value that doesn't fit.
        """
        model = self.chart.document.datamodel
        for name in data:
            if name not in model and not lenient:
                raise ExpressionError(
                    f'the flow "{self.chart.flow}" has no variable "{name}"',
                    hint=did_you_mean(name, model) or "declare it under datamodel",
                )
        for name, first in self.chart.variables:
            try:
                value = data[name] if name in data else first(self)
                self.assign(name, value, str(self.chart.locate(("datamodel", name))))
            except ExpressionError as error:
                if not self.chart.catches("error.execution"):
                    raise
                self._faults.append(error)
                self.set(name, None)

    def send(self, occurrence: Occurrence) -> None:
        """Run one event to completion."""
        if self.ended:
            return
        self.run.note("event", self, (), occurrence.name, occurrence.data)
        machine = self.machine
        self._turn_to(occurrence)
        machine.send(occurrence)

    def raise_event(self, name: str, data: Any, spot: Spot) -> Occurrence:
        occurrence = Occurrence(name, self.chart.event_id(name, spot), data, "internal")
        if not self._closing:
            self.machine.raise_(occurrence)
        return occurrence

    def allows(self, edge: Edge, trigger: TriggerData) -> bool:
        """Whether the transition's guards let it be taken for this event."""
        if trigger is not self._trigger:
            self._focus(trigger)
        if self.ended:
            return False
        occurrence = self.occurrence
        if not edge.eventless and occurrence is not None and not occurrence.heard_by(edge):
            return False
        if edge.intent is not None and edge.intent not in self.run.intents_of(self):
            return False
        if not (edge.cond or edge.unless):
            return True
        try:
            result = all(cond(self) for cond in edge.cond) and not any(cond(self) for cond in edge.unless)
        except ExpressionError as error:
            self.fail(error, in_transition=True)
            result = False
        self.run.note("guard", self, edge.path, "passes" if result else "blocks", result)
        return result

    def take(self, edge: Edge, trigger: TriggerData) -> None:
        if trigger is not self._trigger:
            self._focus(trigger)
        if trigger is not self._stepped:
            self._stepped = trigger
            self._armed.clear()
            self._followed.clear()
            self.run.budget.spend(self, "microsteps")
        if self.occurrence is not None:
            self.occurrence.taken = True
        self._armed.add(edge)
        self.run.note("transition", self, edge.path, edge.text)
        if edge.before_actions:
            self.perform(edge.before_actions, edge.speaker or edge.spot, in_transition=True)

    def follow(self, edge: Edge) -> None:
        """Run a transition's actions."""
        # The machine runs them a second time where a transition to a history state enters its parent.
        if edge in self._followed or (edge.kind == "usual" and edge not in self._armed):
            return
        self._followed.add(edge)
        if edge.kind != "usual":
            self.run.note("transition", self, edge.path, edge.text)
        self.perform(edge.on_actions, edge.speaker or edge.spot, in_transition=True)

    def enter(self, spot: Spot, trigger: TriggerData) -> None:
        if trigger is not self._trigger:
            self._focus(trigger)
        if spot.parent is None:
            faults, self._faults = self._faults, []
            for fault in faults:
                self.fail(fault)
            return
        self.entered[spot] = None
        self.run.note("enter", self, spot.place, spot.path)
        if spot.ends_flow:
            self.ended = True
        elif spot.final:
            self._notice_regions(spot)
        if spot.entering:
            self.perform(spot.entering, spot)

    def _notice_regions(self, spot: Spot) -> None:
        if self.chart.by_id[spot.lineage[1]].node.kind == "parallel":
            self._regions_final = True

    def exit(self, spot: Spot) -> None:
        self.entered.pop(spot, None)
        self.left = True
        self.run.note("exit", self, spot.place, spot.path)
        if spot.exiting:
            self.perform(spot.exiting, spot)
        self.run.leave(self, spot.path)

    def wind_up(self) -> None:
        """Run the `exit` actions of all that is active, as SCXML has it for a flow that is over.

        What they raise reaches no one.
        """
        self._closing = True
        if not any(spot.exiting for spot in self.chart.spots):
            return
        for spot in reversed(self.active_spots()):
            if spot.exiting:
                self.run.note("exit", self, spot.place, spot.path)
                self.perform(spot.exiting, spot)

    def result_of(self, spot: Spot) -> Any:
        result = None
        if spot.returning is not None:
            try:
                result = spot.returning(self)
            except ExpressionError as error:
                self.fail(error)
        if spot.ends_flow:
            self.result = result
        return result

    def perform(self, actions: "Iterable[Action]", speaker: Spot, *, in_transition: bool = False) -> None:
        """Run a block of actions. One that fails ends the block, as SCXML has it."""
        before, self.speaker = self.speaker, speaker
        try:
            for action in actions:
                self.run.budget.spend(self, "actions")
                self.run.note("action", self, action.path, action.text)
                action.run(self)
        except (ExpressionError, Rejected) as error:
            self.fail(error, in_transition=in_transition)
        finally:
            self.speaker = before

    def fail(self, error: ExpressionError | Rejected, *, in_transition: bool = False) -> None:
        """Raise the error's event where the flow has a transition for it; else the error itself.

        The error itself, too, where a transition that takes an error's event fails in its turn.
        """
        data: dict[str, Any] = {"message": error.message}
        name = "error.execution"
        if isinstance(error, Rejected):
            command = f"error.command.{self.run.command}"
            data |= {"code": error.code, "details": error.details}
            if self.chart.catches(command):
                name = command
        handling = self.occurrence is not None and self.occurrence.error is not None
        if (handling and in_transition) or not self.chart.catches(name):
            raise error
        self.run.effects.append(Log(name, error.message))
        occurrence = self.raise_event(name, data, self.chart.root)
        occurrence.error = error
        occurrence.kind = "platform"
        occurrence.send_id, self.sending = self.sending, None

    def is_in(self, name: str) -> bool:
        """`In('x')` for the state where the expression stands. Raises ExpressionError for an unknown one."""
        node = self.here.states.get(name)
        if node is None:
            try:
                node = self.chart.tree.resolve(self.here.node, name)
            except Unresolved as error:
                hint = did_you_mean(name, error.candidates) or None
                raise ExpressionError(f'In("{name}"): there is no such state', hint=hint) from None
        return machine_id(node) in self.machine.active

    def assign(self, location: str, value: Any, where: str) -> None:
        """Set a variable, or a part of one (`order.total`).

        Raises ExpressionError for one that isn't declared and for a value that its type refuses.
        """
        name, *path = location.split(".")
        variable = self.chart.document.datamodel.get(name)
        if variable is None and name not in self.frame.variables:
            known = did_you_mean(name, self.chart.document.datamodel)
            raise ExpressionError(
                f'{where}: "{name}" isn\'t a variable of the flow',
                hint=known or "declare it under datamodel",
            )
        try:
            whole = placed(self.frame.variables.get(name), path, value)
            kind = variable.type if variable is not None else "any"
            self.set(name, coerce(kind, whole, self.run.context.currency))
        except Misfit as error:
            raise ExpressionError(f'{where}: "{location}": {error}') from None

    def loop(self, item: str, index: str | None, where: str) -> Callable[[Any, int], None]:
        """Sets the variables of a `foreach`; those that aren't declared are declared by it, as in SCXML.

        Raises ExpressionError for a name that no variable can have.
        """
        names = [name for name in (item, index) if name]
        for name in names:
            if name not in self.chart.document.datamodel:
                if not name.isidentifier() or name.startswith("_") or name in RESERVED:
                    raise ExpressionError(f'{where}: "{name}" can\'t be the name of a variable')
                self.set(name, self.frame.variables.get(name))

        def step(value: Any, number: int) -> None:
            for name, part in zip(names, (value, number), strict=False):
                self.assign(name, part, where)

        return step

    def set(self, name: str, value: Any) -> None:
        self.frame.variables[name] = value
        if name not in RESERVED:
            self.scope[name] = value

    def active_spots(self) -> list[Spot]:
        """The active states in document order, without the root."""
        by_id = self.chart.by_id
        return in_document_order(by_id[id] for id in self.machine.active if by_id[id].parent is not None)

    def settle(self) -> None:
        """After a macrostep: bring the frame up to date, and notice whether the flow has ended."""
        if not (self.left or self.entered):
            return
        by_id = self.chart.by_id
        atomic = [spot for id in self.machine.active if (spot := by_id[id]).atomic]
        if len(atomic) > 1:
            atomic.sort(key=by_order)
        self.frame.configuration = [spot.path for spot in atomic]
        for node in self.chart.histories:
            remembered = self.machine.remembered.get(machine_id(node))
            if remembered is not None:
                spots = in_document_order(self.chart.by_id[state.id] for state in remembered)
                self.frame.history[node.path] = [s.path for s in spots if s.atomic or not deep(node)]
        if self._regions_final:
            self._regions_final = False
            self.ended = self.ended or any(
                spot.node.kind == "parallel" and spot.id in self.machine.active and self._is_final(spot)
                for spot in self.chart.root.children
            )

    def _is_final(self, spot: Spot) -> bool:
        if spot.node.kind == "parallel":
            return all(self._is_final(child) for child in spot.children)
        return any(child.final and child.id in self.machine.active for child in spot.children)

    def _focus(self, trigger: TriggerData) -> None:
        """Turn to the event that the machine now works on; an eventless step keeps the one before."""
        self._trigger = trigger
        event = trigger.event
        if event is None or event == "__initial__":
            return
        occurrence = trigger.kwargs.get("occurrence")
        if occurrence is None:
            spot = self.chart.by_id[str(event).removeprefix("done.state.")]
            # The machine gives a parallel state the data of whichever region finished last.
            data = None if spot.node.kind == "parallel" else trigger.kwargs.get("result")
            occurrence = Occurrence(f"done.state.{spot.name}", str(event), data, "internal")
        if occurrence is not self.occurrence:
            self._turn_to(occurrence)

    def _turn_to(self, occurrence: Occurrence) -> None:
        self.occurrence = occurrence
        self.scope["event"] = self.scope["_event"] = occurrence.as_data()
