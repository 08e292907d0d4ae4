"""Variables of a flow: what their declared types take, and how a part of one is set."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from wabot.core.money import Money

RESERVED = frozenset(
    {
        "message",
        "event",
        "_event",
        "answer",
        "contact",
        "business",
        "now",
        "today",
        "In",
        "_name",
        "_sessionid",
    }
)
"""Names that every expression sees; no variable shadows them."""

_OF_AN_EVENT = ("name", "data", "type", "sendid", "invokeid")

FIELDS = {
    "contact": ("id", "name", "phone", "locale"),
    "message": ("kind", "text", "title", "name", "sender", "media", "location", "raw"),
    "event": _OF_AN_EVENT,
    "_event": _OF_AN_EVENT,
}
"""What is in those of them that always have the same fields."""


class Misfit(ValueError):
    """A value that a variable's type doesn't take."""


def coerce(kind: str, value: Any, currency: str) -> Any:
    """`value` as the declared type `kind`; null fits every type. Raises Misfit, saying what is wanted."""
    if value is None or kind == "any" or (kind == "money" and isinstance(value, Money)):
        return value
    try:
        return Money.of(_amount(value), currency) if kind == "money" else _COERCIONS[kind](value)
    except (ValueError, InvalidOperation, OverflowError) as error:
        shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}…"
        raise Misfit(f"{_WANTED[kind]}, not {shown}") from error


def _text(value: Any) -> str:
    if isinstance(value, bool | Mapping | list | tuple):
        raise ValueError
    return value if isinstance(value, str) else str(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError
    if isinstance(value, int):
        return value
    number = Decimal(value.strip() if isinstance(value, str) else value)
    if not number.is_finite() or number != int(number) or abs(number.adjusted()) > 30:
        raise ValueError
    return int(number)


def _number(value: Any) -> int | float | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError
    number = Decimal(value.strip()) if isinstance(value, str) else value
    if isinstance(number, float | Decimal) and not Decimal(number).is_finite():
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise ValueError
    return value


def _amount(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError
    return str(value)


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        raise ValueError
    return date.fromisoformat(value.strip())


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError
    return datetime.fromisoformat(value.strip())


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError
    return list(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError
    return dict(value)


_COERCIONS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "list": _list,
    "object": _object,
}

_WANTED = {
    "text": "a text is wanted",
    "integer": "a whole number is wanted",
    "number": "a number is wanted",
    "boolean": "true or false is wanted",
    "money": "an amount of money is wanted",
    "date": "a date (2026-11-22) is wanted",
    "datetime": "a date with time (2026-11-22T10:00:00+05:30) is wanted",
    "list": "a list is wanted",
    "object": "an object is wanted",
}


def placed(whole: Any, path: list[str], value: Any) -> Any:
    """`whole` with `value` at `path` inside it. Copies what it changes: others may hold the rest.

    Raises Misfit where the path leads through something that has no parts.
    """
    if not path:
        return value
    key, *rest = path
    if isinstance(whole, Mapping):
        return {**whole, key: placed(whole.get(key), rest, value) if rest else value}
    if isinstance(whole, list | tuple) and key.isascii() and key.isdigit() and int(key) < len(whole):
        items = list(whole)
        items[int(key)] = placed(items[int(key)], rest, value)
        return items
    raise Misfit(f'there is no "{key}" to set')
