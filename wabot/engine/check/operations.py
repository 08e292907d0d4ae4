"""Rules on what expressions do with values: what fails with any value that the names in it can have.

Nothing is said twice here: the operations of the engine themselves are tried, on samples of each type.
Where a type isn't known, or where only some of its values fail, nothing is found.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

from jinja2 import nodes

from wabot.core.money import Money
from wabot.engine.check.flow import Flow
from wabot.engine.check.types import MENDS, infer
from wabot.engine.check.uses import Use
from wabot.engine.expressions import FILTERS, PREDICATES
from wabot.engine.expressions.bounds import Failure
from wabot.engine.expressions.compiler import BINARY, DEFAULTS, IS_DEFINED
from wabot.engine.expressions.data import harmless, member
from wabot.engine.expressions.filters import LOCALISED
from wabot.engine.expressions.operators import COMPARISONS, negative, positive
from wabot.engine.expressions.rendering import iterable
from wabot.engine.expressions.source import is_template, parse_template
from wabot.engine.problems import Problem, did_you_mean
from wabot.engine.variables import FIELDS

NULL = "null"
"""The type of a variable that is certain to have no value."""

_DAY = date(2026, 11, 22)
_SAMPLES: dict[str, tuple[Any, ...]] = {
    NULL: (),
    "text": ("a", "1"),
    "integer": (1,),
    "number": (1, 1.5, Decimal("1.5")),
    "boolean": (True, False),
    "money": (Money.of(1, "INR"),),
    "date": (_DAY,),
    "datetime": (datetime(2026, 11, 22, 10, tzinfo=UTC),),
    "list": ([1], ["a"], []),
    "object": ({"a": 1}, {}),
}
_ANYTHING = tuple(value for samples in _SAMPLES.values() for value in samples)
_SIGNS = {"gt": ">", "gteq": ">=", "lt": "<", "lteq": "<="}
_SCOPE = {"_currency": "INR", "_locale": "en"}

Samples = tuple[Any, ...]


class Fault(NamedTuple):
    """Something in an expression that fails whenever it is evaluated."""

    node: nodes.Node
    code: str
    message: str
    hint: str = ""


def failing(flow: Flow) -> Iterator[Problem]:
    """What fails with the declared types; fields that the names of wabot's own don't have."""
    for use in flow.uses:
        for fault in _faults_of(flow, use, flow.types):
            said = f'the text "{use.source}": ' if use.is_key else ""
            yield flow.problem(fault.code, use.path, f"{said}{fault.message}", fault.hint)


def fails_without(flow: Flow, use: Use, name: str) -> bool:
    """Whether a use fails because the variable has no value yet: for no other reason."""
    if use.kind == "expression" and use.path[-1] in ("array", "for") and isinstance(use.tree, nodes.Name):
        return use.tree.name == name
    others = {id(fault.node) for fault in _faults_of(flow, use, flow.types)}
    without = _faults_of(flow, use, {**flow.types, name: NULL})
    return any(id(fault.node) not in others for fault in without)


def _faults_of(flow: Flow, use: Use, known: Mapping[str, str]) -> list[Fault]:
    # The forms of a plural are given its count.
    bound = use.names | {"count"} if use.is_key else use.names
    return [fault for tree in _trees(flow, use) for fault in _faults(tree, known, bound)]


def _trees(flow: Flow, use: Use) -> Iterator[nodes.Node]:
    if use.is_key:
        found = [text for locale in flow.texts.locales if (text := flow.texts.own(use.source, locale))]
        yield from (form.tree for text in found for form in text.forms.values())
    elif use.tree is not None:
        yield use.tree
    elif use.error is None and not isinstance(use.source, str):
        yield from _inside(use.source)


def _inside(data: Any) -> Iterator[nodes.Node]:
    if isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _inside(item)
    elif isinstance(data, str) and is_template(data):
        yield parse_template(harmless(data))


def _faults(tree: nodes.Node, known: Mapping[str, str], bound: frozenset[str]) -> Iterator[Fault]:
    bound |= _bound(tree)
    types = {name: kind for name, kind in known.items() if name not in bound | _asked_for(tree)}
    for node in _evaluated(tree):
        fault = _field(node, bound) or _operation(node, types)
        if fault is not None:
            yield fault


def _bound(tree: nodes.Node) -> set[str]:
    """The names that a template sets itself."""
    targets = [loop.target for loop in tree.find_all(nodes.For)]
    targets += [each.target for each in tree.find_all(nodes.Assign)]
    names = [name for target in targets for name in (target, *target.find_all(nodes.Name))]
    return {name.name for name in names if isinstance(name, nodes.Name)} | {"loop"}


def _asked_for(tree: nodes.Node) -> set[str]:
    """The names whose kind is tested (`x is string`): what follows may be for another."""
    return {
        name.name
        for test in (tree, *tree.find_all(nodes.Test))
        if isinstance(test, nodes.Test)
        for name in (test.node, *test.node.find_all(nodes.Name))
        if isinstance(name, nodes.Name)
    }


def _evaluated(node: nodes.Node) -> Iterator[nodes.Node]:
    """The nodes of a tree, without those that may be missing: inside `default` and `is defined`."""
    yield node
    tolerant = (isinstance(node, nodes.Filter) and node.name in DEFAULTS) or (
        isinstance(node, nodes.Test) and node.name in IS_DEFINED
    )
    for child in node.iter_child_nodes(exclude=("node",) if tolerant else ()):
        yield from _evaluated(child)


def _field(node: nodes.Node, bound: frozenset[str]) -> Fault | None:
    """A field that `contact` and its like don't have."""
    key = _key(node)
    match node:
        case nodes.Getattr(node=nodes.Name(name=name)) | nodes.Getitem(node=nodes.Name(name=name)):
            fields = FIELDS.get(name, ())
            if fields and name not in bound and isinstance(key, str) and key not in fields:
                hint = did_you_mean(key, fields) or f"it has {', '.join(fields)}"
                return Fault(node, "unknown-field", f'{name} has no "{key}"', hint)
    return None


