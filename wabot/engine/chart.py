"""A flow compiled once: its states and transitions, and the machine's callbacks on them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from statemachine.event_data import TriggerData

from wabot.engine.document import FlowDocument, History, StateNode
from wabot.engine.names import Node, Tree, Unresolved, split_state_event
from wabot.engine.problems import Path, Place, did_you_mean
from wabot.errors import StateError

if TYPE_CHECKING:
    from wabot.engine.actions import Action
    from wabot.engine.asking import Question
    from wabot.engine.formula import Formula
    from wabot.engine.intents import Intents
    from wabot.engine.invoking import Invocation, Timer
    from wabot.engine.machine import Bench, Holder


TIMER = "timer."
"""Begins the chart's events for the `after` of a state; those of authors begin with `e.`."""


QUESTIONS = frozenset({"e.answered", "e.invalid", "e.exhausted"})
"""Descriptors for what became of a question, whichever state asked."""


@dataclass(slots=True, eq=False)
class Spot:
    """A state of the chart, or the hidden root around them all.

    `id` is what the machine knows it by; an author's id could clash with the machine's own names and
    needs to be unique among siblings only. `lineage` is the ids from the root down to this one.
    """

    node: Node
    id: str
    lineage: tuple[str, ...]
    parent: "Spot | None"
    name: str = ""
    children: "list[Spot]" = field(default_factory=list)
    states: Mapping[str, Node] = field(default_factory=dict)
    edges: "list[Edge]" = field(default_factory=list)
    defaults: "list[Edge]" = field(default_factory=list)
    entering: "tuple[Action, ...]" = ()
    exiting: "tuple[Action, ...]" = ()
    returning: "Formula | None" = None
    question: "Question | None" = None
    timers: "tuple[Timer, ...]" = ()
    invocations: "tuple[Invocation, ...]" = ()
    path: str = field(init=False)
    place: Path = field(init=False)
    order: int = field(init=False)
    atomic: bool = field(init=False)
    final: bool = field(init=False)
    ends_flow: bool = field(init=False)

    def __repr__(self) -> str:
        return f"<{self.node.kind} {self.path or '(root)'}>"

    def __post_init__(self) -> None:
        self.path = self.node.path
        self.place = self.node.document_path
        self.order = self.node.order
        self.atomic = self.node.kind in ("atomic", "final")
        self.final = self.node.kind == "final"
        self.ends_flow = self.final and self.parent is not None and self.parent.parent is None

    @property
    def begins(self) -> bool:
        """Whether something starts once the state is active."""
        return bool(self.timers or self.question or self.invocations)

    def around(self) -> "Iterator[Spot]":
        """From the parent outwards, the root last."""
        spot = self.parent
        while spot is not None:
            yield spot
            spot = spot.parent

    def enter(self, model: "Holder", trigger: TriggerData) -> None:
        model.play.enter(self, trigger)

    def exit(self, model: "Holder", trigger: TriggerData) -> None:
        model.play.exit(self)

    def result(self, model: "Holder", trigger: TriggerData) -> dict[str, Any]:
        """What the machine adds to the `done.state` event of a final state."""
        return {"result": model.play.result_of(self)}


@dataclass(slots=True, eq=False)
class Edge:
    """A transition. `path` is its place in the document.

    `kind` is `usual` for one that an event or the configuration takes; the machine runs the others'
    actions (`initial`, `history`) without asking. `text` is its targets' paths.
    """

    spot: Spot
    path: Path
    kind: Literal["usual", "initial", "history"] = "usual"
    descriptors: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    internal: bool = False
    cond: "tuple[Formula, ...]" = ()
    unless: "tuple[Formula, ...]" = ()
    intent: str | None = None
    before_actions: "tuple[Action, ...]" = ()
    on_actions: "tuple[Action, ...]" = ()
    after_actions: "tuple[Action, ...]" = ()
    speaker: Spot | None = None
    text: str = ""
    eventless: bool = field(init=False)
    guarded: bool = field(init=False)
    any_question: bool = field(init=False)

    def __post_init__(self) -> None:
        self.eventless = not self.descriptors
        hears = any(d in ("*", "e.message") or d.startswith("e.message.") for d in self.descriptors)
        self.any_question = any(d in QUESTIONS for d in self.descriptors)
        hears = hears or self.any_question
        # The root's transitions stop when the flow has ended.
        self.guarded = bool(self.cond or self.unless or self.intent or hears or self.spot.parent is None)

    def matches(self, event: str) -> bool:
        """Whether a descriptor is the event's name or its beginning up to a dot; the eventless
        transitions match the empty string. A state's timer is its own transition's alone, whatever
        `*` there is."""
        if not event:
            return self.eventless
        if event.startswith(TIMER):
            return event in self.descriptors
        return any(word == "*" or f"{event}.".startswith(f"{word}.") for word in self.descriptors)

    def guard(self, model: "Holder", trigger: TriggerData) -> bool:
        return model.play.allows(self, trigger)

    def before(self, model: "Holder", trigger: TriggerData) -> None:
        model.play.take(self, trigger)

    def on(self, model: "Holder", trigger: TriggerData) -> None:
        model.play.follow(self)

    def after(self, model: "Holder", trigger: TriggerData) -> None:
        model.play.perform(self.after_actions, self.speaker or self.spot, in_transition=True)


