"""JSON that keeps the types a conversation uses: money, decimals, dates and times.

A value outside JSON is written as an object with one key that begins with `$`:
`{"$money": ["118.00", "INR"]}`, `{"$decimal": "1.5"}`, `{"$date": "2026-11-22"}`,
`{"$datetime": "2026-11-22T10:00:00+05:30"}`. An object of the user's own with such a key is kept
by wrapping it: `{"$object": {…}}`.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from wabot.core.money import Money

_PLAIN = (str, int, float, bool, type(None))


def to_plain(value: Any) -> Any:
    """`value` as plain JSON data. Raises TypeError, naming the type, for anything else."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        plain = {str(key): to_plain(item) for key, item in value.items()}
        return {"$object": plain} if len(plain) == 1 and next(iter(plain)).startswith("$") else plain
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, Money):
        return {"$money": [str(value.amount), value.currency]}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, BaseModel):
        return to_plain({name: getattr(value, name) for name in type(value).model_fields})
    raise TypeError(f"a {type(value).__name__} can't be kept in a conversation")


def from_plain(value: Any) -> Any:
    """The inverse of `to_plain`; containers come back as dict and list."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, inner), *_ = value.items()
        match key:
            case "$object":
                return {name: from_plain(item) for name, item in inner.items()}
            case "$money":
                return Money(Decimal(inner[0]), inner[1])
            case "$decimal":
                return Decimal(inner)
            case "$datetime":
                return datetime.fromisoformat(inner)
            case "$date":
                return date.fromisoformat(inner)
    return {name: from_plain(item) for name, item in value.items()}


def dumps(value: Any) -> str:
    """`value` as compact JSON text, typed values kept."""
    return json.dumps(to_plain(value), ensure_ascii=False, separators=(",", ":"))


def loads(text: str) -> Any:
    """What `dumps` wrote."""
    return from_plain(json.loads(text))
