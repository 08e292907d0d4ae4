"""JSON that keeps the types a conversation uses: money, decimals, dates and times.

A value outside JSON is written as an object with one key that begins with `$`:
`{"$money": ["118.00", "INR"]}`, `{"$decimal": "1.5"}`, `{"$date": "2026-11-22"}`,
`{"$datetime": "2026-11-22T10:00:00+05:30"}`. An object of the user's own with such a key is kept
by wrapping it: `{"$object": {…}}`.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import BaseModel

from wabot.core.money import Money

_PLAIN = (str, int, type(None))
_EXACTLY = frozenset({str, int, bool, type(None)})
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")


def to_plain(value: Any) -> Any:
    """`value` as plain JSON data. Raises TypeError, saying what it is, for anything else.

    Tuples become lists and keys text; numbers must be finite.
    """
    kind = type(value)
    if kind in _EXACTLY:
        return value
    if kind is dict:
        plain = {str(key): to_plain(item) for key, item in value.items()}
        return {"$object": plain} if len(plain) == 1 and next(iter(plain)).startswith("$") else plain
    if kind is list:
        return [to_plain(item) for item in value]
    return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, float | Decimal) and not _is_finite(value):
        raise TypeError(f"{value} can't be kept in a conversation")
    if isinstance(value, float):
        return value
    if isinstance(value, Money):
        return {"$money": [str(value.amount), value.currency]}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Mapping):
        return to_plain(dict(value))
    if isinstance(value, list | tuple):
        return to_plain(list(value))
    if isinstance(value, BaseModel):
        return to_plain({name: getattr(value, name) for name in type(value).model_fields})
    raise TypeError(f"a {type(value).__name__} can't be kept in a conversation")


def _is_finite(value: float | Decimal) -> bool:
    return value.is_finite() if isinstance(value, Decimal) else value - value == 0


def from_plain(value: Any) -> Any:
    """The inverse of `to_plain`; containers come back as dict and list.

    Raises ValueError for a typed value that isn't one, such as `{"$date": "soon"}`.
    """
    if type(value) in _EXACTLY:
        return value
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key in _TYPED:
            return _typed(key, inner)
    return {name: from_plain(item) for name, item in value.items()}


_TYPED = frozenset({"$object", "$money", "$decimal", "$datetime", "$date"})


def _typed(key: str, inner: Any) -> Any:
    try:
        match key:
            case "$object":
                return {name: from_plain(item) for name, item in inner.items()}
            case "$money":
                amount, currency = inner
                return Money(_finite(amount), str(currency))
            case "$decimal":
                return _finite(inner)
            case "$datetime":
                return datetime.fromisoformat(inner)
            case _:
                return date.fromisoformat(inner)
    except (AttributeError, TypeError, ValueError, InvalidOperation) as error:
        raise ValueError(f"{str(inner)[:60]!r} is no {key}") from error


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"{text} is no finite number")
    return number


def dumps(value: Any) -> str:
    """`value` as compact JSON text, typed values kept.

    Half of a surrogate pair, as a cut-off emoji leaves it, can't be stored: U+FFFD takes its place.
    """
    text = _COMPACT.encode(to_plain(value))
    if text.isascii():
        return text
    return _HALF_CHARACTERS.sub("\ufffd", text)


def loads(text: str) -> Any:
    """What `dumps` wrote. Raises ValueError for anything else."""
    return from_plain(json.loads(text))
