"""The doors: contacts' files, contents at a provider, keys of the API, conversations in hand."""

import sqlalchemy as sa
from alembic import op

revision = "wabot_0004"
down_revision = "wabot_0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("conversation", sa.Column("held_at", TIME, nullable=True))
    op.add_column(
        "conversation", sa.Column("held_by", sa.String(length=255), nullable=False, server_default="")
    )
    op.create_index("ix_inbound_talk", "inbound", ["conversation_id", "received_at"])
    op.add_column("outbox", sa.Column("as_template", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "media",
        sa.Column("id", ID, nullable=False),
        sa.Column("inbound_id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("mime_type", sa.String(length=255), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_media_conversation_id_conversation"
        ),
        sa.ForeignKeyConstraint(["inbound_id"], ["inbound.id"], name="fk_media_inbound_id_inbound"),
        sa.PrimaryKeyConstraint("id", name="pk_media"),
        sa.UniqueConstraint("inbound_id", name="uq_media_inbound_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_media_conversation_id", "media", ["conversation_id"])
    op.create_table(
        "content",
        sa.Column("id", ID, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("shape", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_content"),
        sa.UniqueConstraint("channel", "account", "shape", name="uq_content_channel_account_shape"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_key",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=32), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("prefix", name="uq_api_key_prefix"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "idempotency",
        sa.Column("id", ID, nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency"),
        sa.UniqueConstraint("owner", "key", name="uq_idempotency_owner_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
