"""A flow as a picture's source: Mermaid and DOT, with the author's own names.

Inside, states are called by their number in document order, so that any id can be drawn.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from wabot.engine.document import After, History, StateNode, Transition
from wabot.engine.loader import Source
from wabot.engine.names import Node, Tree, Unresolved
from wabot.errors import FlowInvalid

ANYWHERE = "anywhere"
"""What stands for the whole flow as the source of its transitions."""

LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Arrow:
    """A transition to one target; `source` is the root for one of the whole flow."""

    source: Node
    target: Node
    label: str


def mermaid(source: Source, active: Sequence[str] = ()) -> str:
    """A `stateDiagram-v2`. `active` are states by id or dotted path.

    Raises FlowInvalid for a target that means no state.
    """
    drawing = _Mermaid(source.tree, marked(source.tree, active))
    return "\n".join(drawing.lines()) + "\n"


def dot(source: Source, active: Sequence[str] = ()) -> str:
    """A graph for Graphviz. `active` are states by id or dotted path.

    Raises FlowInvalid for a target that means no state.
    """
    drawing = _Dot(source, marked(source.tree, active))
    return "\n".join(drawing.lines()) + "\n"


def marked(tree: Tree, active: Sequence[str]) -> set[Node]:
    """The states of these names and those around them; names of no state are left out."""
    found: set[Node] = set()
    for name in active:
        try:
            node = tree.resolve(tree.root, name)
        except Unresolved:
            continue
        found |= {node, *node.ancestors()} - {tree.root}
    return found


def arrows(tree: Tree) -> list[Arrow]:
    """All transitions in document order, initial ones left out. Raises FlowInvalid."""
    found = [arrow for node in tree.nodes for arrow in _arrows(tree, node)]
    return list(dict.fromkeys(found))


def _arrows(tree: Tree, node: Node) -> Iterator[Arrow]:
    for transition in node.model.transitions:
        if not transition.initial:
            yield from _drawn(tree, node, transition, _label(transition))
    if isinstance(node.model, StateNode):
        for duration, after in node.model.after.items():
            yield from _drawn(tree, node, after, _guarded(f"after {duration}", after.cond, []))


def _drawn(tree: Tree, node: Node, model: Transition | After, label: str) -> Iterator[Arrow]:
    try:
        targets = tree.targets(node, model.target or "")
    except Unresolved as error:
        raise FlowInvalid(
            f'the target "{error.name}" is {error.kind}', hint="wabot check says more"
        ) from None
    for target in targets or [node]:
        if target.parent is not None or node.parent is None:
            yield Arrow(node, target, label)


def _label(transition: Transition) -> str:
    words = [transition.event or "", f"“{transition.intent}”" if transition.intent else ""]
    return _guarded(" ".join(filter(None, words)), transition.cond, transition.unless)


def _guarded(event: str, cond: list[str], unless: list[str]) -> str:
    guards = [*cond, *(f"not ({guard})" for guard in unless)]
    return " ".join([event, f"[{' and '.join(guards)}]"]).strip() if guards else event


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"


def name_of(node: Node) -> str:
    return f"s{node.order}"


def shown(node: Node) -> str:
    """What is written on a state."""
    if isinstance(node.model, History):
        return "H*" if node.model.type == "deep" else "H"
    return short(node.id)


_PLAIN = re.compile(r"[\w .,!?'()=/+*@&|-]|[^\x00-\x7f]")


def mermaid_text(text: str) -> str:
    """`text` so that Mermaid shows it as it is: what could be syntax becomes a character code."""
    escaped = "".join(char if _PLAIN.fullmatch(char) else f"#{ord(char)};" for char in short(text))
    return escaped.replace("--", "-#45;")


class _Mermaid:
    def __init__(self, tree: Tree, active: Collection[Node]) -> None:
        self.tree = tree
        self.active = active
        self.arrows: dict[Node, list[Arrow]] = {}
        for arrow in arrows(tree):
            self.arrows.setdefault(_scope(arrow), []).append(arrow)

    def lines(self) -> Iterator[str]:
        yield "stateDiagram-v2"
        yield "    direction TB"
        if any(arrow.source.parent is None for arrow in self.arrows.get(self.tree.root, ())):
            yield f'    state "{ANYWHERE}" as {name_of(self.tree.root)}'
        yield from self._inside(self.tree.root, "    ")
        if self.active:
            names = ",".join(name_of(node) for node in sorted(self.active, key=lambda node: node.order))
            yield "    classDef active fill:#ffd54f,stroke:#b28704,color:#000"
            yield f"    class {names} active"

    def _inside(self, node: Node, pad: str) -> Iterator[str]:
        if node.kind == "parallel":
            for index, region in enumerate(node.children):
                if index:
                    yield f"{pad}--"
                yield from self._state(region, pad)
        else:
            if node.initial is not None:
                yield f"{pad}[*] --> {name_of(node.initial)}"
            for child in node.children:
                yield from self._state(child, pad)
        for history in node.histories:
            yield f'{pad}state "{shown(history)}" as {name_of(history)}'
        for arrow in self.arrows.get(node, ()):
            yield pad + self._arrow(arrow)
        for child in node.children if node.kind != "parallel" else ():
            if child.kind == "final":
                yield f"{pad}{name_of(child)} --> [*]"

    def _state(self, node: Node, pad: str) -> Iterator[str]:
        head = f'{pad}state "{mermaid_text(node.id)}" as {name_of(node)}'
        if not node.children:
            yield head
            return
        yield f"{head} {{"
        yield from self._inside(node, pad + "    ")
        yield f"{pad}}}"

    def _arrow(self, arrow: Arrow) -> str:
        line = f"{name_of(_end(arrow.source))} --> {name_of(_end(arrow.target))}"
        return f"{line} : {mermaid_text(arrow.label)}" if arrow.label else line


def _end(node: Node) -> Node:
    """Where an arrow is drawn to: Mermaid (its issue 4052) fails on a compound state that is, or is
    in, a region of a parallel one, so there it ends at the state entered first."""
    inside = node.parent is not None and any(around.kind == "parallel" for around in node.ancestors())
    while inside and node.children:
        node = node.initial or node.children[0]
    return node


def _scope(arrow: Arrow) -> Node:
    """The state inside which an arrow is drawn: the innermost around both of its ends."""
    source, target = _end(arrow.source), _end(arrow.target)
    if source.parent is None:
        return source
    around = [source.parent, *source.parent.ancestors()]
    # Inside a parallel state it would lie in one of the regions.
    return next(node for node in around if target.within(node) and node.kind != "parallel")


def dot_text(text: str) -> str:
    """`text` as a quoted string of DOT."""
    escaped = short(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return f'"{escaped}"'


_ACTIVE = ' style="filled,rounded" fillcolor="#ffd54f"'


class _Dot:
    def __init__(self, source: Source, active: Collection[Node]) -> None:
        self.tree = source.tree
        self.active = active
        self.title = source.flow
        self.arrows = arrows(source.tree)

    def lines(self) -> Iterator[str]:
        yield f"digraph {dot_text(self.title)} {{"
        yield "    compound=true rankdir=TB fontname=Helvetica"
        yield "    node [shape=box style=rounded fontname=Helvetica fontsize=11]"
        yield "    edge [fontname=Helvetica fontsize=9]"
        if any(arrow.source.parent is None for arrow in self.arrows):
            yield f"    {name_of(self.tree.root)} [label={dot_text(ANYWHERE)} shape=ellipse style=dashed]"
        yield from self._inside(self.tree.root, "    ")
        for arrow in self.arrows:
            yield f"    {self._arrow(arrow)}"
        yield "}"

    def _inside(self, node: Node, pad: str) -> Iterator[str]:
        if node.kind != "parallel" and node.initial is not None:
            start = f"start{node.order}"
            yield f"{pad}{start} [shape=point width=0.12]"
            yield f"{pad}{start} -> {self._edge(node.initial, 'lhead')}"
        for child in (*node.children, *node.histories):
            yield from self._state(child, pad)

    def _state(self, node: Node, pad: str) -> Iterator[str]:
        if not node.children:
            yield f"{pad}{name_of(node)} [label={dot_text(shown(node))}{self._looks(node)}]"
            return
        yield f"{pad}subgraph cluster_{name_of(node)} {{"
        is_region = node.parent is not None and node.parent.kind == "parallel"
        style = "dashed" if is_region else "rounded"
        looks = _ACTIVE if node in self.active else f' style="{style}"'
        yield f"{pad}    graph [label={dot_text(node.id)}{looks}]"
        yield from self._inside(node, pad + "    ")
        yield f"{pad}}}"

    def _looks(self, node: Node) -> str:
        shape = {"final": " peripheries=2", "history": " shape=circle"}.get(node.kind, "")
        return shape + (_ACTIVE if node in self.active else "")

    def _arrow(self, arrow: Arrow) -> str:
        source, target = _leaf(arrow.source), _leaf(arrow.target)
        looks = [f"label={dot_text(arrow.label)}"] if arrow.label else []
        # Graphviz can't clip an arrow at a cluster that holds its other end.
        if arrow.source.children and arrow.source.parent and not arrow.target.within(arrow.source):
            looks.append(f"ltail=cluster_{name_of(arrow.source)}")
        if arrow.target.children and arrow.target.parent and not arrow.source.within(arrow.target):
            looks.append(f"lhead=cluster_{name_of(arrow.target)}")
        return f"{name_of(source)} -> {name_of(target)}" + (f" [{' '.join(looks)}]" if looks else "")

    def _edge(self, target: Node, clip: str) -> str:
        name = name_of(_leaf(target))
        return f"{name} [{clip}=cluster_{name_of(target)}]" if target.children else name


def _leaf(node: Node) -> Node:
    """The node that stands for a cluster where arrows begin and end."""
    while node.children and node.parent is not None:
        node = node.initial or node.children[0]
    return node
