"""Rules on the 24-hour window: what may be said after it leaves only as a template.

A data-flow analysis over the states. An age is how long ago, at most, the contact may have written when
a state is entered: none on the way of a message, the timers' lengths added up on theirs. Where ways meet
the longer one counts. A person who has the conversation in hand may keep it for longer; since they will
have talked with the contact, only what is said right when they hand it back counts as late.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wabot.core.durations import parse_duration
from wabot.core.limits import SERVICE_WINDOW
from wabot.engine.check.descriptors import bare, meets
from wabot.engine.check.flow import Edge, Flow, Message, Placed, together
from wabot.engine.check.reach import entered
from wabot.engine.check.structure import targets_of
from wabot.engine.document import (
    DigressAction,
    Invoke,
    RaiseAction,
    SendAction,
    Transition,
)
from wabot.engine.names import Node
from wabot.engine.problems import Path, Problem
from wabot.engine.texts import is_key

CLOSED = SERVICE_WINDOW.total_seconds()
"""The age, in seconds, from which on a message is too late. No age is longer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Event:
    """What may happen besides a message: `later` seconds after the block at `path` ran, or, without
    one, after `node` was entered. Where `node` is given it must be active still."""

    name: str
    later: float
    node: Node | None = None
    placed: Placed | None = None
    flow: str = ""
    agent: bool = False


class Ages:
    """The ages of one flow that begins at the age `begun`. `ends` are those at which other flows end."""

    def __init__(self, flow: Flow, begun: float = 0.0, ends: Mapping[str, float] | None = None) -> None:
        self._flow = flow
        self._ends = ends or {}
        self._entry: dict[Node, float] = {}
        self._events: dict[Edge, list[_Event]] = {}
        self._edges: list[Edge] = []
        self._handed_back: set[Node | Edge] = set()
        events = list(_events(flow))
        if begun or any(event.later or event.agent or self._ends.get(event.flow) for event in events):
            families = _by_family(events)
            self._events = {edge: _heard(edge, families) for edge in flow.edges if edge.usual}
            self._edges = [edge for edge, heard in self._events.items() if heard or edge.eventless]
            self._run(begun)

    def of(self, node: Node, edge: Edge | None, path: Path) -> float:
        """The age at which a block, a message or an action at `path` is reached."""
        if (edge or node) in self._handed_back:
            return CLOSED
        if edge is not None:
            return self._taken(edge)
        if path[len(node.document_path)] != "exit":
            return self._entry.get(node, 0.0)
        leaving = [
            *self._flow.reaches(node),
            *(e for n in node.descendants() for e in self._flow.edges_of(n)),
        ]
        return max((self._taken(each) for each in leaving if each.model.target), default=0.0)

    @property
    def end(self) -> float:
        """The age at which the flow may end."""
        finals = [node for node in self._flow.tree.root.children if node.kind == "final"]
        return max((self._entry.get(node, 0.0) for node in finals), default=0.0)

    def begins(self) -> Iterator[tuple[str, float]]:
        """The flows that this one begins, each with its age then."""
        for node, _, invoke in self._flow.invokes:
            if invoke.flow:
                yield invoke.flow, self._entry.get(node, 0.0)
        for placed in self._flow.actions:
            if isinstance(placed.action, DigressAction):
                yield placed.action.digress.flow, self.of(placed.node, placed.edge, placed.path)

    def _run(self, begun: float) -> None:
        for node in entered(self._flow, self._flow.tree.root):
            self._entry[node] = begun
        enters = {edge: _entered_by(self._flow, edge) for edge in self._edges}
        for edge, nodes in enters.items():
            if any(event.agent for event in self._events[edge]):
                self._handed_back |= {edge, *nodes}
        # A way without a circle has each edge once; what still grows after that grows for ever.
        for turn in itertools.count():
            grown = False
            for edge, nodes in enters.items():
                age = self._taken(edge)
                for node in nodes:
                    if self._entry.get(node, 0.0) < age:
                        self._entry[node] = age if turn <= len(self._edges) else CLOSED
                        grown = True
            if not grown:
                return

    def _taken(self, edge: Edge) -> float:
        """The age at which a transition may be taken."""
        if edge.eventless or not edge.usual:
            return max(self._entry.get(node, 0.0) for node in (edge.node, *edge.node.descendants()))
        return max((self._happens(event) for event in self._events.get(edge, ())), default=0.0)

    def _happens(self, event: _Event) -> float:
        if event.flow in self._ends:
            return self._ends[event.flow]
        since = 0.0
        if event.placed is not None:
            since = self.of(event.placed.node, event.placed.edge, event.placed.path)
        elif event.node is not None:
            since = self._entry.get(event.node, 0.0)
        return min(since + event.later, CLOSED)


