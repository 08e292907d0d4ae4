"""From lines with prices to an order's amounts."""

from collections.abc import Sequence
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from wabot.core.gst import STATES, gst
from wabot.core.money import Money, round_money
from wabot.core.tax import Split, Totals, single, totals
from wabot.errors import Rejected
from wabot.modules.orders.settings import OrdersSettings
from wabot.modules.orders.views import Tax

MOST_QUANTITY = Decimal(1_000_000)
MOST_PRICE = Decimal(10**9)
FINEST = Decimal("1e-9")
"""Nothing is sold in smaller parts, nor at finer prices and rates."""


class PricedLine(BaseModel):
    """A line as `catalog.match` gives it; what else it holds is left aside. `price` is for one unit."""

    model_config = ConfigDict(extra="ignore")

    sku: str = Field(default="", max_length=64)
    name: str = Field(default="", max_length=200)
    unit: str = Field(default="", max_length=32)
    quantity: Decimal | None = None
    price: Money | None = None
    tax_rate: Decimal | None = None
    hsn: str = Field(default="", max_length=8)
    text: str = ""


class Entry(BaseModel):
    """A line that is sure, with its net amount."""

    sku: str
    name: str
    unit: str
    quantity: Decimal
    price: Decimal
    net: Money
    tax_rate: Decimal
    hsn: str


def entries(lines: Sequence[PricedLine], currency: str, most: int) -> list[Entry]:
    """The lines, those of the same product at the same price as one.

    Rejected with `no_lines`, `too_many_lines`, or `unclear_line` for one without product, quantity or
    price.
    """
    if not lines:
        raise Rejected("there is nothing to order", code="no_lines")
    merged: dict[tuple[str, Decimal, Decimal], PricedLine] = {}
    for line in lines:
        key = (line.sku, *_sure(line, currency))
        earlier = merged.get(key)
        merged[key] = line if earlier is None else _sum(earlier, line)
    if len(merged) > most:
        raise Rejected(f"an order has at most {most} lines", code="too_many_lines", details={"most": most})
    return [_entry(line, currency) for line in merged.values()]


def priced(
    lines: Sequence[Entry],
    currency: str,
    place_of_supply: str,
    discount: Decimal | Money | None,
    settings: OrdersSettings,
) -> Totals:
    """Rejected with `discount` where that doesn't fit."""
    try:
        off = Money.of(discount, currency) if isinstance(discount, Decimal) else discount
        return totals(
            [(line.net, line.tax_rate) for line in lines],
            currency,
            split=_split(settings, place_of_supply),
            discount=off,
            whole=settings.round_off,
        )
    except ValueError as error:
        raise Rejected(str(error), code="discount") from error


def place(wanted: str, settings: OrdersSettings) -> str:
    """Where the goods go, for GST: the business's own state unless another is asked for."""
    if wanted and not settings.gst_state:
        raise Rejected("a place of supply needs [orders] gst_state", code="place_of_supply")
    if wanted and wanted not in STATES:
        raise Rejected(f'"{wanted}" is not the GST code of a state', code="place_of_supply")
    return wanted or settings.gst_state


def taxes(result: Totals) -> list[Tax]:
    return [
        Tax(name=part.name, rate=part.rate, net=group.net, amount=part.amount)
        for group in result.groups
        for part in group.components
    ]


def _split(settings: OrdersSettings, place_of_supply: str) -> Split:
    return gst(settings.gst_state, place_of_supply) if settings.gst_state else single(settings.tax_name)


def _sure(line: PricedLine, currency: str) -> tuple[Decimal, Decimal]:
    """Price and tax rate of a line that can be ordered."""
    quantity, price, rate = line.quantity, line.price, line.tax_rate
    fits = (
        line.sku
        and line.name
        and quantity is not None
        and 0 < quantity <= MOST_QUANTITY
        and price is not None
        and price.currency == currency
        and 0 <= price.amount <= MOST_PRICE
        and rate is not None
        and 0 <= rate <= 100
        and all(amount == amount.quantize(FINEST) for amount in (quantity, price.amount, rate))
    )
    if not fits or price is None or rate is None:
        shown = line.text or line.name or line.sku or "a line"
        raise Rejected(f'"{shown}" can\'t be ordered as it is', code="unclear_line", details={"text": shown})
    return price.amount, rate


def _sum(first: PricedLine, second: PricedLine) -> PricedLine:
    quantity = (first.quantity or 0) + (second.quantity or 0)
    return first.model_copy(update={"quantity": quantity})


def _entry(line: PricedLine, currency: str) -> Entry:
    price, rate = _sure(line, currency)
    quantity = line.quantity or Decimal(0)
    return Entry(
        sku=line.sku,
        name=line.name,
        unit=line.unit,
        quantity=quantity,
        price=price,
        net=Money(round_money(price * quantity, currency), currency),
        tax_rate=rate,
        hsn=line.hsn,
    )
