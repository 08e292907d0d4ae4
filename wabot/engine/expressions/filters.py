"""The filters: a fixed list of functions on plain data.

Each takes the value, then what the author wrote in brackets; those in `LOCALISED` take the scope
before it, for the contact's locale and the business's currency.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cmp_to_key
from typing import Any

from wabot.core.money import Money
from wabot.engine import formats
from wabot.engine.expressions.bounds import ITEMS, TEXT_LENGTH, Failure, Undefined, sized
from wabot.engine.expressions.data import as_text, describe, joined, outside_json, shown, walk
from wabot.engine.expressions.operators import COMPARISONS, add, bounded, exact, is_number, negative
from wabot.engine.expressions.predicates import PREDICATES

Scope = Mapping[str, Any]
Filter = Callable[..., Any]

_MISSING: Any = object()
_MOST_DIGITS = 12


def _locale(scope: Scope) -> str:
    return str(scope.get("_locale") or formats.FALLBACK)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise Failure(f"{name} takes text, not {describe(value)}")


def _list(value: Any, name: str) -> list[Any]:
    if isinstance(value, list | tuple | Mapping):
        return list(value)
    raise Failure(f"{name} takes a list, not {describe(value)}")


def _number(value: Any, name: str) -> Any:
    if is_number(value):
        return value
    raise Failure(f"{name} takes a number, not {describe(value)}")


def _whole(value: Any, name: str, least: int, most: int) -> int:
    if isinstance(value, int) and least <= value <= most:
        return int(value)
    raise Failure(f"{name} takes a whole number from {least} to {most} there, not {shown(value)}")


def _digits(value: Any, name: str) -> int | None:
    return None if value is None else _whole(value, name, 0, _MOST_DIGITS)


def _style(value: Any) -> Any:
    if value in formats.STYLES:
        return value
    raise Failure(f"{shown(value)} is no style, there are {', '.join(formats.STYLES)}")


def money(scope: Scope, value: Any, currency: Any = None) -> str:
    if isinstance(value, Money):
        return formats.money(value, _locale(scope))
    unit = currency if currency is not None else scope.get("_currency")
    if not isinstance(unit, str) or not (len(unit) == 3 and unit.isascii() and unit.isalpha()):
        raise Failure("money needs a currency, such as money('INR')")
    try:
        return formats.money(Money.of(exact(_number(value, "money")), unit.upper()), _locale(scope))
    except (ValueError, InvalidOperation) as error:
        raise Failure(f"{shown(value)} is no amount of money") from error


def number(scope: Scope, value: Any, digits: Any = None) -> str:
    return formats.number(bounded(_number(value, "number")), _locale(scope), _digits(digits, "number"))


def percent(scope: Scope, value: Any, digits: Any = None) -> str:
    return formats.percent(bounded(_number(value, "percent")), _locale(scope), _digits(digits, "percent"))


def date(scope: Scope, value: Any, style: Any = "medium") -> str:
    if isinstance(value, dt.date):
        return formats.date_(value, _locale(scope), _style(style))
    raise Failure(f"date takes a date, not {describe(value)}")


def time(scope: Scope, value: Any, style: Any = "short") -> str:
    if isinstance(value, dt.datetime | dt.time):
        return formats.time_(value, _locale(scope), _style(style))
    raise Failure(f"time takes a date with time, not {describe(value)}")


def datetime(scope: Scope, value: Any, style: Any = "medium") -> str:
    if isinstance(value, dt.datetime):
        return formats.datetime_(value, _locale(scope), _style(style))
    raise Failure(f"datetime takes a date with time, not {describe(value)}")


def upper(value: Any) -> str:
    return _text(value, "upper").upper()


def lower(value: Any) -> str:
    return _text(value, "lower").lower()


def title(value: Any) -> str:
    return " ".join(word[:1].upper() + word[1:].lower() for word in _text(value, "title").split(" "))


def capitalize(value: Any) -> str:
    return _text(value, "capitalize").capitalize()


def trim(value: Any) -> str:
    return _text(value, "trim").strip()


def replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = _text(value, "replace"), _text(old, "replace"), _text(new, "replace")
    if len(text) + text.count(old) * (len(new) - len(old)) > TEXT_LENGTH:
        raise Failure(f"the text grows past {TEXT_LENGTH:,} characters")
    return text.replace(old, new)


def truncate(value: Any, length: Any = 255, end: Any = "…") -> str:
    text, end = _text(value, "truncate"), _text(end, "truncate")
    most = _whole(length, "truncate", 1, TEXT_LENGTH)
    return text if len(text) <= most else text[: max(most - len(end), 0)].rstrip() + end[:most]


def length(value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise Failure(f"{describe(value)} has no length")


def join(scope: Scope, value: Any, separator: Any = "", attribute: Any = None) -> str:
    items = _picked(_list(value, "join"), attribute)
    return sized(joined((as_text(item, scope) for item in items), _text(separator, "join")))


def first(value: Any) -> Any:
    if not value or not isinstance(value, str | list | tuple):
        raise Undefined(f"there is no first in {describe(value)}" + ("" if value else " that is empty"))
    return value[0]


def last(value: Any) -> Any:
    if not value or not isinstance(value, str | list | tuple):
        raise Undefined(f"there is no last in {describe(value)}" + ("" if value else " that is empty"))
    return value[-1]


_ROUNDINGS = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


def round(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    """Halves away from zero. Without a precision a whole number; money stays money."""
    if method not in ("common", "ceil", "floor"):
        raise Failure(f"{shown(method)} is no way to round, there are common, ceil and floor")
    amount = value.amount if isinstance(value, Money) else bounded(_number(value, "round"))
    places = Decimal(1).scaleb(-_whole(precision, "round", -_MOST_DIGITS, _MOST_DIGITS))
    try:
        # In Python's own words: quantize needs a whole number of the last place.
        rounded = (Decimal(exact(amount)) / places).to_integral_value(_ROUNDINGS[method]) * places
    except InvalidOperation as error:
        raise Failure("the number is out of range") from error
    if isinstance(value, Money):
        return Money.of(rounded, value.currency)
    if precision <= 0 and not isinstance(value, Decimal):
        return int(rounded)
    return float(rounded) if isinstance(value, float) else type(value)(rounded)


def abs(value: Any) -> Any:
    if isinstance(value, Money):
        return negative(value) if value.amount < 0 else value
    return negative(value) if _number(value, "abs") < 0 else value


def _converted(value: Any, default: Any, convert: Callable[[Any], Any], words: str) -> Any:
    plain = value.amount if isinstance(value, Money) else value
    try:
        plain = _digits_of(plain) if isinstance(plain, str) else _number(plain, words)
        return bounded(convert(plain))
    except (ValueError, TypeError, OverflowError, InvalidOperation, Failure):
        if default is _MISSING:
            raise Failure(f"{shown(value)} is no {words}") from None
        return default


def _digits_of(text: str) -> str:
    digits = text.strip().replace(",", "")
    if len(digits) > _MOST_DIGITS * 4 or "_" in digits:
        raise Failure("too long for a number")
    return digits


def int_(value: Any, default: Any = _MISSING) -> Any:
    def convert(plain: Any) -> int:
        # Bounded before it is written out: 1e999999 has a million digits.
        return int(bounded(Decimal(plain) if isinstance(plain, str) else plain))

    return _converted(value, default, convert, "whole number")


def float_(value: Any, default: Any = _MISSING) -> Any:
    return _converted(value, default, float, "number")


def decimal(value: Any, default: Any = _MISSING) -> Any:
    return _converted(value, default, lambda plain: Decimal(str(plain)), "number")


def string(scope: Scope, value: Any) -> str:
    return as_text(value, scope)


def list_(value: Any) -> list[Any]:
    return list(value) if isinstance(value, str) and len(value) <= ITEMS else _list(value, "list")


def items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [[key, item] for key, item in value.items()]
    raise Failure(f"items takes an object, not {describe(value)}")


def reverse(value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else _list(value, "reverse")[::-1]


def _picked(values: list[Any], attribute: Any) -> list[Any]:
    return values if attribute is None else [walk(value, attribute) for value in values]


def sum_(value: Any, attribute: Any = None, start: Any = 0) -> Any:
    total = start
    for position, item in enumerate(_picked(_list(value, "sum"), attribute)):
        # Nothing is added to the first: a sum of money has a currency.
        total = item if position == 0 and start == 0 and isinstance(item, Money) else add(total, item)
    return total


def _compare(left: Any, right: Any) -> int:
    return int(COMPARISONS["gt"](left, right)) - int(COMPARISONS["lt"](left, right))


_ORDER = cmp_to_key(_compare)


def _extreme(name: str, value: Any, attribute: Any, direction: int) -> Any:
    values = _list(value, name)
    if not values:
        raise Undefined(f"there is no {name} in a list that is empty")
    best = values[0]
    for item in values[1:]:
        pair = _picked([item, best], attribute)
        if _compare(*pair) == direction:
            best = item
    return best


def min_(value: Any, attribute: Any = None) -> Any:
    return _extreme("min", value, attribute, -1)


def max_(value: Any, attribute: Any = None) -> Any:
    return _extreme("max", value, attribute, 1)


def sort(value: Any, reverse: Any = False, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    def key(item: Any) -> Any:
        part = item if attribute is None else walk(item, attribute)
        return _ORDER(part.casefold() if isinstance(part, str) and not case_sensitive else part)

    return sorted(_list(value, "sort"), key=key, reverse=bool(reverse))


def unique(value: Any, attribute: Any = None) -> list[Any]:
    seen: set[str] = set()
    kept: list[Any] = []
    for item in _list(value, "unique"):
        part = item if attribute is None else walk(item, attribute)
        name = outside_json(part)
        if name not in seen:
            seen.add(name)
            kept.append(item)
    return kept


def map_(value: Any, attribute: Any, default: Any = _MISSING) -> list[Any]:
    if default is _MISSING:
        return _picked(_list(value, "map"), attribute)
    return [_walk_or(item, attribute, default) for item in _list(value, "map")]


def _walk_or(value: Any, attribute: Any, default: Any) -> Any:
    try:
        return walk(value, attribute)
    except Undefined:
        return default


def _matches(item: Any, attribute: Any, test: Any, argument: Any) -> bool:
    part = _walk_or(item, attribute, None)
    if test is _MISSING:
        return bool(part)
    predicate = PREDICATES.get(test) if isinstance(test, str) else None
    if predicate is None:
        raise Failure(f"there is no test {shown(test)}")
    try:
        return predicate(part) if argument is _MISSING else predicate(part, argument)
    except TypeError as error:
        raise Failure(f"the test {shown(test)} takes another number of values") from error


def selectattr(value: Any, attribute: Any, test: Any = _MISSING, argument: Any = _MISSING) -> list[Any]:
    return [item for item in _list(value, "selectattr") if _matches(item, attribute, test, argument)]


def rejectattr(value: Any, attribute: Any, test: Any = _MISSING, argument: Any = _MISSING) -> list[Any]:
    return [item for item in _list(value, "rejectattr") if not _matches(item, attribute, test, argument)]


def tojson(value: Any) -> str:
    return outside_json(value)


FILTERS: dict[str, Filter] = {
    "abs": abs, "capitalize": capitalize, "count": length, "date": date, "datetime": datetime,
    "decimal": decimal, "first": first, "float": float_, "int": int_, "items": items, "join": join,
    "last": last, "length": length, "list": list_, "lower": lower, "map": map_, "max": max_,
    "min": min_, "money": money, "number": number, "percent": percent, "rejectattr": rejectattr,
    "replace": replace, "reverse": reverse, "round": round, "selectattr": selectattr, "sort": sort,
    "string": string, "sum": sum_, "time": time, "title": title, "tojson": tojson, "trim": trim,
    "truncate": truncate, "unique": unique, "upper": upper,
}  # fmt: skip

LOCALISED = frozenset({"date", "datetime", "join", "money", "number", "percent", "string", "time"})
"""Filters that take the scope first."""
