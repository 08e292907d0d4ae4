"""What a name in a flow means: targets, `In('x')` and `done.state.x` to the state they speak of.

A name is looked for from near to far: among the children of the state it is written in, then beside
that state, then beside each of its ancestors up to the top, then anywhere, if it is there only once.
A name may be a path, ids joined by dots; where an id itself has dots, the literal id wins.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Self

from wabot.engine.document import FlowDocument, History, StateNode
from wabot.engine.problems import Path

Kind = Literal["root", "atomic", "compound", "parallel", "final", "history"]

STATE_EVENTS = ("done.state", "answered", "invalid", "exhausted")
"""Events whose name goes on with a state's path."""


class Unresolved(Exception):
    """A name that means no state, or more than one.

    `candidates` are the ids that could have been meant (`unknown`), or the paths of the states that
    are equally near (`ambiguous`).
    """

    def __init__(self, kind: Literal["unknown", "ambiguous"], name: str, candidates: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.candidates = tuple(candidates)
        super().__init__(f'"{name}" is {kind}')


@dataclass(slots=True, eq=False)
class Node:
    """A state of the chart, a history state, or the hidden root that holds them all.

    `path` is the ids from the top joined by dots; `order` counts in document order, the root 0.
    `children` are states only, in document order; history states are in `histories`.
    """

    id: str
    path: str
    kind: Kind
    document_path: Path
    order: int
    model: FlowDocument | StateNode | History
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    histories: list["Node"] = field(default_factory=list)
    named: dict[str, "Node"] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.path or '(root)'}>"

    @property
    def initial(self) -> "Node | None":
        """The child that is entered by default: the first one marked so, else the first."""
        marked = (c for c in self.children if isinstance(c.model, StateNode) and c.model.initial)
        return next(marked, self.children[0] if self.children else None)

    def ancestors(self) -> Iterator["Node"]:
        """From the parent outwards, the root last."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def descendants(self) -> Iterator["Node"]:
        """States below this one in document order, without history states."""
        for child in self.children:
            yield child
            yield from child.descendants()

    def within(self, other: "Node") -> bool:
        """Whether this is a proper descendant of `other`."""
        return any(node is other for node in self.ancestors())


@dataclass(slots=True, eq=False)
class Tree:
    """All states of one flow. `nodes` is in document order, the root first, history states too."""

    root: Node
    nodes: list[Node]
    by_path: dict[str, Node]
    by_id: dict[str, list[Node]]

    @classmethod
    def of(cls, document: FlowDocument) -> Self:
        tree = cls(Node("", "", "root", (), 0, document), [], {}, {})
        tree._add(tree.root)
        tree._grow(tree.root, document.states, {})
        return tree

    def _add(self, node: Node) -> None:
        node.order = len(self.nodes)
        self.nodes.append(node)
        if node.parent is None:
            return
        self.by_path.setdefault(node.path, node)
        self.by_id.setdefault(node.id, []).append(node)
        node.parent.named.setdefault(node.id, node)

    def _grow(self, parent: Node, states: dict[str, StateNode], histories: dict[str, History]) -> None:
        prefix = f"{parent.path}." if parent.parent is not None else ""
        for id, history in histories.items():
            place = (*parent.document_path, "history", id)
            node = Node(id, prefix + id, "history", place, 0, history, parent)
            parent.histories.append(node)
            self._add(node)
        for id, state in states.items():
            place = (*parent.document_path, "states", id)
            node = Node(id, prefix + id, _kind(state), place, 0, state, parent)
            parent.children.append(node)
            self._add(node)
            self._grow(node, state.states, state.history)

    def states(self) -> Iterator[Node]:
        """Every state in document order, without the root and history states."""
        return (node for node in self.nodes if node.kind not in ("root", "history"))

    def resolve(self, source: Node, name: str) -> Node:
        """The state (or history state) that `name` means in `source`. Raises Unresolved."""
        for lookup in (self._literal, self._dotted):
            found = lookup(source, name)
            if len(found) == 1:
                return found[0]
            if found:
                raise Unresolved("ambiguous", name, [node.path for node in found])
        raise Unresolved("unknown", name, dict.fromkeys([*self.by_id, *self.by_path]))

    def targets(self, source: Node, text: str) -> list[Node]:
        """The states named by a transition's `target`: several names are separated by spaces.

        An id with spaces in it is taken where the longest run of words is one. Raises Unresolved.
        """
        words = text.split()
        found: list[Node] = []
        while words:
            node, used = self._longest(source, words)
            found.append(node)
            words = words[used:]
        return found

    def _longest(self, source: Node, words: list[str]) -> tuple[Node, int]:
        for used in range(len(words), 1, -1):
            try:
                return self.resolve(source, " ".join(words[:used])), used
            except Unresolved as error:
                if error.kind == "ambiguous":
                    raise
        return self.resolve(source, words[0]), 1

    def _literal(self, source: Node, name: str) -> list[Node]:
        for level in (source, *source.ancestors()):
            if name in level.named:
                return [level.named[name]]
        return self.by_id.get(name, [])

    def _dotted(self, source: Node, name: str) -> list[Node]:
        if "." not in name:
            return []
        for level in (source, *source.ancestors()):
            if found := _down(level, name):
                return [found]
        tails = (name[i + 1 :] for i, char in enumerate(name) if char == ".")
        ending = (node for tail in tails for node in self.by_id.get(tail, ()))
        return [node for node in ending if node.path.endswith(f".{name}")]


def _kind(state: StateNode) -> Kind:
    if state.parallel:
        return "parallel"
    if state.states:
        return "compound"
    return "final" if state.final else "atomic"


def _down(node: Node, name: str) -> Node | None:
    """The descendant whose path from `node` reads `name`; the longest id wins where ids have dots."""
    if name in node.named:
        return node.named[name]
    for i in range(len(name) - 1, -1, -1):
        child = node.named.get(name[:i]) if name[i] == "." else None
        if child and (found := _down(child, name[i + 1 :])):
            return found
    return None


def split_state_event(descriptor: str) -> tuple[str, str] | None:
    """`done.state.pick` as `("done.state", "pick")`: the event and the name of a state to resolve.

    None for a descriptor that names no state: another event, or one of these for any state
    (`answered`, `done.state.*`).
    """
    for event in STATE_EVENTS:
        if descriptor.startswith(f"{event}."):
            name = descriptor[len(event) + 1 :].removesuffix(".*").removesuffix(".")
            return (event, name) if name and name != "*" else None
    return None
