"""Orders as flows, texts and other modules see them."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel

from wabot.core.money import Money
from wabot.modules.orders.tables import OrderLineRow, OrderRow


class OrderLine(BaseModel):
    sku: str
    name: str
    unit: str
    quantity: Decimal
    price: Money
    net: Money
    tax_rate: Decimal
    hsn: str


class Tax(BaseModel):
    """One part of the tax: `CGST`, 9 per cent of `net`."""

    name: str
    rate: Decimal
    net: Money
    amount: Money


class Order(BaseModel):
    """`total` is `subtotal - discount + tax + round_off`. `number` is empty for a draft."""

    id: int
    number: str
    status: str
    contact_id: int
    place_of_supply: str
    lines: list[OrderLine]
    subtotal: Money
    discount: Money
    taxes: list[Tax]
    tax: Money
    round_off: Money
    total: Money
    created_at: datetime
    confirmed_at: datetime | None


class Brief(BaseModel):
    """One order of several."""

    id: int
    number: str
    status: str
    lines: int
    total: Money
    confirmed_at: datetime | None


class OrderSummary(Brief):
    """One order of a list for the business."""

    contact_id: int
    phone: str
    created_at: datetime


def as_order(row: OrderRow) -> Order:
    def money(amount: Decimal) -> Money:
        return Money(amount, row.currency)

    return Order(
        id=row.id,
        number=row.number or "",
        status=row.status,
        contact_id=row.contact_id,
        place_of_supply=row.place_of_supply,
        lines=[_line(line, row.currency) for line in row.lines],
        subtotal=money(row.subtotal),
        discount=money(row.discount),
        taxes=[Tax(**part) for part in row.taxes],
        tax=money(row.tax),
        round_off=money(row.round_off),
        total=money(row.total),
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
    )


def as_brief(row: OrderRow) -> Brief:
    return Brief(
        id=row.id,
        number=row.number or "",
        status=row.status,
        lines=len(row.lines),
        total=Money(row.total, row.currency),
        confirmed_at=row.confirmed_at,
    )


def _line(row: OrderLineRow, currency: str) -> OrderLine:
    return OrderLine(
        sku=row.sku,
        name=row.name,
        unit=row.unit,
        quantity=row.quantity,
        price=Money(row.price, currency),
        net=Money(row.net, currency),
        tax_rate=row.tax_rate,
        hsn=row.hsn,
    )
