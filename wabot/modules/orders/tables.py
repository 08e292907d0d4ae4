"""The orders' tables."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wabot.core.database import Base, BigId, JsonText


class Status(StrEnum):
    DRAFT = "draft"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class OrderRow(Base):
    """An order: a draft without a number until it is confirmed, from then on only its status changes.

    Amounts are in `currency`; `taxes` are the parts of the tax as `orders.views.Tax` has them.
    """

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_contact_id", "contact_id", "status"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    number: Mapped[str | None] = mapped_column(String(32), unique=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"))
    status: Mapped[str] = mapped_column(String(16))
    currency: Mapped[str] = mapped_column(String(3))
    place_of_supply: Mapped[str] = mapped_column(String(2))
    subtotal: Mapped[Decimal]
    discount: Mapped[Decimal]
    taxes: Mapped[Any] = mapped_column(JsonText)
    tax: Mapped[Decimal]
    round_off: Mapped[Decimal]
    total: Mapped[Decimal]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    lines: Mapped[list["OrderLineRow"]] = relationship(
        order_by="OrderLineRow.position", cascade="all, delete-orphan"
    )


class OrderLineRow(Base):
    """What is ordered, as it was when it was priced. `net` is `quantity` times `price`, before tax."""

    __tablename__ = "orders_line"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    unit: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[Decimal]
    price: Mapped[Decimal]
    net: Mapped[Decimal]
    tax_rate: Mapped[Decimal]
    hsn: Mapped[str] = mapped_column(String(8))


class OrderCounterRow(Base):
    """The last number given, by the number's prefix."""

    __tablename__ = "orders_counter"

    prefix: Mapped[str] = mapped_column(String(12), primary_key=True)
    last: Mapped[int]
