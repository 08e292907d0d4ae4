"""Rules on the data model and on the names that expressions and templates use."""

import re
from collections.abc import Iterator

from jinja2 import nodes

from wabot.engine.check.flow import Flow
from wabot.engine.check.reach import entered
from wabot.engine.check.structure import resolve, targets_of
from wabot.engine.check.uses import Use
from wabot.engine.expressions import Expression
from wabot.engine.names import Node
from wabot.engine.problems import Problem, did_you_mean
from wabot.engine.texts import BUILTIN
from wabot.engine.variables import RESERVED
from wabot.errors import ExpressionError

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def declarations(flow: Flow) -> Iterator[Problem]:
    for name, variable in flow.document.datamodel.items():
        path = ("datamodel", name)
        if name in RESERVED:
            message = f'"{name}" is a name of wabot\'s own'
            yield flow.problem("reserved-name", path, message, "call the variable something else", key=True)
        elif not _IDENTIFIER.fullmatch(name) or name.startswith("_"):
            message = f'"{name}" can\'t name a variable'
            hint = "use letters, digits and _, a letter first"
            yield flow.problem("bad-variable", path, message, hint, key=True)
        if variable.expr is not None and variable.default is not None:
            message = f'"{name}" has both a default and an expr'
            yield flow.problem("bad-variable", path, message, "keep one of the two", key=True)


def sources(flow: Flow) -> Iterator[Problem]:
    """What can't be compiled, or fails whatever the data."""
    for use in flow.uses:
        error = use.error or _failure(use)
        if error is not None:
            hint = error.hint or (_DIGITS if use.role == "min" else "")
            yield flow.problem("bad-expression", use.path, error.message, hint)


def _failure(use: Use) -> ExpressionError | None:
    if isinstance(use.compiled, Expression) and use.compiled.constant:
        try:
            use.compiled.evaluate({})
        except ExpressionError as error:
            return error
    return None


def names(flow: Flow) -> Iterator[Problem]:
    known = set(flow.document.datamodel) | RESERVED | flow.looped
    for use in flow.uses:
        here = known | use.names
        for name in sorted(used_names(flow, use) - here):
            hint = did_you_mean(name, here - {"_event", "_name", "_sessionid"})
            said = f'the text "{use.source}" uses "{name}", and there' if use.is_key else "there"
            message = f'{said} is no variable "{name}"' if not use.is_key else f"{said} is no such variable"
            yield flow.problem("unknown-variable", use.path, message, hint or _quotes(use, name))


def used_names(flow: Flow, use: Use) -> frozenset[str]:
    if use.is_key:
        # The built-in texts ask for what only wabot itself gives them.
        builtin = use.source.startswith(f"{BUILTIN}.") and not flow.texts.keys() & {use.source}
        return frozenset() if builtin else flow.texts.names(use.source)
    return use.compiled.names if use.compiled is not None else frozenset()


_DIGITS = "write a number in digits, or an expression of variables"


def _quotes(use: Use, name: str) -> str:
    if use.role == "min":
        return _DIGITS
    if use.kind == "expression" and use.source.strip() == name:
        return f"a text wants quotes of its own: \"'{name}'\""
    return "declare it under datamodel"


_WITHOUT_MESSAGE = ("timer.", "done.invoke", "error.invoke")


def messages(flow: Flow) -> Iterator[Problem]:
    """`message.text` where what happened is no message."""
    for use in flow.uses:
        edge = use.edge
        if edge is None or not edge.descriptors or use.compiled is None:
            continue
        silent = all(descriptor.startswith(_WITHOUT_MESSAGE) for descriptor in edge.descriptors)
        if silent and "message" in use.compiled.required and "message" not in tested(use):
            message = "there is no message here: a timer or an invoke leads on"
            hint = "keep what is needed of it in a variable"
            yield flow.problem("no-message", use.path, message, hint)


_EVENTS = frozenset({"event", "_event"})


def first_events(flow: Flow) -> Iterator[Problem]:
    """`event.name` where the flow begins: nothing has happened yet."""
    first = _entered_first(flow)
    for use in flow.uses:
        if use.compiled is None or not _runs_first(use, first) or _inside_if(use):
            continue
        read = {path.partition(".")[0] for path in use.compiled.paths if "." in path}
        if read & _EVENTS & use.compiled.required and not _EVENTS & tested(use):
            message = "there is no event here: with this the flow begins"
            yield flow.problem("no-event", use.path, message, "use event where a transition has one")


def _entered_first(flow: Flow) -> set[Node]:
    """The states that a start enters whatever the data: by default, and on from there without a guard."""
    found: set[Node] = set()
    waiting = [flow.tree.root]
    while waiting:
        for node in entered(flow, waiting.pop()) - found:
            found.add(node)
            edge = next((edge for edge in flow.edges_of(node) if edge.eventless), None)
            if edge is not None and not flow.guards_of(edge):
                waiting += targets_of(flow, edge)
    return found


def _runs_first(use: Use, first: set[Node]) -> bool:
    if use.role == "datamodel":
        return True
    if use.node not in first:
        return False
    if use.edge is not None:
        return use.edge.eventless and use.placed is None and use.path[-1] == 0
    return use.path[len(use.node.document_path) :][:1] == ("enter",) or use.path[-2:] == ("ask", "text")


def _inside_if(use: Use) -> bool:
    return "if" in use.path[len(use.node.document_path) :]


def tested(use: Use) -> set[str]:
    """The names that a template or expression itself tests before it uses them."""
    return tests(use.tree) if use.tree is not None else set()


def tests(tree: nodes.Node) -> set[str]:
    """The names in the conditions of a parsed source."""
    conditions: list[nodes.Node] = []
    for node in (tree, *tree.find_all((nodes.If, nodes.CondExpr, nodes.And, nodes.Or))):
        if isinstance(node, nodes.If | nodes.CondExpr):
            conditions.append(node.test)
        elif isinstance(node, nodes.And | nodes.Or):
            conditions.append(node.left)
    inside = [name for condition in conditions for name in (condition, *condition.find_all(nodes.Name))]
    return {name.name for name in inside if isinstance(name, nodes.Name)}


def states_asked_for(flow: Flow) -> Iterator[Problem]:
    """`In('x')` of a state that isn't there."""
    for use in flow.uses:
        for name in sorted(use.compiled.states) if use.compiled is not None else ():
            found = resolve(flow, use.node, name, use.path, f"In('{name}'):")
            if isinstance(found, Problem):
                yield found