def _by_family(events: list[_Event]) -> dict[str, list[_Event]]:
    """By the first word of their names, and a state's timer by all of its name too."""
    found: dict[str, list[_Event]] = {}
    for event in events:
        for name in {event.name.partition(".")[0], event.name}:
            found.setdefault(name, []).append(event)
    return found


def _heard(edge: Edge, events: Mapping[str, list[_Event]]) -> list[_Event]:
    """The events that a transition may take. What takes any is there for messages."""
    if edge.timer:
        return events[edge.descriptors[0]]
    return [
        event
        for descriptor in edge.descriptors
        for event in events.get(bare(descriptor).partition(".")[0], ())
        if meets(descriptor, event.name)
        and (event.node is None or event.node is edge.node or together(edge.node, event.node))
    ]


def _events(flow: Flow) -> Iterator[_Event]:
    for edge in flow.edges:
        if edge.timer:
            later = parse_duration(edge.timer).total_seconds()
            yield _Event(f"timer.{edge.node.path}.{edge.timer}", later, edge.node)
    for (node, _, invoke), id in zip(flow.invokes, flow.invoke_ids, strict=True):
        for kind in ("done", "error"):
            agent = _is_agent(invoke)
            yield _Event(f"{kind}.invoke.{id}", 0.0, node, flow=invoke.flow or "", agent=agent)
    for placed in flow.actions:
        yield from _raised(placed)
    for node in flow.tree.nodes:
        if node.kind == "final" and node.parent is not None:
            # Its state may be named from where the transition stands: any of them will do.
            yield _Event("done.state", 0.0, node)


def _is_agent(invoke: Invoke) -> bool:
    return "agent" in invoke.model_fields_set


def _raised(placed: Placed) -> Iterator[_Event]:
    match placed.action:
        case RaiseAction():
            yield _Event(placed.action.raise_.event, 0.0, placed=placed)
        case SendAction() if placed.action.send.event:
            yield _Event(placed.action.send.event, _delay(placed.action), placed=placed)


def _delay(action: SendAction) -> float:
    """In seconds; as long as can be where the data decides."""
    body = action.send
    if body.delayexpr is not None:
        return CLOSED
    if body.delay is None:
        return 0.0
    try:
        return parse_duration(body.delay).total_seconds()
    except ValueError:
        return CLOSED if "{" in body.delay else 0.0


def _entered_by(flow: Flow, edge: Edge) -> list[Node]:
    """The states that a transition enters: those around it that are active already it does not."""
    targets = targets_of(flow, edge)
    if not targets:
        return []
    inside = set().union(*(entered(flow, target) for target in targets))
    domain = _domain(edge, targets)
    return sorted((node for node in inside if node.within(domain)), key=lambda node: node.order)


def _domain(edge: Edge, targets: list[Node]) -> Node:
    """The innermost state around the transition and all its targets that it doesn't leave."""
    around: list[Node] = list(edge.node.ancestors())
    own = isinstance(edge.model, Transition) and edge.model.internal
    for node in [edge.node, *around] if own or not around else around:
        if node.kind != "parallel" and all(target.within(node) for target in targets):
            return node
    return around[-1] if around else edge.node


def measure(flows: Sequence[Flow]) -> dict[Flow, Ages]:
    """The ages of flows that begin one another."""
    begun = {flow.source.flow: 0.0 for flow in flows}
    ends = dict(begun)
    ages: dict[Flow, Ages] = {}
    patience = 2 * len(flows)
    for turn in itertools.count():
        grown = False
        for flow in flows:
            name = flow.source.flow
            ages[flow] = Ages(flow, begun[name], ends)
            told = [(ends, name, ages[flow].end), *((begun, *each) for each in ages[flow].begins())]
            for known, other, age in told:
                if age > known.get(other, CLOSED):
                    # Flows that begin each other in a circle grow for ever.
                    known[other] = age if turn <= patience else CLOSED
                    grown = True
        if not grown:
            break
    return ages


def late(flow: Flow, ages: Ages) -> Iterator[Problem]:
    """What may be said after the window and names no template."""
    for message in flow.messages:
        if message.rich.template is None and ages.of(message.node, message.edge, message.path) >= CLOSED:
            yield from _without_template(flow, message)


def _without_template(flow: Flow, message: Message) -> Iterator[Problem]:
    path = (*message.path, "text") if message.rich.text else message.path
    text = message.rich.text
    said = "this may be said more than 24 hours after the contact wrote, when only a template leaves"
    if not flow.texts.names_template(text):
        beside = f'beside the text "{text}"' if is_key(text) else "here"
        yield flow.problem("no-template", path, said, f"name one {beside}: template: {{name: …}}")
        return
    spoken = [(locale, flow.texts.get(text, locale)) for locale in flow.locales]
    lacking = [locale for locale, found in spoken if found is not None and found.approved is None]
    if lacking:
        files = ", ".join(f"{locale}.yaml" for locale in lacking)
        yield flow.problem("no-template", path, said, f'name one beside the text "{text}" in {files}')
