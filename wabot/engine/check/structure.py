"""Rules on states: ids, targets, final, parallel and history states."""

from collections.abc import Iterator
from itertools import combinations

from wabot.engine.check.flow import Edge, Flow, together
from wabot.engine.document import StateNode, Transition
from wabot.engine.names import Node, Unresolved
from wabot.engine.problems import Path, Problem, did_you_mean


def ids(flow: Flow) -> Iterator[Problem]:
    for node in flow.tree.nodes[1:]:
        if not node.id or node.id != node.id.strip():
            message = f'"{node.id}" can\'t name a state'
            hint = "take the blanks away" if node.id else "give it a name"
            yield flow.problem("bad-id", node.document_path, message, hint, key=True)
        elif node.parent is not None and node.parent.named[node.id] is not node:
            message = f'"{node.id}" is a state and a history state of one parent'
            yield flow.problem("duplicate-id", node.document_path, message, "rename one of them", key=True)
        elif flow.tree.by_path[node.path] is not node:
            message = f'the path "{node.path}" means two states'
            yield flow.problem("clashing-path", node.document_path, message, "rename one of them", key=True)


def resolve(flow: Flow, node: Node, name: str, path: Path, what: str) -> Node | Problem:
    """The state that `name` means in `node`, or the finding that it means none."""
    try:
        return flow.tree.resolve(node, name)
    except Unresolved as error:
        return unresolved(flow, error, path, what)


def unresolved(flow: Flow, error: Unresolved, path: Path, what: str) -> Problem:
    if error.kind == "ambiguous":
        message = f'{what} "{error.name}" could be {" or ".join(error.candidates)}'
        return flow.problem("ambiguous-target", path, message, "write its path")
    hint = did_you_mean(error.name, error.candidates)
    return flow.problem("unknown-state", path, f'{what} "{error.name}" is no state', hint)


def targets_of(flow: Flow, edge: Edge) -> list[Node]:
    """The states a transition leads to; none where it has no target, or a wrong one."""
    try:
        return flow.tree.targets(edge.node, edge.model.target or "")
    except Unresolved:
        return []


def targets(flow: Flow) -> Iterator[Problem]:
    for edge in flow.edges:
        path = (*edge.path, "target")
        try:
            found = flow.tree.targets(edge.node, edge.model.target or "")
        except Unresolved as error:
            yield unresolved(flow, error, path, "the target")
            continue
        for one, other in combinations(found, 2):
            if one is other or one.within(other) or other.within(one) or not together(one, other):
                message = f'"{one.path}" and "{other.path}" can\'t be active together'
                hint = "several targets must lie in different regions of a parallel state"
                yield flow.problem("conflicting-targets", path, message, hint)
        if edge.internal and edge.node.parent is not None and edge.node.kind != "history":
            for target in found:
                if not target.within(edge.node):
                    message = f'"{target.path}" is not inside "{edge.node.path}", so it is left all the same'
                    yield flow.problem("internal-target", path, message, "leave internal out")


def initial_transitions(flow: Flow) -> Iterator[Problem]:
    for edge in flow.edges:
        if not (isinstance(edge.model, Transition) and edge.model.initial):
            continue
        if not edge.node.children or edge.node.kind == "parallel":
            message = "an initial transition says where a compound state begins, and this is none"
            yield flow.problem("bad-initial", edge.path, message)
        elif edge.event or edge.intent or edge.model.cond or edge.unless:
            message = "an initial transition has no event, intent or guard"
            yield flow.problem("bad-initial", edge.path, message)
        elif not all(target.within(edge.node) for target in targets_of(flow, edge)) or not edge.model.target:
            message = "an initial transition must lead to a state inside its own"
            yield flow.problem("bad-initial", edge.path, message)


_NOT_IN_FINAL = ("transitions", "after", "ask", "invoke", "states", "history", "parallel")


def final_states(flow: Flow) -> Iterator[Problem]:
    for node in flow.tree.states():
        model = node.model
        if not isinstance(model, StateNode):
            continue
        if not model.final:
            if model.donedata is not None:
                message = f'"{node.id}" has donedata but is not final'
                yield flow.problem("bad-donedata", (*node.document_path, "donedata"), message, key=True)
            continue
        for field in _NOT_IN_FINAL:
            if getattr(model, field):
                message = f'"{node.id}" is final, so "{field}" would never count'
                path = (*node.document_path, field)
                yield flow.problem("final-state", path, message, "take away one of the two", key=True)


def parallel_states(flow: Flow) -> Iterator[Problem]:
    for node in flow.tree.states():
        if node.kind != "parallel" or not isinstance(node.model, StateNode) or node.model.final:
            continue
        if len(node.children) < 2:
            message = f'"{node.id}" is parallel with {("no region", "one region")[len(node.children)]}'
            hint = "give it two states or more, or leave parallel out"
            yield flow.problem("few-regions", node.document_path, message, hint, key=True)
        for child in node.children:
            if isinstance(child.model, StateNode) and child.model.final:
                message = f'"{child.id}" is a region of the parallel "{node.id}" and can\'t be final'
                hint = "put the final state inside the region"
                yield flow.problem("final-region", (*child.document_path, "final"), message, hint)


def history_states(flow: Flow) -> Iterator[Problem]:
    for node in flow.tree.nodes:
        if node.kind != "history" or node.parent is None:
            continue
        if not node.parent.children:
            message = f'"{node.parent.id}" has no states for "{node.id}" to remember'
            yield flow.problem("lone-history", node.document_path, message, key=True)
        for edge in flow.edges_of(node):
            yield from _history_default(flow, node, node.parent, edge)


def _history_default(flow: Flow, node: Node, parent: Node, edge: Edge) -> Iterator[Problem]:
    if edge.event or edge.intent or edge.model.cond or edge.unless:
        message = f'the default of the history state "{node.id}" has no event, intent or guard'
        yield flow.problem("bad-history", edge.path, message)
    inside = all(target.within(parent) for target in targets_of(flow, edge))
    if not edge.model.target or not inside:
        message = f'the default of the history state "{node.id}" must lead to a state in "{parent.id}"'
        yield flow.problem("bad-history", edge.path, message)
