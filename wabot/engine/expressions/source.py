"""From an author's text to a parsed tree: other dialects' operators mapped, size and depth bounded."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from wabot.engine.expressions.bounds import DEPTH, EXPRESSION_LENGTH, INTEGER_BITS, TEMPLATE_LENGTH
from wabot.errors import ExpressionError

_LITERALS = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
_FOREIGN = re.compile(
    r"""===|!==|&&|\|\||!(?!=)|\^
    # python-statemachine's `v`, only where two operands stand around it
    |(?<=[\w)\]'"])\s+v\s+(?=[\w('"\[!])""",
    re.VERBOSE,
)
_MAPPED = {"===": "==", "!==": "!=", "&&": " and ", "||": " or ", "!": " not ", "^": " and "}
_OPERATOR_WORDS = re.compile(r"(?:^|\W)(?:and|or|not|in|is|if|else)$")
_ASSIGNMENT = re.compile(r"(?<![=!<>(,\w\s])\s*=(?!=)|(?<=[\w\s])(?<![=!<>])=(?!=)")

_Tree = TypeVar("_Tree", bound=nodes.Node)

MARKS = ("{{", "{%", "{#")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Only its lexer and its parser are used; nothing of it runs."""
    return Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False, cache_size=0)  # noqa: S701


def parse_expression(source: str) -> nodes.Expr:
    """Raises ExpressionError, without place, for anything that isn't one expression."""
    if not source.strip():
        raise ExpressionError("the expression is empty")
    if len(source) > EXPRESSION_LENGTH:
        raise ExpressionError(f"the expression is longer than {EXPRESSION_LENGTH:,} characters")
    try:
        parser = Parser(_environment(), _mapped(source), state="variable")
        tree = _bounded(parser.parse_expression, source)
    except TemplateSyntaxError as error:
        raise ExpressionError(
            f'"{short(source)}" is no expression: {error.message}', hint=_mend(source)
        ) from None
    if not parser.stream.eos:
        rest = parser.stream.current.value
        raise ExpressionError(f'"{short(source)}" has "{rest}" too many', hint=_mend(source))
    return tree


def parse_template(source: str) -> nodes.Template:
    """Raises ExpressionError, without place, for anything that isn't a template."""
    if len(source) > TEMPLATE_LENGTH:
        raise ExpressionError(f"the text is longer than {TEMPLATE_LENGTH:,} characters")
    try:
        return _bounded(Parser(_environment(), source).parse, source)
    except TemplateSyntaxError as error:
        hint = _template_mend(error.message or "")
        raise ExpressionError(f'"{short(source)}", line {error.lineno}: {error.message}', hint=hint) from None


def is_template(source: str) -> bool:
    """Whether rendering could change `source`."""
    return "{" in source and any(mark in source for mark in MARKS)


def short(source: str) -> str:
    line = " ".join(source.split())
    return line if len(line) <= 80 else line[:77] + "…"


def _mapped(source: str) -> str:
    pieces = _LITERALS.split(source)
    for index in range(0, len(pieces), 2):
        pieces[index] = _FOREIGN.sub(_map_one, pieces[index])
    return "".join(pieces).strip()


def _map_one(match: re.Match[str]) -> str:
    word = match.group()
    if word.strip() != "v":
        return _MAPPED[word]
    is_operand = _OPERATOR_WORDS.search(match.string[: match.start()])
    return word if is_operand else " or "


def _mend(source: str) -> str | None:
    bare = "".join(_LITERALS.split(source)[::2])
    if _ASSIGNMENT.search(bare):
        return "write == to compare"
    if "{{" in bare:
        return "this is an expression already: leave the braces out"
    return None


def _template_mend(message: str) -> str | None:
    if message.startswith(("unexpected '}'", "unexpected end of template")):
        return "close what was opened: {{ … }} around a value, {% … %} around if and for"
    if message.startswith("Expected an expression"):
        return "write a value between the braces: {{ name }}"
    return None


def _bounded(parse: Callable[[], _Tree], source: str) -> _Tree:
    """The parsed tree. Raises ExpressionError where it is too deep, or a constant in it too large."""
    try:
        tree = parse()
    except RecursionError:
        raise ExpressionError(f'"{short(source)}" is nested deeper than {DEPTH} levels') from None
    except ValueError:
        # Python reads no number of more than 4,300 digits.
        raise ExpressionError(f'"{short(source)}" holds a number that is too large') from None
    level: list[nodes.Node] = [tree]
    for _ in range(DEPTH):
        for node in level:
            if isinstance(node, nodes.Const):
                _constant(node.value, source)
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return tree
    raise ExpressionError(f'"{short(source)}" is nested deeper than {DEPTH} levels')


def _constant(value: object, source: str) -> None:
    too_long = isinstance(value, int) and value.bit_length() > INTEGER_BITS
    infinite = isinstance(value, float) and value - value != 0
    if too_long or infinite:
        raise ExpressionError(f'"{short(source)}" holds a number that is too large')
    if isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ExpressionError(f'"{short(source)}" holds half of a character')
