"""The arithmetic of an order: net, discount, tax, total.

Net amounts are in the currency's minor unit, lines are grouped by tax rate after discounts, and tax
is worked out once per rate, halves away from zero. That is how invoices under EN 16931 are checked;
tax per line, or banker's rounding, fails some published ones.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from wabot.core.money import Money, minor_unit, round_money

Split = Callable[[Decimal], tuple[tuple[str, Decimal], ...]]
"""A rate in per cent as the named parts that are each rounded and shown by themselves."""


def single(name: str = "Tax") -> Split:
    """One part under this name: VAT, sales tax."""
    return lambda rate: ((name, rate),)


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the tax at one rate: `CGST`, 9 per cent."""

    name: str
    rate: Decimal
    amount: Money


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """All that is taxed at one rate. `net` is after the discount."""

    rate: Decimal
    net: Money
    components: tuple[Component, ...]

    @property
    def tax(self) -> Money:
        return total((part.amount for part in self.components), self.net.currency)


@dataclass(frozen=True, slots=True)
class Totals:
    """`total` is `subtotal - discount + tax + round_off`; groups are in ascending order of their rate."""

    subtotal: Money
    discount: Money
    groups: tuple[TaxGroup, ...]
    tax: Money
    round_off: Money
    total: Money


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Their sum; zero of the currency where there are none."""
    return sum(amounts, Money(minor_unit(currency) * 0, currency))


def allocate(amount: Money, weights: Sequence[Money]) -> list[Money]:
    """`amount` in parts proportional to `weights`, which add up to it exactly.

    By largest remainder; among equal remainders the first wins. Raises ValueError where the weights
    are negative or all zero.
    """
    unit = minor_unit(amount.currency)
    parts = [int(weight.amount / unit) for weight in weights]
    whole = sum(parts)
    if whole <= 0 or min(parts) < 0:
        raise ValueError(f"{amount} can't be shared out over nothing")
    sign = -1 if amount.amount < 0 else 1
    units = abs(int(amount.amount / unit))
    shares = [divmod(units * part, whole) for part in parts]
    left = units - sum(share for share, _ in shares)
    favoured = set(sorted(range(len(shares)), key=lambda i: -shares[i][1])[:left])
    return [
        Money((share + (i in favoured)) * sign * unit, amount.currency) for i, (share, _) in enumerate(shares)
    ]


def totals(
    lines: Iterable[tuple[Money, Decimal]],
    currency: str,
    *,
    split: Split,
    discount: Money | None = None,
    whole: bool = False,
) -> Totals:
    """The totals of `lines`, each its net amount and its tax rate in per cent.

    `discount` is taken off the whole order before tax; `whole` rounds the total to the currency's
    whole unit. Raises ValueError for a discount below zero or above the subtotal.
    """
    nets: dict[Decimal, Money] = {}
    for net, rate in lines:
        nets[rate] = nets[rate] + net if rate in nets else net
    rates = sorted(nets)
    subtotal = total(nets.values(), currency)
    off = discount or total((), currency)
    if off and not total((), currency) <= off <= subtotal:
        raise ValueError(f"a discount of {off} doesn't fit a subtotal of {subtotal}")
    shares = allocate(off, [nets[rate] for rate in rates]) if off else [off] * len(rates)
    groups = tuple(_group(rate, nets[rate] - share, split) for rate, share in zip(rates, shares, strict=True))
    tax = total((group.tax for group in groups), currency)
    exact = subtotal - off + tax
    rounded = Money(_whole(exact.amount, currency), currency) if whole else exact
    return Totals(subtotal, off, groups, tax, rounded - exact, rounded)


def _group(rate: Decimal, net: Money, split: Split) -> TaxGroup:
    parts = tuple(
        Component(name, part, Money(round_money(net.amount * part / 100, net.currency), net.currency))
        for name, part in split(rate)
        if part
    )
    return TaxGroup(rate, net, parts)


def _whole(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1), rounding=ROUND_HALF_UP).quantize(minor_unit(currency))