def _key(node: nodes.Node) -> Any:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value
    return None


def _operation(node: nodes.Node, types: Mapping[str, str]) -> Fault | None:
    match node:
        case nodes.Getattr() | nodes.Getitem():
            return _member(node, types)
        case nodes.BinExpr() if type(node) in BINARY:
            error = _failure(BINARY[type(node)], _samples(node.left, types), _samples(node.right, types))
            return _mismatch(node, error, _added(node, types))
        case nodes.Neg() | nodes.Pos():
            signed = negative if isinstance(node, nodes.Neg) else positive
            return _mismatch(node, _failure(signed, _samples(node.node, types)))
        case nodes.Compare():
            return _compared(node, types)
        case nodes.For():
            return _mismatch(node, _failure(iterable, _samples(node.iter, types)))
        case nodes.Filter() | nodes.Test():
            return _mismatch(node, _called(node, types))
    return None


def _mismatch(node: nodes.Node, error: Failure | None, hint: str = "") -> Fault | None:
    return None if error is None else Fault(node, "type-mismatch", error.message, error.hint or hint)


def _member(node: nodes.Getattr | nodes.Getitem, types: Mapping[str, str]) -> Fault | None:
    key, kind = _key(node), infer(node.node, types)
    # Nobody knows what is in an object.
    if not isinstance(key, str) or kind is None or kind == "object":
        return None
    error = _failure(lambda value: member(value, key), _samples(node.node, types))
    hint = f"{key} is a filter: write |{key}" if key in FILTERS else ""
    return None if error is None else Fault(node, "unknown-field", error.message, error.hint or hint)


def _added(node: nodes.BinExpr, types: Mapping[str, str]) -> str:
    """The mend where text and another thing are put together."""
    kinds = [infer(node.left, types), infer(node.right, types)]
    if isinstance(node, nodes.Add) and "text" in kinds:
        return "to put texts together write ~, to count write … |int"
    return ""


def _called(node: nodes.Filter | nodes.Test, types: Mapping[str, str]) -> Failure | None:
    """A filter or a test that takes no value of this type; not known where its arguments aren't."""
    is_filter = isinstance(node, nodes.Filter)
    function = (FILTERS if is_filter else PREDICATES).get(node.name)
    given = [each.value for each in node.args if isinstance(each, nodes.Const)]
    named = {str(each.key): each.value.value for each in node.kwargs if isinstance(each.value, nodes.Const)}
    if (
        function is None
        or node.node is None
        or (len(given), len(named)) != (len(node.args), len(node.kwargs))
    ):
        return None
    scope = [_SCOPE] if is_filter and node.name in LOCALISED else []
    return _failure(lambda value: function(*scope, value, *given, **named), _samples(node.node, types))


def _compared(node: nodes.Compare, types: Mapping[str, str]) -> Fault | None:
    left = node.expr
    for operand in node.ops:
        right = operand.expr
        error = _failure(COMPARISONS[operand.op], _samples(left, types), _samples(right, types))
        if error is not None:
            return _unordered(node, operand.op, infer(left, types), infer(right, types), error)
        left = right
    return None


def _unordered(
    node: nodes.Compare, sign: str, left: str | None, right: str | None, error: Failure
) -> Fault | None:
    if sign not in _SIGNS or left is None or right is None:
        return _mismatch(node, error)
    message = f"{left} {_SIGNS[sign]} {right} can't be compared"
    return Fault(node, "type-mismatch", message, MENDS.get((left, right), ""))


def _samples(node: nodes.Node, types: Mapping[str, str]) -> Samples:
    """Values that a part of an expression may have; nothing (null) last, which every name may hold."""
    if isinstance(node, nodes.Name) and node.name == NULL:
        return (None,)
    kind = infer(node, types)
    if isinstance(node, nodes.Const):
        return (node.value, *_SAMPLES[kind]) if kind else (node.value,)
    return (*(_SAMPLES[kind] if kind else _ANYTHING), None)


def _failure(operation: Callable[..., Any], *operands: Samples) -> Failure | None:
    """Why an operation fails, where it does with all of these."""
    first: Failure | None = None
    for values in product(*operands):
        try:
            operation(*values)
        except Failure as error:
            first = first or error
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            first = first or Failure(str(error))
        else:
            return None
    return first
