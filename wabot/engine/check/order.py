"""Rules on time: a variable is set before it is used, on some way or on every way to its use.

A data-flow analysis over the states. A fact is what may be set (on some way) and what must be (on
every way), as bits. Variables are never unset, so facts only grow along a way, and where ways
meet, `may` is joined and `must` is intersected.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wabot.engine.check.descriptors import matches
from wabot.engine.check.flow import Edge, Flow, Placed, companions
from wabot.engine.check.operations import fails_without
from wabot.engine.check.reach import entered
from wabot.engine.check.structure import targets_of
from wabot.engine.check.uses import Use
from wabot.engine.check.variables import tested, tests, used_names
from wabot.engine.document import AssignAction, CommandAction, IfAction, SendAction, StateNode
from wabot.engine.names import Node
from wabot.engine.problems import Problem

Fact = tuple[int, int]


@dataclass(slots=True)
class Facts:
    """What is set when a state is entered, after its entry actions, and while it is active."""

    before: dict[Node, Fact] = field(default_factory=dict)
    after: dict[Node, Fact] = field(default_factory=dict)
    active: dict[Node, Fact] = field(default_factory=dict)


def meet(one: Fact | None, other: Fact) -> Fact:
    return other if one is None else (one[0] | other[0], one[1] & other[1])


class Analysis:
    """The facts of one flow, for the variables that begin without a value.

    Of those that nothing in the flow sets (`never`), only where nobody else can have set them.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.never = _without_value(flow) - _followed(flow) - _otherwise_set(flow) if flow.closed else set()
        self.bits = {name: 1 << index for index, name in enumerate(_watched(flow, self.never))}
        self.facts = Facts()
        self._actions: dict[tuple[Node, Edge | None, str], list[Placed]] = {}
        for placed in flow.actions:
            self._actions.setdefault(_block(placed), []).append(placed)
        self._waiting: deque[Node] = deque()
        self._entered: dict[Node, list[Node]] = {}

    def run(self) -> Facts:
        self._enter(self._inside([self.flow.tree.root]), (0, 0))
        while self._waiting:
            node = self._waiting.popleft()
            for edge in self.flow.edges_of(node):
                if edge.usual:
                    self._follow(node, edge)
        return self.facts

    def mask(self, names: Iterable[str]) -> int:
        return sum(self.bits.get(name, 0) for name in set(names))

    def at_edge(self, node: Node, edge: Edge, guard: Use | None = None) -> Fact:
        """What is set once the edge's guards have passed: what they look at counts as set.

        Where `guard` is given, when that one is asked.
        """
        may, must = self.facts.active.get(node, (0, 0))
        may |= self._beside(node)
        others = [use for use in self.flow.guards_of(edge) if use is not guard]
        looked_at = self.mask({name for use in others for name in used_names(self.flow, use)})
        taken = self._results(node, edge)
        return may | taken | looked_at, must | taken | looked_at

    def block(self, node: Node, edge: Edge | None, name: str) -> list[Placed]:
        return self._actions.get((node, edge, name), [])

    def _follow(self, node: Node, edge: Edge) -> None:
        may, must = self.at_edge(node, edge)
        for placed in (*self.block(node, None, "exit"), *self._of_edge(node, edge)):
            may |= self.sets(placed)
            must |= self.sets(placed) if _always(placed) else 0
        targets = targets_of(self.flow, edge)
        if targets:
            self._enter(self._inside(targets), (may, must))
            return
        for leaf in (node, *node.descendants()):
            if not leaf.children and leaf in self.facts.active:
                before = self.facts.active[leaf]
                self._activate(leaf, (before[0] | may, before[1]))

    def _of_edge(self, node: Node, edge: Edge) -> Iterator[Placed]:
        for name, _ in edge.blocks():
            yield from self.block(node, edge, name)

    def _inside(self, targets: list[Node]) -> list[Node]:
        if len(targets) == 1 and targets[0] in self._entered:
            return self._entered[targets[0]]
        inside: set[Node] = set().union(*(entered(self.flow, target) for target in targets))
        ordered = sorted(inside, key=lambda node: node.order)
        if len(targets) == 1:
            self._entered[targets[0]] = ordered
        return ordered

    def _enter(self, inside: list[Node], base: Fact) -> None:
        """Enter states in document order; each goes on from its parent."""
        reached: dict[Node, Fact] = {}
        for node in inside:
            fact = reached.get(node.parent, base) if node.parent else base
            self.facts.before[node] = meet(self.facts.before.get(node), fact)
            for placed in self.block(node, None, "enter"):
                may, must = fact
                sets = self.sets(placed)
                fact = may | sets, must | (sets if _always(placed) else 0)
            reached[node] = fact
            self.facts.after[node] = meet(self.facts.after.get(node), fact)
            if not node.children and node.kind != "history":
                self._activate(node, fact)

    def _activate(self, leaf: Node, fact: Fact) -> None:
        for node in (leaf, *leaf.ancestors()):
            into = self.mask(_into(node))
            new = meet(self.facts.active.get(node), (fact[0] | into, fact[1]))
            if new != self.facts.active.get(node):
                self.facts.active[node] = new
                self._waiting.append(node)

    def _beside(self, node: Node) -> int:
        """What the other regions of a parallel state may set meanwhile."""
        if not any(around.kind == "parallel" for around in node.ancestors()):
            return 0
        others = [other for other in companions(node) if other is not node and not node.within(other)]
        return sum({bit for other in others for bit in self._bits(self._everything(other))})

    def _everything(self, node: Node) -> int:
        edges = self.flow.edges_of(node)
        blocks = [self.block(node, None, name) for name in ("enter", "exit")]
        blocks += [list(self._of_edge(node, edge)) for edge in edges]
        found = self.mask(_into(node))
        for placed in (placed for block in blocks for placed in block):
            found |= self.sets(placed)
        return found

    def _bits(self, mask: int) -> Iterator[int]:
        return (bit for bit in self.bits.values() if bit & mask)

    def _results(self, node: Node, edge: Edge) -> int:
        """What the event itself says is set: an answer, the result of an invoke."""
        names: list[str] = []
        for descriptor in edge.descriptors:
            if matches("answered", descriptor):
                names += [n for other in (node, *node.descendants()) for n in _into(other, ask=True)]
            elif matches("done.invoke", descriptor):
                names += [n for other in (node, *node.descendants()) for n in _into(other, ask=False)]
        return self.mask(names)

    def sets(self, placed: Placed) -> int:
        return self.mask(assigned(placed))


