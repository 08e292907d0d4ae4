"""Arithmetic and comparison on plain data: bounded, with a readable reason where types don't fit."""

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any

from wabot.core.money import Money
from wabot.engine.expressions.bounds import (
    INTEGER_BITS,
    ITEMS,
    TEXT_LENGTH,
    Failure,
    checked,
    sized,
)
from wabot.engine.expressions.data import describe

Binary = Callable[[Any, Any], Any]

_ORDERED = frozenset({int, float, Decimal, str, bool, date, datetime, Money})


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal)


def exact(value: Any) -> Any:
    """A number for arithmetic with Decimal: a float by the digits it shows."""
    return Decimal(str(value)) if isinstance(value, float) else value


def _mismatch(left: Any, symbol: str, right: Any) -> Failure:
    return Failure(f"{describe(left)} {symbol} {describe(right)} has no meaning")


def _numeric(operation: Binary, symbol: str, left: Any, right: Any) -> Any:
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left, right = exact(left), exact(right)
    try:
        return bounded(operation(left, right))
    except (ZeroDivisionError, DecimalException) as error:
        zero = symbol in ("/", "//", "%") and not right
        raise Failure("division by zero" if zero else "the number is out of range") from error
    except (OverflowError, ValueError) as error:
        raise Failure("the number is out of range") from error


def bounded(value: Any) -> Any:
    """A number, or Failure where it is too large to go on with."""
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS:
            raise Failure("the number is out of range")
    elif isinstance(value, float):
        if value - value != 0:
            raise Failure("the number is out of range")
    elif not value.is_finite() or abs(value.adjusted()) > INTEGER_BITS:
        raise Failure("the number is out of range")
    return value


def _money(operation: Binary, left: Any, right: Any) -> Money:
    """Money with money, or with a number that is taken in the same currency."""
    currency = left.currency if isinstance(left, Money) else right.currency
    try:
        amounts = [Money.of(exact(v), currency) if is_number(v) else v for v in (left, right)]
        result = operation(*amounts)
    except (ValueError, DecimalException) as error:
        raise Failure(str(error) or "the amount is out of range") from error
    return Money.of(result.amount, currency)


def _is_money(left: Any, right: Any) -> bool:
    return (isinstance(left, Money) and (isinstance(right, Money) or is_number(right))) or (
        isinstance(right, Money) and is_number(left)
    )


def add(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _numeric(operator.add, "+", left, right)
    if isinstance(left, str) and isinstance(right, str):
        return sized(left + right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return checked([*left, *right])
    if _is_money(left, right):
        return _money(operator.add, left, right)
    if isinstance(left, date) and isinstance(right, int):
        return _days(left, right)
    if isinstance(right, date) and isinstance(left, int):
        return _days(right, left)
    raise _mismatch(left, "+", right)


def subtract(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _numeric(operator.sub, "-", left, right)
    if _is_money(left, right):
        return _money(operator.sub, left, right)
    if isinstance(left, date) and isinstance(right, int):
        return _days(left, -right)
    if type(left) is date and type(right) is date:
        return (left - right).days
    raise _mismatch(left, "-", right)


def _days(start: date, days: int) -> date:
    try:
        return start + timedelta(days=days)
    except OverflowError as error:
        raise Failure("the date is out of range") from error


def multiply(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        if isinstance(left, int) and isinstance(right, int):
            # Before the product is made: that is what costs.
            _bits(left, right)
        return _numeric(operator.mul, "*", left, right)
    if isinstance(left, Money) and is_number(right):
        return _scaled(left, exact(right))
    if isinstance(right, Money) and is_number(left):
        return _scaled(right, exact(left))
    if isinstance(right, int) and isinstance(left, str | list | tuple):
        return _repeated(left, right)
    if isinstance(left, int) and isinstance(right, str | list | tuple):
        return _repeated(right, left)
    raise _mismatch(left, "*", right)


def _bits(left: int, right: int) -> None:
    if left.bit_length() + right.bit_length() > INTEGER_BITS + 1:
        raise Failure("the number is out of range")


def _scaled(money: Money, factor: Decimal | int) -> Money:
    try:
        return money * factor
    except DecimalException as error:
        raise Failure("the amount is out of range") from error


def _repeated(value: Any, times: int) -> Any:
    most = TEXT_LENGTH if isinstance(value, str) else ITEMS
    if len(value) * max(times, 0) > most:
        raise Failure(f"{describe(value)} repeated {times} times is too long")
    return value * times if isinstance(value, str) else checked(list(value) * times)


def divide(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _numeric(operator.truediv, "/", left, right)
    try:
        if isinstance(left, Money) and is_number(right):
            return Money.of(left.amount / exact(right), left.currency)
        if isinstance(left, Money) and isinstance(right, Money) and left.currency == right.currency:
            return left.amount / right.amount
    except (ZeroDivisionError, DecimalException) as error:
        raise Failure("division by zero") from error
    raise _mismatch(left, "/", right)


def floor_divide(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _numeric(operator.floordiv, "//", left, right)
    raise _mismatch(left, "//", right)


def remainder(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _numeric(operator.mod, "%", left, right)
    raise _mismatch(left, "%", right)


def negative(value: Any) -> Any:
    if is_number(value) or isinstance(value, Money):
        return -value
    raise Failure(f"{describe(value)} has no negative")


def positive(value: Any) -> Any:
    if is_number(value):
        return +value
    if isinstance(value, Money):
        return value
    raise Failure(f"{describe(value)} is no number")


def equal(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        left, right = _alike(left, right)
    return bool(left == right)


def unequal(left: Any, right: Any) -> bool:
    return not equal(left, right)


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, Money) and is_number(right):
        return left.amount, exact(right)
    if isinstance(right, Money) and is_number(left):
        return exact(left), right.amount
    if isinstance(left, Decimal) and is_number(right):
        return left, exact(right)
    if isinstance(right, Decimal) and is_number(left):
        return exact(left), right
    return left, right


def ordering(operation: Binary, symbol: str) -> Binary:
    """Comparison by size of two values of a kind that has an order."""

    def compare(left: Any, right: Any) -> bool:
        kind = type(left)
        if kind is not type(right):
            left, right = _alike(left, right)
            if not (is_number(left) and is_number(right)):
                raise _mismatch(left, symbol, right)
        elif kind not in _ORDERED:
            raise _mismatch(left, symbol, right)
        try:
            return bool(operation(left, right))
        except (TypeError, ValueError) as error:
            raise Failure(f"{left} and {right} can't be compared: {error}") from error

    return compare


def contains(left: Any, right: Any) -> bool:
    """`left in right`."""
    if isinstance(right, str):
        if not isinstance(left, str):
            raise _mismatch(left, "in", right)
        return left in right
    if isinstance(right, Mapping):
        return isinstance(left, str | int) and not str(left).startswith("_") and left in right
    if isinstance(right, list | tuple):
        return left in right
    raise _mismatch(left, "in", right)


def not_contains(left: Any, right: Any) -> bool:
    return not contains(left, right)


COMPARISONS: dict[str, Binary] = {
    "eq": equal,
    "ne": unequal,
    "gt": ordering(operator.gt, ">"),
    "gteq": ordering(operator.ge, ">="),
    "lt": ordering(operator.lt, "<"),
    "lteq": ordering(operator.le, "<="),
    "in": contains,
    "notin": not_contains,
}
