"""Rules on types: what is known of a value before it is there fits the place it goes to."""

import types
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin

from jinja2 import nodes
from pydantic import BaseModel

from wabot.core.money import Money
from wabot.engine.check.actions import has_template
from wabot.engine.check.descriptors import bare, matches
from wabot.engine.check.flow import Edge, Flow, companions
from wabot.engine.check.structure import resolve
from wabot.engine.check.uses import Use
from wabot.engine.document import Ask, AssignAction, CommandAction, EachOption
from wabot.engine.names import Node
from wabot.engine.problems import Path, Problem, did_you_mean
from wabot.engine.shape import fields
from wabot.engine.variables import Misfit, coerce
from wabot.errors import ExpressionError

_FILTERS = (
    dict.fromkeys(("upper", "lower", "title", "trim", "capitalize", "join", "replace", "truncate", "money",
                   "number", "date", "time", "datetime", "percent", "tojson", "string"), "text")
    | dict.fromkeys(("length", "count", "int"), "integer")
    | dict.fromkeys(("float", "decimal"), "number")
    | dict.fromkeys(("list", "sort", "unique", "map", "selectattr", "rejectattr",
                     "items"), "list")
)  # fmt: skip

_ANSWERS = {"integer": "integer", "number": "number", "money": "money", "date": "date"} | dict.fromkeys(
    ("location", "contact", "image", "document", "audio", "video"), "object"
)

_PYTHON = {
    str: "text", int: "integer", float: "number", Decimal: "number", bool: "boolean", Money: "money",
    date: "date", datetime: "datetime", list: "list", tuple: "list", set: "list", dict: "object",
    Mapping: "object",
}  # fmt: skip

# What a variable of a type takes without losing anything; what may be read from text is left to `int`
# and its like, which say so.
_TAKES = {
    "text": {"text", "integer", "number", "money", "date", "datetime"},
    "integer": {"integer", "number"},
    "number": {"integer", "number"},
    "money": {"money", "integer", "number"},
    "date": {"date", "datetime"},
}

# What pydantic takes for an argument.
_ARGUMENT_TAKES = {
    "integer": {"integer", "number", "text"},
    "number": {"integer", "number", "text"},
    "boolean": {"boolean", "integer", "text"},
    "date": {"date", "datetime", "text"},
    "datetime": {"datetime", "date", "text"},
}

MENDS = {
    ("text", "integer"): "write … |int",
    ("text", "number"): "write … |float",
    ("list", "text"): "write … |join(', ')",
    ("list", "integer"): "write … |length",
    ("integer", "text"): "write … |string",
    ("number", "text"): "write … |string",
}


def infer(tree: nodes.Node, known: Mapping[str, str]) -> str | None:
    """The type of an expression, where it is known without the data."""
    match tree:
        case nodes.Const():
            return _PYTHON.get(type(tree.value))
        case nodes.List() | nodes.Tuple():
            return "list"
        case nodes.Dict():
            return "object"
        case nodes.Compare() | nodes.Not() | nodes.Test():
            return "boolean"
        case nodes.Concat() | nodes.Template():
            return "text"
        case nodes.Name():
            return known.get(tree.name)
        case nodes.Getattr(node=nodes.Name(name="message"), attr="text"):
            return "text"
        case nodes.Filter(name="int" | "float" | "decimal") if tree.args or tree.kwargs:
            others = {infer(other, known) for other in (*tree.args, *(each.value for each in tree.kwargs))}
            return _FILTERS[tree.name] if others <= {_FILTERS[tree.name], "integer"} else None
        case nodes.Filter():
            return _FILTERS.get(tree.name)
        case nodes.CondExpr(expr1=one, expr2=other) if other is not None:
            kind = infer(one, known)
            return kind if kind == infer(other, known) else None
        case nodes.Add() | nodes.Sub() | nodes.Mul():
            kind = infer(tree.left, known)
            return kind if kind == infer(tree.right, known) and kind in ("integer", "number") else None
    return None


