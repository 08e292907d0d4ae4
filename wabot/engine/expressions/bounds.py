"""How much an expression or a template may be, and what stops one that is more or is wrong."""

from typing import Any

from wabot.errors import WabotError

EXPRESSION_LENGTH = 4_000
TEMPLATE_LENGTH = 16_384
DEPTH = 40
"""Nesting of brackets and of the parsed tree."""

ITERATIONS = 10_000
"""Turns of all loops of one rendering together."""

OUTPUT_BYTES = 64 * 1024
TEXT_LENGTH = 64 * 1024
ITEMS = 10_000
"""Values in a list or an object that an expression builds, those inside its items included."""

INTEGER_BITS = 512
DECIMAL_DIGITS = 100


class Failure(WabotError):
    """The expression can't be evaluated on this data."""


class Undefined(Failure):
    """A name or a member that isn't there; `default` and `is defined` take it."""


def sized(text: str) -> str:
    """`text`, or Failure where it is too long."""
    if len(text) > TEXT_LENGTH:
        raise Failure(f"the text grows past {TEXT_LENGTH:,} characters")
    return text


def checked(value: Any) -> Any:
    """A container that an expression built, or Failure where it holds too much.

    Something that is there twice counts twice: walking it costs twice.
    """
    left = ITEMS
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            inner: Any = item.values()
        elif isinstance(item, list | tuple):
            inner = item
        else:
            continue
        left -= len(inner)
        if left < 0:
            raise Failure(f"the list grows past {ITEMS:,} items")
        waiting.extend(inner)
    return value
