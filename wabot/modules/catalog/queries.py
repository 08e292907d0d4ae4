"""Reads of the catalog, and its import."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from wabot.core.money import Money
from wabot.modules.catalog.products import Product, content_of, fingerprint, parse_products
from wabot.modules.catalog.tables import EditionRow, ProductRow

EDITION = 1


def products(session: Session) -> list[Product]:
    """All products that are sold now, in the order of the file."""
    rows = session.scalars(
        select(ProductRow).where(ProductRow.active).order_by(ProductRow.position, ProductRow.id)
    )
    return [as_product(row) for row in rows]


def edition(session: Session) -> str:
    """The fingerprint of the products as they are; empty before the first import."""
    return session.scalars(select(EditionRow.fingerprint).where(EditionRow.id == EDITION)).one_or_none() or ""


def as_product(row: ProductRow) -> Product:
    return Product(
        sku=row.sku,
        name=row.name,
        unit=row.unit,
        price=Money(row.price, row.currency),
        tax_rate=row.tax_rate,
        hsn=row.hsn,
        category=row.category,
        step=row.step,
        aliases=tuple(row.aliases),
        names=row.local["name"],
        units=row.local["unit"],
        categories=row.local["category"],
    )


def import_file(session: Session, file: Path, currency: str, now: datetime) -> bool:
    """Make the products those of `file`; False where they are so already.

    Raises SettingsError for a file with mistakes; nothing is changed then.
    """
    mark = fingerprint(file, currency)
    if mark == edition(session):
        return False
    wanted = parse_products(content_of(file), str(file), currency)
    _one_at_a_time(session)
    if mark == edition(session):
        return False
    replace(session, wanted, mark, now)
    return True


def _one_at_a_time(session: Session) -> None:
    """Wait for another process that is importing. On SQLite the transaction is alone as it is."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("lock table catalog_edition in share row exclusive mode"))


def replace(session: Session, wanted: Sequence[Product], mark: str, now: datetime) -> None:
    """Add, change and take out of sale, by sku, and call the outcome `mark`: whoever changes products
    in another way gives the edition another mark too. A row that stays as it is isn't written."""
    rows = {row.sku: row for row in session.scalars(select(ProductRow))}
    for position, product in enumerate(wanted):
        row = rows.pop(product.sku, None)
        if row is None:
            session.add(ProductRow(sku=product.sku, changed_at=now, **_values(product, position)))
        else:
            _change(row, _values(product, position), now)
    for row in rows.values():
        _change(row, {"active": False}, now)
    session.merge(EditionRow(id=EDITION, fingerprint=mark, imported_at=now))
    session.flush()


def _change(row: ProductRow, values: dict[str, object], now: datetime) -> None:
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.changed_at = now


def _values(product: Product, position: int) -> dict[str, object]:
    return {
        "name": product.name,
        "aliases": list(product.aliases),
        "local": {"name": product.names, "unit": product.units, "category": product.categories},
        "unit": product.unit,
        "step": product.step,
        "price": product.price.amount,
        "currency": product.price.currency,
        "tax_rate": product.tax_rate,
        "hsn": product.hsn,
        "category": product.category,
        "position": position,
        "active": True,
    }
