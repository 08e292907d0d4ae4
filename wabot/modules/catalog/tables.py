"""The catalog's tables."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from wabot.core.database import Base, BigId, JsonText


class ProductRow(Base):
    """A product, known by its `sku`. What is gone from the file stays, without `active`: orders name it.

    `position` is its place in the file; `local` holds names, units and categories by locale.
    """

    __tablename__ = "catalog_product"
    __table_args__ = (Index("ix_catalog_product_active", "active", "position"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sku: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    aliases: Mapped[Any] = mapped_column(JsonText)
    local: Mapped[Any] = mapped_column(JsonText)
    unit: Mapped[str] = mapped_column(String(32))
    step: Mapped[Decimal]
    price: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    tax_rate: Mapped[Decimal]
    hsn: Mapped[str] = mapped_column(String(8))
    category: Mapped[str] = mapped_column(String(72))
    position: Mapped[int]
    active: Mapped[bool]
    changed_at: Mapped[datetime]


class EditionRow(Base):
    """The one row that says what the products are now: another fingerprint, other products."""

    __tablename__ = "catalog_edition"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(String(64))
    imported_at: Mapped[datetime]
