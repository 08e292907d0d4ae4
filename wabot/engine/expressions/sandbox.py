"""Expressions and templates, compiled once and evaluated on plain data."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from wabot.engine.expressions.bounds import DEPTH, Failure
from wabot.engine.expressions.compiler import Compiler, Evaluate, Run
from wabot.engine.expressions.data import harmless
from wabot.engine.expressions.rendering import Renderer, known_length
from wabot.engine.expressions.source import is_template, parse_expression, parse_template, short
from wabot.engine.problems import Place
from wabot.errors import ExpressionError

# What our own functions let through on odd data: a comparison of dates with and without zone, a
# structure too deep for Python to compare, a key that can't be hashed.
_ODD_DATA = (TypeError, ValueError, ArithmeticError, LookupError, RecursionError)

_NOTHING: Mapping[str, Any] = {}


class _Compiled:
    """What expressions, templates and values have in common."""

    __slots__ = ("constant", "names", "paths", "place", "required", "source", "states")

    def __init__(self, source: str, place: Place | None, uses: Compiler) -> None:
        self.source = source
        self.place = place
        self.names = frozenset(uses.names)
        self.required = frozenset(uses.required)
        self.paths = frozenset(uses.paths)
        self.states = frozenset(uses.states)
        self.constant = uses.constant

    def _error(self, error: Exception) -> ExpressionError:
        reason = error.message if isinstance(error, Failure) else _reason(error)
        where = f"{self.place}: " if self.place else ""
        hint = error.hint if isinstance(error, Failure) else None
        return ExpressionError(f'{where}"{short(self.source)}": {reason}', hint=hint)


def _reason(error: Exception) -> str:
    return "the data is nested too deeply" if isinstance(error, RecursionError) else str(error)


class Expression(_Compiled):
    """`names` are its free variables, `required` those without `default` or `is defined` around
    them, `paths` its dotted look-ups, `states` what it asks `In` for; `tree` is the parsed source."""

    __slots__ = ("_evaluate", "tree")

    def __init__(self, source: str, place: Place | None, tree: nodes.Expr) -> None:
        compiler = Compiler()
        self._evaluate = compiler.expression(tree)
        self.tree = tree
        super().__init__(source, place, compiler)

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Raises ExpressionError, with the place and the reason, where the data doesn't fit."""
        try:
            return self._evaluate(Run(scope))
        except (Failure, *_ODD_DATA) as error:
            raise self._error(error) from error


class Template(_Compiled):
    """`known_length` counts the characters of its fixed text, the longest branch of each `if`."""

    __slots__ = ("_write", "known_length", "tree")

    def __init__(self, source: str, place: Place | None, tree: nodes.Template) -> None:
        renderer = Renderer()
        self._write = renderer.body(tree.body)
        self.tree = tree
        self.known_length = known_length(tree.body)
        super().__init__(source, place, renderer)

    def render(self, scope: Mapping[str, Any]) -> str:
        """Plain text. Raises ExpressionError, with the place and the reason, where the data doesn't fit."""
        out: list[str] = []
        try:
            self._write(Run(scope), out)
        except (Failure, *_ODD_DATA) as error:
            raise self._error(error) from error
        return "".join(out)


class Value(_Compiled):
    """Data with templates in it. What is exactly one `{{ … }}` keeps its type."""

    __slots__ = ("_build",)

    def __init__(
        self, build: Callable[[Mapping[str, Any]], Any], place: Place | None, uses: Compiler
    ) -> None:
        self._build = build
        super().__init__("", place, uses)

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Containers come back new. Raises ExpressionError, with the place and the reason."""
        return self._build(scope)


class Sandbox:
    """Compiles sources; holds nothing that an evaluation changes, so threads may share it."""

    def expression(self, source: str, place: Place | None = None) -> Expression:
        """Raises ExpressionError (`message`, `hint`) for what isn't an expression or isn't allowed."""
        try:
            return Expression(source, place, parse_expression(source))
        except ExpressionError as error:
            raise _located(error, source, place) from None

    def template(self, source: str, place: Place | None = None) -> Template:
        """Raises ExpressionError (`message`, `hint`) for what isn't a template or isn't allowed."""
        try:
            return Template(source, place, parse_template(harmless(source)))
        except ExpressionError as error:
            raise _located(error, source, place) from None

    def value(self, data: Any, place: Place | None = None) -> Value:
        """Raises ExpressionError (`message`, `hint`) for a text in `data` that isn't a template."""
        uses = Compiler()
        return Value(self._builder(data, place, uses, 0), place, uses)

    def _builder(
        self, data: Any, place: Place | None, uses: Compiler, depth: int
    ) -> Callable[[Mapping[str, Any]], Any]:
        if depth > DEPTH:
            raise ExpressionError(f"the value is nested deeper than {DEPTH} levels")
        if isinstance(data, str):
            return self._text(data, place, uses)
        if isinstance(data, Mapping):
            entries = [(key, self._builder(item, place, uses, depth + 1)) for key, item in data.items()]
            return lambda scope: {key: build(scope) for key, build in entries}
        if isinstance(data, list | tuple):
            builders = [self._builder(item, place, uses, depth + 1) for item in data]
            return lambda scope: [build(scope) for build in builders]
        return lambda _scope: data

    def _text(self, source: str, place: Place | None, uses: Compiler) -> Callable[[Mapping[str, Any]], Any]:
        if not is_template(source):
            return lambda _scope: source
        template = self.template(source, place)
        alone = _alone(template, source)
        compiled: Expression | Template = template
        if alone is not None:
            compiled = Expression(source, place, alone)
        _merge(uses, compiled)
        return compiled.evaluate if isinstance(compiled, Expression) else compiled.render


def _alone(template: Template, source: str) -> nodes.Expr | None:
    """The expression of a template that is one `{{ … }}` and nothing else."""
    if not source.strip().startswith("{{"):
        return None
    match template.tree.body:
        case [nodes.Output(nodes=[*parts])]:
            rest = [p for p in parts if not (isinstance(p, nodes.TemplateData) and not p.data.strip())]
            if len(rest) == 1 and not isinstance(rest[0], nodes.TemplateData):
                return rest[0]
    return None


def _merge(uses: Compiler, part: _Compiled) -> None:
    uses.names |= part.names
    uses.required |= part.required
    uses.paths |= part.paths
    uses.states |= part.states
    uses.constant = uses.constant and part.constant


def _located(error: ExpressionError, source: str, place: Place | None) -> ExpressionError:
    quoted = f'"{short(source)}"'
    message = error.message if error.message.startswith(quoted) else f"{quoted}: {error.message}"
    return ExpressionError(f"{place}: {message}" if place else message, hint=error.hint)


__all__ = ["Evaluate", "Expression", "Sandbox", "Template", "Value"]
