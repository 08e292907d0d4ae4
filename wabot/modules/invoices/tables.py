"""The invoices' tables."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, String, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wabot.core.database import Base, BigId
from wabot.errors import RecordError


class InvoiceRow(Base):
    """An invoice. Once it is issued nothing of it changes, nor of its lines and taxes.

    `order_id` is the orders module's; this module works without its tables.
    """

    __tablename__ = "invoices"
    __table_args__ = (UniqueConstraint("series", "year", "sequence"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    number: Mapped[str] = mapped_column(String(16), unique=True)
    series: Mapped[str] = mapped_column(String(4))
    year: Mapped[str] = mapped_column(String(5))
    sequence: Mapped[int]
    order_id: Mapped[int] = mapped_column(BigId, unique=True)
    order_number: Mapped[str] = mapped_column(String(32))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    contact_name: Mapped[str] = mapped_column(String(255))
    currency: Mapped[str] = mapped_column(String(3))
    place_of_supply: Mapped[str] = mapped_column(String(2))
    issued_on: Mapped[date]
    due_on: Mapped[date] = mapped_column(index=True)
    subtotal: Mapped[Decimal]
    discount: Mapped[Decimal]
    tax: Mapped[Decimal]
    round_off: Mapped[Decimal]
    total: Mapped[Decimal]
    created_at: Mapped[datetime]
    lines: Mapped[list["InvoiceLineRow"]] = relationship(order_by="InvoiceLineRow.position")
    taxes: Mapped[list["InvoiceTaxRow"]] = relationship(order_by="InvoiceTaxRow.position")


class InvoiceLineRow(Base):
    __tablename__ = "invoices_line"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    position: Mapped[int]
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    unit: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[Decimal]
    price: Mapped[Decimal]
    net: Mapped[Decimal]
    tax_rate: Mapped[Decimal]
    hsn: Mapped[str] = mapped_column(String(8))


class InvoiceTaxRow(Base):
    """One part of the tax at one rate; `net` is what it is worked out from."""

    __tablename__ = "invoices_tax"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(16))
    rate: Mapped[Decimal]
    net: Mapped[Decimal]
    amount: Mapped[Decimal]


class InvoiceCounterRow(Base):
    """The last number given in a series and financial year."""

    __tablename__ = "invoices_counter"

    series: Mapped[str] = mapped_column(String(4), primary_key=True)
    year: Mapped[str] = mapped_column(String(5), primary_key=True)
    last: Mapped[int]


def _refuse(*_: object) -> None:
    raise RecordError("an invoice that was issued can't be changed", hint="a credit note corrects it")


for _model in (InvoiceRow, InvoiceLineRow, InvoiceTaxRow):
    event.listen(_model, "before_update", _refuse)
    event.listen(_model, "before_delete", _refuse)
