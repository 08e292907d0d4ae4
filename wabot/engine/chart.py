"""A flow compiled once: its states and transitions, and the machine's callbacks on them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from statemachine.event_data import EventData

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

    def __repr__(self) -> str:
        return f"<{self.node.kind} {self.path or '(root)'}>"

    @property
    def path(self) -> str:
        return self.node.path

    @property
    def place(self) -> Path:
        return self.node.document_path

    @property
    def order(self) -> int:
        return self.node.order

    @property
    def atomic(self) -> bool:
        return self.node.kind in ("atomic", "final")

    @property
    def final(self) -> bool:
        return self.node.kind == "final"

    @property
    def ends_flow(self) -> bool:
        return self.final and self.parent is not None and self.parent.parent is None

    def enter(self, model: "Holder", event_data: EventData) -> None:
        play = model.play
        if play is not None:
            play.enter(self, event_data.trigger_data)

    def exit(self, model: "Holder", event_data: EventData) -> None:
        play = model.play
        if play is not None:
            play.exit(self, event_data.trigger_data)

    def result(self, model: "Holder", event_data: EventData) -> dict[str, Any] | None:
        """What the machine adds to the `done.state` event of a final state."""
        play = model.play
        return None if play is None else {"result": play.result_of(self)}


@dataclass(slots=True, eq=False)
class Edge:
    """A transition. `path` is its place in the document.

    `kind` is `usual` for one that an event or the configuration takes; the machine runs the others'
    actions (`initial`, `history`) without asking.
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

    @property
    def eventless(self) -> bool:
        return not self.descriptors

    @property
    def hears_messages(self) -> bool:
        return any(d in ("*", "e.message") or d.startswith("e.message.") for d in self.descriptors)

    @property
    def guarded(self) -> bool:
        """Whether anything but the event decides. The root's transitions stop when the flow has ended."""
        return bool(
            self.cond or self.unless or self.intent or self.hears_messages or self.spot.parent is None
        )

    def guard(self, model: "Holder", event_data: EventData) -> bool:
        play = model.play
        return play is not None and play.allows(self, event_data.trigger_data)

    def before(self, model: "Holder", event_data: EventData) -> None:
        play = model.play
        if play is not None:
            play.take(self, event_data.trigger_data)

    def on(self, model: "Holder", event_data: EventData) -> None:
        play = model.play
        if play is not None:
            play.follow(self, event_data.trigger_data)

    def after(self, model: "Holder", event_data: EventData) -> None:
        play = model.play
        if play is not None:
            play.perform(self.after_actions, self.speaker or self.spot, in_transition=True)


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
    return sorted(spots, key=lambda spot: spot.order)
