"""Plain data as expressions see it: what is inside it, what it is called, how it reads as text."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from wabot.core.money import Money
from wabot.engine import formats
from wabot.engine.expressions.bounds import DECIMAL_DIGITS, OUTPUT_BYTES, Failure, Undefined
from wabot.engine.problems import did_you_mean

UNDERSCORE_NAMES = frozenset({"_event", "_name", "_sessionid"})
"""SCXML's system variables: the only names with a leading underscore that can be read."""

_DATE_MEMBERS = ("year", "month", "day", "weekday")
_TIME_MEMBERS = ("hour", "minute", "second")

_LONGEST_KEY = 60

# Bidirectional embeddings, overrides and isolates would reorder what stands beside the value.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_NEWLINES = re.compile("\r\n?|\u2028|\u2029")


def harmless(text: str) -> str:
    """`text` without control characters (line breaks and tabs stay) and without halves of surrogates."""
    if _HARMFUL.search(text) is None:
        return text
    return _HARMFUL.sub("", _NEWLINES.sub("\n", text))


def describe(value: Any) -> str:
    """What the author would call a value of this type."""
    for kinds, words in _KINDS:
        if isinstance(value, kinds):
            return words
    return "nothing (null)" if value is None else f"a {type(value).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float, Decimal), "a number"),
    (str, "text"),
    (Money, "money"),
    (datetime, "a date with time"),
    (date, "a date"),
    (Mapping, "an object"),
    ((list, tuple), "a list"),
)


def member(value: Any, key: Any) -> Any:
    """`value.key` or `value[key]`: an item of plain data, never an attribute of Python's."""
    if isinstance(value, Mapping):
        return _item(value, key)
    if isinstance(value, list | tuple | str):
        return _element(value, key)
    if value is None:
        raise Undefined(f"there is no {shown(key)} in nothing (null)")
    if isinstance(value, Money) and key in ("amount", "currency"):
        return value.amount if key == "amount" else value.currency
    if isinstance(value, date):
        return _part(value, key)
    raise Undefined(f"{describe(value)} has no {shown(key)}")


def _item(value: Mapping[Any, Any], key: Any) -> Any:
    kind = type(key)
    if kind is str:
        if key[:1] != "_":
            try:
                return value[key]
            except KeyError:
                pass
    elif kind is int:
        # Keys of an object are text once it has been stored.
        for name in (key, str(key)):
            if name in value:
                return value[name]
    else:
        raise Failure(f"{describe(key)} can't name a member of an object")
    raise Undefined(f"there is no {shown(key)} in the object", hint=_meant(value, str(key)))


def _meant(value: Mapping[Any, Any], key: str) -> str | None:
    # A key may be what a contact wrote, of any length, and looked up in each item of a list.
    if len(key) > _LONGEST_KEY:
        return None
    known = [name for name in value if isinstance(name, str) and name[:1] != "_"]
    return did_you_mean(key, known) or None


def _element(value: Any, key: Any) -> Any:
    if type(key) is not int:
        raise Undefined(f"{describe(value)} has no {shown(key)}")
    try:
        return value[key]
    except IndexError:
        raise Undefined(f"{describe(value)} of {len(value)} has no place {key}, they count from 0") from None


def _part(value: date, key: Any) -> int:
    members = _DATE_MEMBERS + (_TIME_MEMBERS if isinstance(value, datetime) else ())
    if key not in members:
        raise Undefined(f"{describe(value)} has no {shown(key)}", hint=f"it has {', '.join(members)}")
    if key == "weekday":
        return value.isoweekday()
    part: int = getattr(value, key)
    return part


def shown(key: Any) -> str:
    """A key or a value in a message: quoted, and never long."""
    text = key if isinstance(key, str) else repr(key) if isinstance(key, int | float) else describe(key)
    return f'"{text[:_LONGEST_KEY]}"'


def walk(value: Any, path: Any) -> Any:
    """What is at a dotted path, as filters take it: `map(attribute="product.name")`."""
    if isinstance(path, int):
        return member(value, path)
    if not isinstance(path, str):
        raise Failure(f"an attribute is named with text, not with {describe(path)}")
    for part in path.split("."):
        value = member(value, int(part) if part.isascii() and part.isdigit() else part)
    return value


def as_text(value: Any, scope: Mapping[str, Any]) -> str:
    """`value` as a contact reads it; money and dates in the contact's locale."""
    kind = type(value)
    if kind is str:
        return harmless(value)
    if kind is int:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return number_text(value)
    locale = str(scope.get("_locale") or formats.FALLBACK)
    if isinstance(value, Money):
        return formats.money(value, locale)
    if isinstance(value, datetime):
        return formats.datetime_(value, locale)
    if isinstance(value, date):
        return formats.date_(value, locale)
    if isinstance(value, time):
        return formats.time_(value, locale)
    if isinstance(value, list | tuple):
        return joined((as_text(item, scope) for item in value), ", ")
    if isinstance(value, Mapping):
        return harmless(outside_json(value))
    raise Failure(f"{describe(value)} can't be written as text")


def number_text(value: Any) -> str:
    """Digits without exponent and without a useless `.0`."""
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > DECIMAL_DIGITS:
            raise Failure("the number is too large to be written")
        return format(value, "f")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def joined(pieces: Iterable[str], separator: str) -> str:
    """The pieces joined, stopping as soon as they are too long."""
    taken: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece) + len(separator)
        if size > OUTPUT_BYTES:
            raise Failure(f"the text grows past {OUTPUT_BYTES:,} characters")
        taken.append(piece)
    return separator.join(taken)


def outside_json(value: Any) -> str:
    """JSON for a reader that isn't wabot: money as amount and currency, dates as ISO 8601."""
    return json.dumps(_outside(value, [OUTPUT_BYTES]), ensure_ascii=False)


def _outside(value: Any, left: list[int]) -> Any:
    left[0] -= len(value) + 1 if isinstance(value, str) else 1
    if left[0] < 0:
        raise Failure(f"the text grows past {OUTPUT_BYTES:,} characters")
    if isinstance(value, Mapping):
        return {str(key): _outside(item, left) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_outside(item, left) for item in value]
    if isinstance(value, Money):
        return {"amount": str(value.amount), "currency": value.currency}
    if isinstance(value, Decimal):
        return number_text(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float):
        return value
    raise Failure(f"{describe(value)} can't be written as JSON")
