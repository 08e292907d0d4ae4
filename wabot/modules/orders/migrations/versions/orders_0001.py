"""The first tables of orders."""

import sqlalchemy as sa
from alembic import op

revision = "orders_0001"
down_revision = None
branch_labels = ("orders",)
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
DECIMAL = sa.Numeric().with_variant(sa.String(64), "sqlite")


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=32), nullable=True),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("place_of_supply", sa.String(length=2), nullable=False),
        sa.Column("subtotal", DECIMAL, nullable=False),
        sa.Column("discount", DECIMAL, nullable=False),
        sa.Column("taxes", sa.Text(), nullable=False),
        sa.Column("tax", DECIMAL, nullable=False),
        sa.Column("round_off", DECIMAL, nullable=False),
        sa.Column("total", DECIMAL, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("cancelled_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_orders_contact_id_contact"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_orders_conversation_id_conversation"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.UniqueConstraint("number", name="uq_orders_number"),
    )
    op.create_index("ix_orders_contact_id", "orders", ["contact_id", "status"])
    op.create_table(
        "orders_line",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("quantity", DECIMAL, nullable=False),
        sa.Column("price", DECIMAL, nullable=False),
        sa.Column("net", DECIMAL, nullable=False),
        sa.Column("tax_rate", DECIMAL, nullable=False),
        sa.Column("hsn", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name="fk_orders_line_order_id_orders", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_orders_line"),
    )
    op.create_index("ix_orders_line_order_id", "orders_line", ["order_id"])
    op.create_table(
        "orders_counter",
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name="pk_orders_counter"),
    )


def downgrade() -> None:
    for table in ("orders_counter", "orders_line", "orders"):
        op.drop_table(table)
