"""From a parsed tree to closures. What isn't named here can't be said: there is no other way through.

Nothing of Jinja runs: its parser gives the tree, and each node becomes a Python function over plain
data. So no attribute of a Python object is reachable, whatever the source and the data are.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from jinja2 import nodes

from wabot.engine.expressions import operators
from wabot.engine.expressions.bounds import Failure, Undefined, checked
from wabot.engine.expressions.data import UNDERSCORE_NAMES, as_text, describe, joined, member
from wabot.engine.expressions.filters import FILTERS, LOCALISED
from wabot.engine.expressions.predicates import PREDICATES
from wabot.engine.problems import did_you_mean
from wabot.errors import ExpressionError


class Run:
    """One evaluation: what it can see, and what it has used up."""

    __slots__ = ("iterations", "locals", "scope", "size")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.scope = scope
        self.locals: dict[str, Any] = {}
        self.iterations = 0
        self.size = 0


Evaluate = Callable[[Run], Any]

BINARY: dict[type[nodes.Node], Callable[[Any, Any], Any]] = {
    nodes.Add: operators.add,
    nodes.Sub: operators.subtract,
    nodes.Mul: operators.multiply,
    nodes.Div: operators.divide,
    nodes.FloorDiv: operators.floor_divide,
    nodes.Mod: operators.remainder,
}

IS_DEFINED = {"defined": True, "undefined": False}
DEFAULTS = ("default", "d")
_DEFAULT_PARAMETERS = ("default_value", "boolean")


class Compiler:
    """Compiles expressions and notes what they use.

    `names` are the free variables, `required` those of them that must be there, `paths` the dotted
    look-ups (`order.total`), `states` the constant arguments of `In`.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.required: set[str] = set()
        self.paths: set[str] = set()
        self.states: set[str] = set()
        self.bound: frozenset[str] = frozenset()
        self.constant = True
        self._optional = False

    def expression(self, node: nodes.Node) -> Evaluate:
        """Raises ExpressionError for a construct that isn't allowed."""
        kind = type(node)
        build = self._builders.get(kind)
        if build is None:
            raise ExpressionError(_REFUSED.get(kind, f"{kind.__name__} can't be used here"))
        return build(self, node)

    def _const(self, node: nodes.Const) -> Evaluate:
        value = node.value
        return lambda _run: value

    def _name(self, node: nodes.Name) -> Evaluate:
        name = node.name
        if name == "null":
            return lambda _run: None
        if name.lower() == "in":
            raise ExpressionError('In is asked with a state\'s name: In("summary")')
        if name.startswith("_") and name not in UNDERSCORE_NAMES:
            raise ExpressionError(f'"{name}" can\'t be read: names with a leading underscore are closed')
        self.constant = False
        if name in self.bound:
            return _local(name)
        self._free(name)
        return _free(name)

    def _free(self, name: str) -> None:
        self.names.add(name)
        self.paths.add(name)
        if not self._optional:
            self.required.add(name)

    def _getattr(self, node: nodes.Getattr) -> Evaluate:
        key = node.attr
        if key.startswith("_"):
            raise ExpressionError(f'".{key}" can\'t be read: names with a leading underscore are closed')
        inner = self.expression(node.node)
        self._path(node)

        def lookup(run: Run) -> Any:
            value = inner(run)
            if type(value) is dict:
                try:
                    return value[key]
                except KeyError:
                    pass
            try:
                return member(value, key)
            except Undefined as error:
                if error.hint is None and key in FILTERS:
                    error.hint = f"{key} is a filter: write |{key}"
                raise

        return lookup

    def _getitem(self, node: nodes.Getitem) -> Evaluate:
        inner = self.expression(node.node)
        if isinstance(node.arg, nodes.Slice):
            return self._slice(inner, node.arg)
        if isinstance(node.arg, nodes.Const) and str(node.arg.value).startswith("_"):
            raise ExpressionError(
                f'["{node.arg.value}"] can\'t be read: names with a leading underscore are closed'
            )
        key = self.expression(node.arg)
        self._path(node)
        return lambda run: member(inner(run), key(run))

    def _slice(self, inner: Evaluate, node: nodes.Slice) -> Evaluate:
        start, stop = self._maybe(node.start), self._maybe(node.stop)
        if node.step is not None:
            raise ExpressionError("a slice has a start and a stop only, such as [0:3]")

        def cut(run: Run) -> Any:
            value, low, high = inner(run), start(run), stop(run)
            if not isinstance(value, str | list | tuple):
                raise Failure(f"{describe(value)} can't be sliced")
            if not all(part is None or isinstance(part, int) for part in (low, high)):
                raise Failure("a slice takes whole numbers")
            return value[low:high]

        return cut

    def _maybe(self, node: nodes.Node | None) -> Evaluate:
        return (lambda _run: None) if node is None else self.expression(node)

    def _path(self, node: nodes.Node) -> None:
        path = _dotted(node)
        if path and path.partition(".")[0] not in self.bound:
            self.paths.add(path)

    def _sequence(self, node: nodes.Tuple | nodes.List) -> Evaluate:
        parts = [self.expression(item) for item in node.items]
        return lambda run: checked([part(run) for part in parts])

    def _dict(self, node: nodes.Dict) -> Evaluate:
        pairs = [(self.expression(pair.key), self.expression(pair.value)) for pair in node.items]

        def build(run: Run) -> dict[Any, Any]:
            built = {}
            for key, value in pairs:
                name = key(run)
                if not isinstance(name, str | int):
                    raise Failure(f"{describe(name)} can't be a key of an object")
                built[name] = value(run)
            checked(built)
            return built

        return build

    def _binary(self, node: nodes.BinExpr) -> Evaluate:
        left, right, operation = self.expression(node.left), self.expression(node.right), BINARY[type(node)]
        return lambda run: operation(left(run), right(run))

    def _and(self, node: nodes.And) -> Evaluate:
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda run: left(run) and right(run)

    def _or(self, node: nodes.Or) -> Evaluate:
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda run: left(run) or right(run)

    def _not(self, node: nodes.Not) -> Evaluate:
        inner = self.expression(node.node)
        return lambda run: not inner(run)

    def _neg(self, node: nodes.Neg) -> Evaluate:
        inner = self.expression(node.node)
        return lambda run: operators.negative(inner(run))

    def _pos(self, node: nodes.Pos) -> Evaluate:
        inner = self.expression(node.node)
        return lambda run: operators.positive(inner(run))

    def _compare(self, node: nodes.Compare) -> Evaluate:
        first = self.expression(node.expr)
        links = [(operators.COMPARISONS[link.op], self.expression(link.expr)) for link in node.ops]
        if len(links) == 1:
            ((operation, second),) = links
            return lambda run: operation(first(run), second(run))

        def chained(run: Run) -> bool:
            left = first(run)
            for operation, operand in links:
                right = operand(run)
                if not operation(left, right):
                    return False
                left = right
            return True

        return chained

    def _concat(self, node: nodes.Concat) -> Evaluate:
        parts = [self.expression(part) for part in node.nodes]
        self.constant = False
        return lambda run: joined((as_text(part(run), run.scope) for part in parts), "")

    def _cond(self, node: nodes.CondExpr) -> Evaluate:
        test, then, other = self.expression(node.test), self.expression(node.expr1), self._maybe(node.expr2)
        return lambda run: then(run) if test(run) else other(run)

    def _call(self, node: nodes.Call) -> Evaluate:
        if not (isinstance(node.node, nodes.Name) and node.node.name in ("In", "in", "IN")):
            raise ExpressionError('nothing can be called but In("state")', hint=_call_mend(node))
        if node.kwargs or node.dyn_args or node.dyn_kwargs or not node.args:
            raise ExpressionError('In takes names of states: In("summary")')
        self.constant = False
        for argument in node.args:
            if isinstance(argument, nodes.Const) and isinstance(argument.value, str):
                self.states.add(argument.value)
        arguments = [self.expression(argument) for argument in node.args]

        def ask(run: Run) -> bool:
            is_in = run.scope.get("In")
            if not callable(is_in):
                raise Failure("In can't be asked here")
            return all(_in_state(is_in, argument(run)) for argument in arguments)

        return ask

    def _filter(self, node: nodes.Filter) -> Evaluate:
        if node.name in DEFAULTS:
            return self._default(node)
        function = FILTERS.get(node.name)
        if function is None or node.node is None:
            known = [*FILTERS, "default"]
            raise ExpressionError(
                f'there is no filter "{node.name}"', hint=did_you_mean(node.name, known) or None
            )
        inner = self.expression(node.node)
        arguments, keywords = self._arguments(node, node.name)
        localised = node.name in LOCALISED
        _fits(function, 1 + localised, node.name, len(arguments), keywords)
        if localised:
            self.constant = False
        elif not arguments and not keywords:
            return lambda run: function(inner(run))

        def apply(run: Run) -> Any:
            given = [inner(run), *[argument(run) for argument in arguments]]
            named = {name: keyword(run) for name, keyword in keywords.items()}
            return function(run.scope, *given, **named) if localised else function(*given, **named)

        return apply

    def _default(self, node: nodes.Filter) -> Evaluate:
        """Nothing (null) counts as missing too: a variable without a first value is null."""
        arguments, keywords = self._arguments(node, "default")
        names = {**dict(zip(_DEFAULT_PARAMETERS, arguments, strict=False)), **keywords}
        if len(arguments) > 2 or set(names) - set(_DEFAULT_PARAMETERS) or node.node is None:
            raise ExpressionError("default takes a value, and true where an empty one is to be replaced too")
        inner = self._tolerant(node.node)
        fallback = names.get("default_value", _empty)
        boolean = names.get("boolean", _empty)

        def choose(run: Run) -> Any:
            try:
                value = inner(run)
            except Undefined:
                return fallback(run)
            return fallback(run) if value is None or (not value and boolean(run)) else value

        return choose

    def _tolerant(self, node: nodes.Node) -> Evaluate:
        before, self._optional = self._optional, True
        try:
            return self.expression(node)
        finally:
            self._optional = before

    def _test(self, node: nodes.Test) -> Evaluate:
        if node.name in IS_DEFINED:
            return self._defined(node, IS_DEFINED[node.name])
        predicate = PREDICATES.get(node.name)
        if predicate is None:
            known = [*PREDICATES, *IS_DEFINED]
            raise ExpressionError(
                f'there is no test "is {node.name}"', hint=did_you_mean(node.name, known) or None
            )
        inner = self.expression(node.node)
        arguments, keywords = self._arguments(node, node.name)
        _fits(predicate, 1, node.name, len(arguments), keywords)
        return lambda run: predicate(inner(run), *[argument(run) for argument in arguments])

    def _defined(self, node: nodes.Test, wanted: bool) -> Evaluate:
        if node.args or node.kwargs:
            raise ExpressionError(f'"is {node.name}" takes nothing in brackets')
        inner = self._tolerant(node.node)

        def is_there(run: Run) -> bool:
            try:
                inner(run)
            except Undefined:
                return not wanted
            return wanted

        return is_there

    def _arguments(
        self, node: nodes.Filter | nodes.Test, name: str
    ) -> tuple[list[Evaluate], dict[str, Evaluate]]:
        if node.dyn_args or node.dyn_kwargs:
            raise ExpressionError(f'"{name}" takes its values one by one, without * and **')
        for part in (*node.args, *(pair.value for pair in node.kwargs)):
            # Named attributes (`map(attribute="_x")`) are closed as looked up ones are.
            if isinstance(part, nodes.Const) and _closed(node, part.value):
                raise ExpressionError(
                    f'"{part.value}" can\'t be read: names with a leading underscore are closed'
                )
        arguments = [self.expression(argument) for argument in node.args]
        return arguments, {str(pair.key): self.expression(pair.value) for pair in node.kwargs}

    _builders: ClassVar[dict[type[nodes.Node], Callable[[Any, Any], Evaluate]]] = {
        **dict.fromkeys(BINARY, _binary),
        nodes.Const: _const,
        nodes.Name: _name,
        nodes.Getattr: _getattr,
        nodes.Getitem: _getitem,
        nodes.Tuple: _sequence,
        nodes.List: _sequence,
        nodes.Dict: _dict,
        nodes.And: _and,
        nodes.Or: _or,
        nodes.Not: _not,
        nodes.Neg: _neg,
        nodes.Pos: _pos,
        nodes.Compare: _compare,
        nodes.Concat: _concat,
        nodes.CondExpr: _cond,
        nodes.Call: _call,
        nodes.Filter: _filter,
        nodes.Test: _test,
    }