def assigned(placed: Placed) -> list[str]:
    """The variables that an action sets."""
    action = placed.action
    if isinstance(action, AssignAction):
        locations = [str(action.assign["location"])] if action.plain else list(action.assign)
        return [location.partition(".")[0] for location in locations]
    if isinstance(action, CommandAction) and action.into:
        return [action.into.partition(".")[0]]
    return []


def _into(node: Node, *, ask: bool | None = None) -> list[str]:
    """The variables that answers (`ask`), results of invokes (not `ask`), or either are stored in."""
    if not isinstance(node.model, StateNode):
        return []
    asked = [node.model.ask.into] if node.model.ask and ask is not False else []
    invoked = [invoke.into for invoke in node.model.invoke] if not ask else []
    return [name.partition(".")[0] for name in (*asked, *invoked) if name]


def _watched(flow: Flow, never: set[str]) -> list[str]:
    followed = _without_value(flow) & _followed(flow) - _otherwise_set(flow)
    return [name for name in flow.document.datamodel if name in followed | never]


def _without_value(flow: Flow) -> set[str]:
    """The variables that begin as null."""
    variables = flow.document.datamodel.items()
    empty = {name for name, variable in variables if variable.default is None and variable.expr is None}
    return empty - flow.given


def _followed(flow: Flow) -> set[str]:
    """The variables that something sets which the analysis follows."""
    assigns = {name for placed in flow.actions for name in assigned(placed)}
    return assigns | {name for node in flow.tree.nodes for name in _into(node)}


def _otherwise_set(flow: Flow) -> set[str]:
    """The variables that loops and the ids of sends and invokes set."""
    sends = [p.action.send.idlocation for p in flow.actions if isinstance(p.action, SendAction)]
    ids = [invoke.idlocation for _, _, invoke in flow.invokes]
    return {*flow.looped, *(name.partition(".")[0] for name in (*sends, *ids) if name)}


def _block(placed: Placed) -> tuple[Node, Edge | None, str]:
    """The state, the transition (None for the state's own) and the name of the block it is in."""
    start = len(placed.edge.path if placed.edge else placed.node.document_path)
    return placed.node, placed.edge, str(placed.path[start])