@dataclass(slots=True, eq=False)
class Chart:
    """One version of a flow, ready to run.

    `flow` and `version` are what a stored state says; `written_in` is the flow whose document holds
    it, another one for a flow that is written inside an `invoke`. `spots` are in document order, the
    root first; `histories` are the history states.
    """

    flow: str
    version: int
    written_in: str
    document: FlowDocument
    tree: Tree
    spots: list[Spot]
    histories: list[Node]
    by_path: dict[str, Spot]
    by_id: dict[str, Spot]
    locate: Callable[[Path], Place]
    intents: "Intents"
    variables: "list[tuple[str, Formula]]" = field(default_factory=list)
    inline: "dict[str, Chart]" = field(default_factory=dict)
    error_events: frozenset[str] = frozenset()
    bench: "Bench" = field(init=False)

    @property
    def root(self) -> Spot:
        return self.spots[0]

    def spot(self, path: str) -> Spot:
        """Raises StateError for a state that isn't there, saying which is near."""
        try:
            return self.by_path[path]
        except KeyError:
            raise StateError(
                f'the stored state is in "{path}", which version {self.version} of "{self.flow}" hasn\'t got',
                hint=did_you_mean(path, self.by_path) or None,
            ) from None

    def event_id(self, name: str, source: Spot) -> str:
        """What the machine knows an author's event by; a prefix keeps it off the machine's own names."""
        named = split_state_event(name)
        if named:
            try:
                node = self.tree.resolve(source.node, named[1])
            except Unresolved:
                return f"e.{name}"
            spot = self.by_id.get(machine_id(node))
            return state_event(named[0], spot) if spot else f"e.{name}"
        return f"e.{name}"

    def catches(self, event: str) -> bool:
        """Whether some transition names this error: by itself or by a prefix, not only by `*`."""
        words = event.split(".")
        return any(".".join(words[:count]) in self.error_events for count in range(1, len(words) + 1))


def machine_id(node: Node) -> str:
    return f"s{node.order}"


def state_event(event: str, spot: Spot) -> str:
    """The id of `done.state`, `answered`, … of a state. Those of `done.state` are the machine's own;
    of the others a descriptor for a state takes those below it too."""
    return f"done.state.{spot.id}" if event == "done.state" else f"e.{event}.{'.'.join(spot.lineage[1:])}"


def descriptor_ids(chart: Chart, descriptors: str, source: Spot) -> tuple[str, ...]:
    """An author's descriptors as the machine's."""
    found: list[str] = []
    for word in descriptors.split():
        bare = word.removesuffix(".*").removesuffix(".")
        if bare in ("*", ""):
            found.append("*")
            continue
        found.append(f"e.{bare}")
        own = chart.event_id(bare, source)
        if own != found[-1]:
            found.append(own)
        if bare in ("done", "done.state"):
            found.append(bare)
    return tuple(dict.fromkeys(found))


def short_names(tree: Tree) -> dict[int, str]:
    """Each state's id, or its path where the id is there more than once; by its order."""
    return {
        node.order: node.id if len(tree.by_id[node.id]) == 1 else node.path
        for node in tree.nodes
        if node.parent is not None
    }


def deep(node: Node) -> bool:
    """Whether a history state remembers all the way down."""
    return isinstance(node.model, History) and node.model.type == "deep"


def model_of(spot: Spot) -> StateNode | None:
    model = spot.node.model
    return model if isinstance(model, StateNode) else None


def in_document_order(spots: Iterable[Spot]) -> list[Spot]:
    return sorted(spots, key=by_order)


def by_order(spot: Spot) -> int:
    return spot.order
