"""The tests of `is`: a fixed list. `defined` and `undefined` are the compiler's own."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from wabot.core.money import Money
from wabot.engine.expressions.bounds import Failure
from wabot.engine.expressions.data import describe
from wabot.engine.expressions.operators import COMPARISONS, is_number, remainder


def _whole(value: Any, word: str) -> int:
    if isinstance(value, int):
        return value
    raise Failure(f'"is {word}" takes a whole number, not {describe(value)}')


def _none(value: Any) -> bool:
    return value is None


def _true(value: Any) -> bool:
    return value is True


def _false(value: Any) -> bool:
    return value is False


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _float(value: Any) -> bool:
    return isinstance(value, float)


def _number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _string(value: Any) -> bool:
    return isinstance(value, str)


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _sequence(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _money(value: Any) -> bool:
    return isinstance(value, Money)


def _date(value: Any) -> bool:
    return isinstance(value, date)


def _even(value: Any) -> bool:
    return _whole(value, "even") % 2 == 0


def _odd(value: Any) -> bool:
    return _whole(value, "odd") % 2 == 1


def _divisible(value: Any, by: Any) -> bool:
    if not is_number(value) or not is_number(by):
        raise Failure('"is divisibleby" takes numbers')
    return bool(remainder(value, by) == 0)


Predicate = Callable[..., bool]

PREDICATES: dict[str, Predicate] = {
    "none": _none, "None": _none, "null": _none, "true": _true, "True": _true, "false": _false,
    "False": _false, "boolean": _boolean, "integer": _integer, "float": _float, "number": _number,
    "string": _string, "mapping": _mapping, "sequence": _sequence, "iterable": _sequence,
    "money": _money, "date": _date, "even": _even, "odd": _odd, "divisibleby": _divisible,
    "eq": COMPARISONS["eq"], "equalto": COMPARISONS["eq"], "==": COMPARISONS["eq"],
    "ne": COMPARISONS["ne"], "!=": COMPARISONS["ne"], "gt": COMPARISONS["gt"], ">": COMPARISONS["gt"],
    "greaterthan": COMPARISONS["gt"], "ge": COMPARISONS["gteq"], ">=": COMPARISONS["gteq"],
    "lt": COMPARISONS["lt"], "<": COMPARISONS["lt"], "lessthan": COMPARISONS["lt"],
    "le": COMPARISONS["lteq"], "<=": COMPARISONS["lteq"], "in": COMPARISONS["in"],
}  # fmt: skip