def _takes(kind: str, value: str) -> bool:
    return value in _TAKES.get(kind, {kind})


def _mismatch(flow: Flow, path: Path, what: str, kind: str, value: str) -> Problem:
    article = "an" if kind[0] in "aeio" else "a"
    other = "an" if value[0] in "aeio" else "a"
    message = f"{what} takes {article} {kind}, not {other} {value}"
    return flow.problem("type-mismatch", path, message, MENDS.get((value, kind), ""))


def defaults(flow: Flow) -> Iterator[Problem]:
    """First values of variables."""
    for name, variable in flow.document.datamodel.items():
        try:
            coerce(variable.type, variable.default, "INR")
        except Misfit as error:
            yield flow.problem("type-mismatch", ("datamodel", name, "default"), f'"{name}": {error}')
    for use in flow.uses:
        if use.role == "datamodel":
            yield from _goes_to(flow, use, str(use.path[1]))


def assignments(flow: Flow) -> Iterator[Problem]:
    for use in flow.uses:
        if use.role == "assign" and use.placed is not None and isinstance(use.placed.action, AssignAction):
            assign = use.placed.action
            yield from _goes_to(flow, use, str(assign.assign["location"] if assign.plain else use.path[-1]))
    for placed in flow.actions:
        if isinstance(placed.action, CommandAction) and placed.action.into:
            info = flow.commands.get(placed.action.command)
            kind = _python_type(info.returns) if info is not None else None
            yield from _into(flow, placed.action.into, kind, (*placed.path, "into"), placed.action.command)
    for node, ask in flow.asks.items():
        if ask.into:
            path = (*node.document_path, "ask", "into")
            kind = _ANSWERS.get(ask.answer_type, "text")
            yield from _into(flow, ask.into, kind, path, f"an answer of type {ask.answer_type}")


def _into(flow: Flow, name: str, kind: str | None, path: Path, what: str) -> Iterator[Problem]:
    variable = flow.document.datamodel.get(name)
    if variable is None or kind is None or variable.type == "any" or _takes(variable.type, kind):
        return
    message = f'"{name}" is of type {variable.type}, {what} gives {kind}'
    yield flow.problem("type-mismatch", path, message, f"declare it as type: {kind}")


def _goes_to(flow: Flow, use: Use, name: str) -> Iterator[Problem]:
    """What is known of the value of `use` fits the variable `name`."""
    variable = flow.document.datamodel.get(name)
    if variable is None or variable.type == "any" or use.compiled is None:
        return
    if use.compiled.constant or (use.kind == "value" and not has_template(use.source)):
        try:
            coerce(variable.type, use.compiled.evaluate({}), "INR")  # type: ignore[union-attr]
        except Misfit as error:
            yield flow.problem("type-mismatch", use.path, f'"{name}": {error}')
        except ExpressionError as error:
            yield flow.problem("bad-expression", use.path, error.message, error.hint or "")
        return
    kind = value_type(flow, use)
    if kind is not None and not _takes(variable.type, kind):
        yield _mismatch(flow, use.path, f'"{name}"', variable.type, kind)


def value_type(flow: Flow, use: Use) -> str | None:
    """The type that a use gives, where it is known."""
    if use.tree is not None:
        return infer(use.tree, flow.types)
    return _PYTHON.get(type(use.source)) if use.kind == "value" else None


