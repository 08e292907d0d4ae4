"""Rules on the ways through a flow: where it can get to, where it stops, where it goes round."""

from collections.abc import Iterator

from wabot.core.durations import parse_duration
from wabot.engine.check.descriptors import covers
from wabot.engine.check.flow import Edge, Flow
from wabot.engine.check.structure import targets_of
from wabot.engine.document import RaiseAction, SendAction, Transition
from wabot.engine.expressions import Expression
from wabot.engine.names import Node, Unresolved
from wabot.engine.problems import Problem
from wabot.errors import ExpressionError


def defaults(flow: Flow, node: Node) -> list[Node]:
    """The states that are entered inside `node` by default, or for a history state instead of it."""
    if node.kind == "history":
        written = [target for edge in flow.edges_of(node) for target in targets_of(flow, edge)]
        return written or ([node.parent] if node.parent else [])
    if node.kind == "parallel":
        return node.children
    for edge in flow.edges_of(node):
        if isinstance(edge.model, Transition) and edge.model.initial:
            return targets_of(flow, edge)
    return [node.initial] if node.initial else []


def entered(flow: Flow, target: Node) -> set[Node]:
    """The states that a transition to `target` enters, its ancestors' other regions included."""
    found: set[Node] = set()
    done: set[Node] = set()
    waiting = [target]
    while waiting:
        node = waiting.pop()
        if node in done:
            continue
        done.add(node)
        found.add(node)
        # An ancestor is entered on the way, without its own default, but with its other regions.
        waiting += _regions_above(node, found)
        waiting += [child for child in defaults(flow, node) if child not in done]
    return found


def _regions_above(node: Node, found: set[Node]) -> list[Node]:
    regions: list[Node] = []
    for inner, around in zip([node, *node.ancestors()], node.ancestors(), strict=False):
        if around.kind == "parallel" and around not in found:
            regions += [child for child in around.children if child is not inner and child not in found]
        found.add(around)
    return regions


def reachable(flow: Flow) -> set[Node] | None:
    """The states that something leads to; None where a target is no state, for it could mean any: one
    mistyped name is one finding."""
    found: set[Node] = set()
    waiting: list[Node] = [flow.tree.root]
    while waiting:
        for node in entered(flow, waiting.pop()) - found:
            found.add(node)
            for edge in flow.edges_of(node):
                try:
                    targets = flow.tree.targets(edge.node, edge.model.target or "")
                except Unresolved:
                    return None
                waiting += [target for target in targets if target not in found]
    return found


def unreachable_states(flow: Flow) -> Iterator[Problem]:
    found = reachable(flow)
    if found is None:
        return
    for node in flow.tree.nodes:
        if node not in found and node.parent in found:
            hint = "lead a transition to it, or take it away"
            message = f'nothing leads to "{node.id}"'
            yield flow.problem("unreachable-state", node.document_path, message, hint, key=True)


def dead_ends(flow: Flow) -> Iterator[Problem]:
    for node in flow.tree.states():
        if node.kind == "atomic" and not any(True for _ in _ways_on(flow, node)):
            hint = "add a transition, or final: true"
            message = f'nothing leads out of "{node.id}", and it is not final'
            yield flow.problem("dead-end", node.document_path, message, hint, key=True)


def _ways_on(flow: Flow, node: Node) -> Iterator[Edge]:
    yield from flow.reaches(node)
    outermost = [around for around in node.ancestors() if around.kind == "parallel"][-1:]
    for around in outermost:
        for other in around.descendants():
            yield from flow.edges_of(other)


def eventless_loops(flow: Flow) -> Iterator[Problem]:
    follows = {node: edge for node in flow.tree.nodes if (edge := _always(flow, node))}
    seen: set[Node] = set()
    for start in follows:
        way: list[Node] = []
        node: Node | None = start
        while node is not None and node not in way and node not in seen:
            way.append(node)
            node = _next(flow, follows, node)
        if node is not None and node in way:
            begin = way.index(node)
            circle = [*way[begin:], way[begin]]
            names = " → ".join("the flow" if each.parent is None else f'"{each.id}"' for each in circle)
            hint = "give one of the transitions an event or a guard"
            yield flow.problem(
                "eventless-loop", follows[circle[0]].path, f"{names} goes round for ever", hint
            )
        seen.update(way)


def _next(flow: Flow, follows: dict[Node, Edge], node: Node) -> Node | None:
    """The state whose unguarded eventless transition is taken right after `node`'s."""
    targets = targets_of(flow, follows[node])
    if not targets:
        return node if not follows[node].model.target else None
    inside = set().union(*(entered(flow, target) for target in targets))
    for leaf in sorted((each for each in inside if not each.children), key=lambda each: each.order):
        for level in (leaf, *leaf.ancestors()):
            if any(edge.eventless for edge in flow.edges_of(level)):
                if level in follows:
                    return level
                break
    return None


