"""Invoices as flows, texts and other modules see them."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel

from wabot.core.money import Money
from wabot.modules.invoices.tables import InvoiceRow


class InvoiceLine(BaseModel):
    sku: str
    name: str
    unit: str
    quantity: Decimal
    price: Money
    net: Money
    tax_rate: Decimal
    hsn: str


class InvoiceTax(BaseModel):
    """One part of the tax: `CGST`, 9 per cent of `net`."""

    name: str
    rate: Decimal
    net: Money
    amount: Money


class Invoice(BaseModel):
    """`total` is `subtotal - discount + tax + round_off`."""

    id: int
    number: str
    order_id: int
    order_number: str
    contact_name: str
    issued_on: date
    due_on: date
    place_of_supply: str
    lines: list[InvoiceLine]
    subtotal: Money
    discount: Money
    taxes: list[InvoiceTax]
    tax: Money
    round_off: Money
    total: Money


class InvoiceSummary(BaseModel):
    """One invoice of a list for the business."""

    id: int
    number: str
    order_id: int
    order_number: str
    contact_id: int
    contact_name: str
    phone: str
    issued_on: date
    due_on: date
    total: Money


def as_listed(row: InvoiceRow, phone: str) -> InvoiceSummary:
    return InvoiceSummary(
        id=row.id,
        number=row.number,
        order_id=row.order_id,
        order_number=row.order_number,
        contact_id=row.contact_id,
        contact_name=row.contact_name,
        phone=phone,
        issued_on=row.issued_on,
        due_on=row.due_on,
        total=Money(row.total, row.currency),
    )


def as_invoice(row: InvoiceRow) -> Invoice:
    def money(amount: Decimal) -> Money:
        return Money(amount, row.currency)

    return Invoice(
        id=row.id,
        number=row.number,
        order_id=row.order_id,
        order_number=row.order_number,
        contact_name=row.contact_name,
        issued_on=row.issued_on,
        due_on=row.due_on,
        place_of_supply=row.place_of_supply,
        lines=[
            InvoiceLine(
                sku=line.sku,
                name=line.name,
                unit=line.unit,
                quantity=line.quantity,
                price=money(line.price),
                net=money(line.net),
                tax_rate=line.tax_rate,
                hsn=line.hsn,
            )
            for line in row.lines
        ],
        subtotal=money(row.subtotal),
        discount=money(row.discount),
        taxes=[
            InvoiceTax(name=part.name, rate=part.rate, net=money(part.net), amount=money(part.amount))
            for part in row.taxes
        ],
        tax=money(row.tax),
        round_off=money(row.round_off),
        total=money(row.total),
    )