def _python_type(annotation: Any) -> str | None:
    """The variable type of a Python annotation; None for one that may be several."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = {_python_type(member) for member in get_args(annotation) if member is not type(None)}
        return kinds.pop() if len(kinds) == 1 else None
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type):
        return "object" if issubclass(origin, BaseModel) else _PYTHON.get(origin)
    return None


def arguments(flow: Flow) -> Iterator[Problem]:
    """Arguments of commands that are one `{{ … }}` of a known type."""
    for use in flow.uses:
        if use.role != "argument" or use.placed is None or not has_template(use.source):
            continue
        action = use.placed.action
        info = flow.commands.get(action.command) if isinstance(action, CommandAction) else None
        wanted = _python_type(fields(info.model).get(str(use.path[-1]))) if info is not None else None
        kind = value_type(flow, use)
        if wanted is not None and kind is not None and kind not in _ARGUMENT_TAKES.get(wanted, {wanted}):
            yield _mismatch(flow, use.path, f'"{use.path[-1]}"', wanted, kind)


def loops(flow: Flow) -> Iterator[Problem]:
    for use in flow.uses:
        if use.path[-1] in ("array", "for") and use.kind == "expression":
            kind = value_type(flow, use)
            if kind not in (None, "list"):
                yield _mismatch(flow, use.path, f'"{use.path[-1]}"', "list", str(kind))


def _compares(use: Use) -> Iterator[nodes.Compare]:
    if use.tree is not None:
        if isinstance(use.tree, nodes.Compare):
            yield use.tree
        yield from use.tree.find_all(nodes.Compare)


def options(flow: Flow) -> Iterator[Problem]:
    """`answer == 'x'` where no option that can be the answer is x."""
    for edge in flow.edges:
        ids = _offered([ask for node in _asking(flow, edge) if (ask := flow.asks.get(node))])
        for use in flow.guards_of(edge) if ids else ():
            for word in _answers_in(use):
                if word not in ids:
                    hint = did_you_mean(word, ids) or f"there are {', '.join(sorted(ids))}"
                    yield flow.problem("unknown-option", use.path, f'no option has the id "{word}"', hint)


def mere_answers(flow: Flow) -> Iterator[Problem]:
    """`cond: answer` where the answer is the id of an option, which is never empty or false."""
    for edge in flow.edges:
        asks = [ask for node in _asking(flow, edge) if (ask := flow.asks.get(node))]
        if not asks or any(ask.answer_type not in ("choice", "yesno") for ask in asks):
            continue
        one = next(iter(sorted(_offered(asks), reverse=True)), "…")
        for use in flow.guards_of(edge):
            if isinstance(use.tree, nodes.Name) and use.tree.name == "answer":
                comes = "this never passes" if "unless" in use.path else "this always passes"
                message = f"every answer of a choice counts as true, so {comes}"
                hint = f"compare it: answer == '{one}'"
                yield flow.problem("always-true", use.path, message, hint)


def _asking(flow: Flow, edge: Edge) -> Iterator[Node]:
    """The states whose answer the transition may be about."""
    for descriptor in edge.descriptors:
        if not matches("answered", descriptor):
            continue
        name = bare(descriptor).partition(".")[2]
        state = resolve(flow, edge.node, name, edge.path, "the state") if name else edge.node
        if not isinstance(state, Problem):
            yield from (state, *state.descendants()) if name else companions(state)


def _offered(asks: list[Ask]) -> set[str]:
    """The ids that can be answers of these questions; none where they can't be known."""
    found: set[str] = set()
    for ask in asks:
        if ask.answer_type not in ("choice", "yesno"):
            return set()
        groups = [ask.buttons, ask.choices]
        if ask.list_ is not None:
            groups += [ask.list_.rows, *(section.rows for section in ask.list_.sections or [])]
        for group in groups:
            if isinstance(group, EachOption) or any(has_template(option.id) for option in group or []):
                return set()
            found |= {option.id for option in group or []}
        found |= {"yes", "no"} if ask.answer_type == "yesno" else set()
    return found


def _answers_in(use: Use) -> Iterator[str]:
    """The words that `answer` is compared with."""
    for compare in _compares(use):
        sides = [compare.expr, *(operand.expr for operand in compare.ops)]
        if any(isinstance(side, nodes.Name) and side.name == "answer" for side in sides):
            for side in sides:
                items = side.items if isinstance(side, nodes.List | nodes.Tuple) else [side]
                yield from (i.value for i in items if isinstance(i, nodes.Const) and isinstance(i.value, str))
