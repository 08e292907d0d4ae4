"""Amounts of money: a Decimal and its currency, never a float."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Self

from babel.numbers import get_currency_precision


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency (ISO 4217, by CLDR): `Decimal("0.01")` for INR."""
    return Decimal(1).scaleb(-get_currency_precision(currency))


def round_money(amount: Decimal, currency: str) -> Decimal:
    """`amount` to the currency's minor unit, halves away from zero."""
    return amount.quantize(minor_unit(currency), rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in a currency (ISO 4217). Arithmetic across currencies raises ValueError."""

    amount: Decimal
    currency: str

    @classmethod
    def of(cls, amount: "Decimal | int | str", currency: str) -> Self:
        """`amount` rounded to the currency's minor unit. Raises ValueError where it is no number."""
        try:
            value = round_money(Decimal(amount), currency)
        except InvalidOperation as error:
            raise ValueError(f"{amount!r} is not an amount of money") from error
        if value.is_nan():
            raise ValueError(f"{amount!r} is not an amount of money")
        return cls(value, currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: "Decimal | int") -> "Money":
        return Money(round_money(self.amount * factor, self.currency), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._same(other)

    def _same(self, other: object) -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"{other!r} is not money")
        if other.currency != self.currency:
            raise ValueError(f"{self} and {other} are in different currencies")
        return other.amount
