"""The first tables of the catalog."""

import sqlalchemy as sa
from alembic import op

revision = "catalog_0001"
down_revision = None
branch_labels = ("catalog",)
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
DECIMAL = sa.Numeric().with_variant(sa.String(64), "sqlite")


def upgrade() -> None:
    op.create_table(
        "catalog_product",
        sa.Column("id", ID, nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("aliases", sa.Text(), nullable=False),
        sa.Column("local", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("step", DECIMAL, nullable=False),
        sa.Column("price", DECIMAL, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("tax_rate", DECIMAL, nullable=False),
        sa.Column("hsn", sa.String(length=8), nullable=False),
        sa.Column("category", sa.String(length=72), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_product"),
        sa.UniqueConstraint("sku", name="uq_catalog_product_sku"),
    )
    op.create_index("ix_catalog_product_active", "catalog_product", ["active", "position"])
    op.create_table(
        "catalog_edition",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("imported_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_edition"),
    )


def downgrade() -> None:
    op.drop_table("catalog_edition")
    op.drop_table("catalog_product")