def _empty(_run: Run) -> str:
    return ""


_BY_ATTRIBUTE = frozenset({"map", "selectattr", "rejectattr", "sort", "sum", "min", "max", "unique"})


def _closed(node: nodes.Filter | nodes.Test, value: Any) -> bool:
    return (
        isinstance(node, nodes.Filter)
        and node.name in _BY_ATTRIBUTE
        and isinstance(value, str)
        and any(part.startswith("_") and part.strip("_") for part in value.split("."))
    )


def _free(name: str) -> Evaluate:
    def look(run: Run) -> Any:
        try:
            return run.scope[name]
        except KeyError:
            known = [key for key in run.scope if not key.startswith("_") and key != "In"]
            raise Undefined(
                f'there is no variable "{name}"', hint=did_you_mean(name, known) or None
            ) from None

    return look


def _local(name: str) -> Evaluate:
    free = _free(name)

    def look(run: Run) -> Any:
        # A `set` inside an `if` that wasn't taken has bound nothing.
        return run.locals[name] if name in run.locals else free(run)

    return look


def _in_state(is_in: Callable[[str], Any], state: Any) -> bool:
    if not isinstance(state, str):
        raise Failure(f"In takes the name of a state, not {describe(state)}")
    return bool(is_in(state))


def _dotted(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        inner, key = _dotted(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        inner, key = _dotted(node.node), node.arg.value
        if not isinstance(key, str):
            return ""
    else:
        return ""
    return f"{inner}.{key}" if inner else ""


def _call_mend(node: nodes.Call) -> str | None:
    called = node.node
    name = called.attr if isinstance(called, nodes.Getattr) else getattr(called, "name", "")
    return f"{name} is a filter: write |{name}" if name in FILTERS else None


def _fits(
    function: Callable[..., Any], given: int, name: str, count: int, keywords: Mapping[str, Any]
) -> None:
    try:
        inspect.signature(function).bind(*[None] * (given + count), **dict.fromkeys(keywords))
    except TypeError as error:
        raise ExpressionError(f'"{name}" is used wrongly: {error}') from None


_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Pow: "there is no power: multiply instead",
    nodes.Slice: "a slice stands in brackets behind a list",
    nodes.Macro: "macros can't be used",
    nodes.CallBlock: "{% call %} can't be used",
    nodes.FilterBlock: "{% filter %} can't be used: write the filter behind each value",
    nodes.Include: "{% include %} can't be used",
    nodes.Import: "{% import %} can't be used",
    nodes.FromImport: "{% from %} can't be used",
    nodes.Extends: "{% extends %} can't be used",
    nodes.Block: "{% block %} can't be used",
    nodes.AssignBlock: "{% set %} takes a value: {% set name = value %}",
    nodes.NSRef: "{% set %} takes a plain name",
}


def refused(node: nodes.Node) -> str:
    """Why this node can't be in a template."""
    return _REFUSED.get(type(node), f"{type(node).__name__} can't be used in a text")