def _always(flow: Flow, node: Node) -> Edge | None:
    """The state's first eventless transition, if it has no guard: it is always taken."""
    first = next((edge for edge in flow.edges_of(node) if edge.eventless), None)
    return first if first and not any(guards(flow, first)) else None


def guards(flow: Flow, edge: Edge) -> tuple[frozenset[str], frozenset[str]]:
    """The transition's `cond` and `unless` without those that always let it pass."""
    constant = flow.constant_guards
    cond = frozenset(g.strip() for g in edge.model.cond if constant.get(g) is not True)
    unless = frozenset(g.strip() for g in edge.unless if constant.get(g) is not False)
    return cond, unless


def constants(flow: Flow) -> dict[str, bool]:
    """The guards that don't depend on any data, and what they come to."""
    found: dict[str, bool] = {}
    for use in flow.uses:
        if use.role == "guard" and isinstance(use.compiled, Expression) and use.compiled.constant:
            try:
                found[use.source] = bool(use.compiled.evaluate({}))
            except ExpressionError:
                continue
    return found


def timer_loops(flow: Flow) -> Iterator[Problem]:
    """`after: {0s: …}` that leads back to itself: one turn after the other, for ever."""
    at_once = {node: edge for node in flow.tree.nodes if (edge := _at_once(flow, node))}
    seen: set[Node] = set()
    for start in at_once:
        way: list[Node] = []
        node: Node | None = start
        while node is not None and node not in way and node not in seen:
            way.append(node)
            node = _entered_next(flow, at_once, node)
        if node is not None and node in way:
            circle = [*way[way.index(node) :], node]
            names = " → ".join(f'"{each.id}"' for each in circle)
            hint = "give one of the timers a length or a guard"
            yield flow.problem(
                "timer-loop", at_once[node].path, f"{names} goes round for ever", hint, key=True
            )
        seen.update(way)


def _at_once(flow: Flow, node: Node) -> Edge | None:
    """The state's timer without length and guard, where nothing leads elsewhere before it fires."""
    timers = (edge for edge in flow.edges_of(node) if edge.timer and not parse_duration(edge.timer))
    first = next((edge for edge in timers if not any(guards(flow, edge))), None)
    if first is None:
        return None
    inside = {node, *node.descendants()}
    if any(edge.eventless for level in (*inside, *node.ancestors()) for edge in flow.edges_of(level)):
        return None
    raises = any(placed.node in inside and _raises(placed.action) for placed in flow.actions)
    return None if raises or any(each.kind == "final" for each in inside) else first


def _raises(action: object) -> bool:
    return isinstance(action, RaiseAction) or (
        isinstance(action, SendAction) and not (action.send.delay or action.send.delayexpr)
    )


def _entered_next(flow: Flow, at_once: dict[Node, Edge], node: Node) -> Node | None:
    """The state whose timer without length begins when that of `node` fires."""
    targets = targets_of(flow, at_once[node])
    # A state that leads to one inside of it is left and entered anew.
    begun = set(targets)
    begun |= {each for target in targets for each in entered(flow, target) if each.within(target)}
    begun |= {node for target in targets if target.within(node)}
    return min((each for each in begun if each in at_once), key=lambda each: each.order, default=None)


def shadowed_transitions(flow: Flow) -> Iterator[Problem]:
    for node in flow.tree.nodes:
        edges = [edge for edge in flow.edges_of(node) if edge.usual and not edge.timer]
        for index, later in enumerate(edges):
            earlier = next((edge for edge in edges[:index] if _forestalls(flow, edge, later)), None)
            if earlier is not None:
                line = flow.source.place((*flow.base, *earlier.path)).line
                message = f"the transition in line {line} always comes first"
                hint = "put this one above it, or give that one a guard"
                yield flow.problem("shadowed-transition", later.path, message, hint)


def _forestalls(flow: Flow, earlier: Edge, later: Edge) -> bool:
    if earlier.intent is not None and earlier.intent != later.intent:
        return False
    if bool(earlier.descriptors) != bool(later.descriptors):
        return False
    if not all(covers(earlier.descriptors, one) for one in later.descriptors):
        return False
    if not earlier.descriptors and earlier.intent is None and later.intent is not None:
        return False
    (cond, unless), (later_cond, later_unless) = guards(flow, earlier), guards(flow, later)
    return cond <= later_cond and unless <= later_unless
