"""The first tables of invoices."""

import sqlalchemy as sa
from alembic import op

revision = "invoices_0001"
down_revision = None
branch_labels = ("invoices",)
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
DECIMAL = sa.Numeric().with_variant(sa.String(64), "sqlite")


def upgrade() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("series", sa.String(length=4), nullable=False),
        sa.Column("year", sa.String(length=5), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("order_number", sa.String(length=32), nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("contact_name", sa.String(length=255), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("place_of_supply", sa.String(length=2), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("subtotal", DECIMAL, nullable=False),
        sa.Column("discount", DECIMAL, nullable=False),
        sa.Column("tax", DECIMAL, nullable=False),
        sa.Column("round_off", DECIMAL, nullable=False),
        sa.Column("total", DECIMAL, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_invoices_contact_id_contact"),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
        sa.UniqueConstraint("number", name="uq_invoices_number"),
        sa.UniqueConstraint("order_id", name="uq_invoices_order_id"),
        sa.UniqueConstraint("series", "year", "sequence", name="uq_invoices_series_year_sequence"),
    )
    op.create_index("ix_invoices_contact_id", "invoices", ["contact_id"])
    op.create_index("ix_invoices_due_on", "invoices", ["due_on"])
    op.create_table(
        "invoices_line",
        sa.Column("id", ID, nullable=False),
        sa.Column("invoice_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("quantity", DECIMAL, nullable=False),
        sa.Column("price", DECIMAL, nullable=False),
        sa.Column("net", DECIMAL, nullable=False),
        sa.Column("tax_rate", DECIMAL, nullable=False),
        sa.Column("hsn", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name="fk_invoices_line_invoice_id_invoices"),
        sa.PrimaryKeyConstraint("id", name="pk_invoices_line"),
    )
    op.create_index("ix_invoices_line_invoice_id", "invoices_line", ["invoice_id"])
    op.create_table(
        "invoices_tax",
        sa.Column("id", ID, nullable=False),
        sa.Column("invoice_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("rate", DECIMAL, nullable=False),
        sa.Column("net", DECIMAL, nullable=False),
        sa.Column("amount", DECIMAL, nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name="fk_invoices_tax_invoice_id_invoices"),
        sa.PrimaryKeyConstraint("id", name="pk_invoices_tax"),
    )
    op.create_index("ix_invoices_tax_invoice_id", "invoices_tax", ["invoice_id"])
    op.create_table(
        "invoices_counter",
        sa.Column("series", sa.String(length=4), nullable=False),
        sa.Column("year", sa.String(length=5), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", "year", name="pk_invoices_counter"),
    )


def downgrade() -> None:
    for table in ("invoices_counter", "invoices_tax", "invoices_line", "invoices"):
        op.drop_table(table)