def _always(placed: Placed) -> bool:
    """Whether it runs whenever its block does: it is in no `if` and no `foreach`."""
    start = len(placed.edge.path if placed.edge else placed.node.document_path)
    return len(placed.path) == start + 2


def unset_variables(flow: Flow) -> Iterator[Problem]:
    analysis = Analysis(flow)
    if not analysis.bits:
        return
    analysis.run()
    for use in flow.uses:
        fact = _fact_at(analysis, use)
        if fact is not None:
            yield from _unset(flow, analysis, use, fact)


def _unset(flow: Flow, analysis: Analysis, use: Use, fact: Fact) -> Iterator[Problem]:
    unsure = _needed(flow, use) - tested(use) - use.names
    for name in sorted(unsure & analysis.bits.keys()):
        bit = analysis.bits[name]
        dotted = _dotted(flow, use, name)
        if name in analysis.never:
            if not fact[0] & bit and fails_without(flow, use, name):
                message = f'"{name}" is used here, and nothing ever sets it'
                yield flow.problem("unset-variable", use.path, message, "set it before, or give it a default")
        elif not fact[0] & bit and (dotted or use.kind != "expression" or fails_without(flow, use, name)):
            message = f'"{name}" is used here before anything sets it'
            yield flow.problem("unset-variable", use.path, message, "set it before, or give it a default")
        elif dotted and not fact[1] & bit and use.edge is None:
            message = f'"{name}" may not be set yet when this is reached'
            hint = f"test it first, or write {name}|default(…)"
            yield flow.problem("maybe-unset", use.path, message, hint)


def _fact_at(analysis: Analysis, use: Use) -> Fact | None:
    """What is set where a use stands; None where that is not followed."""
    facts, node = analysis.facts, use.node
    if use.placed is not None:
        return _fact_before(analysis, use.placed)
    if use.edge is not None:
        return analysis.at_edge(node, use.edge, use) if node in facts.active else None
    return facts.after.get(node) if node.parent is not None else None


def _fact_before(analysis: Analysis, placed: Placed) -> Fact | None:
    facts, (node, edge, name) = analysis.facts, _block(placed)
    if edge is not None:
        fact = analysis.at_edge(node, edge) if node in facts.active else None
    else:
        fact = facts.before.get(node) if name == "enter" else facts.active.get(node)
    if fact is None:
        return None
    may, must = fact
    for earlier in _run_before(analysis, node, edge, name):
        if earlier is placed:
            break
        sets = analysis.sets(earlier)
        may |= sets
        if placed.path[: len(earlier.path) - 1] == earlier.path[:-1]:
            must |= sets
    must |= analysis.mask(_looked_at(analysis, placed))
    return may | must, must


def _run_before(analysis: Analysis, node: Node, edge: Edge | None, name: str) -> Iterator[Placed]:
    if edge is None:
        yield from analysis.block(node, None, name)
        return
    for block, _ in edge.blocks():
        yield from analysis.block(node, edge, block)


def _looked_at(analysis: Analysis, placed: Placed) -> set[str]:
    """The variables in the conditions of the `if`s around an action."""
    around = [
        other
        for other in analysis.block(*_block(placed))
        if isinstance(other.action, IfAction) and placed.path[: len(other.path)] == other.path
    ]
    sources = analysis.flow.conditions
    return {
        name
        for other in around
        for use in sources.get(other.path, ())
        for name in used_names(analysis.flow, use)
    }


def _needed(flow: Flow, use: Use) -> set[str]:
    """The variables without which a use fails or says nothing: those without `default` around them."""
    if use.is_key:
        found = [text for locale in flow.texts.locales if (text := flow.texts.own(use.source, locale))]
        return {
            name for text in found for each in text.templates for name in each.required - tests(each.tree)
        }
    return set(use.compiled.required) if use.compiled is not None else set()


def _dotted(flow: Flow, use: Use, name: str) -> bool:
    if use.is_key:
        found = [text for locale in flow.texts.locales if (text := flow.texts.own(use.source, locale))]
        paths = {path for text in found for each in text.templates for path in each.paths}
    else:
        paths = set(use.compiled.paths) if use.compiled is not None else set()
    return any(path.startswith(f"{name}.") for path in paths)
