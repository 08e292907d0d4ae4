"""The first tables of the runtime."""

import sqlalchemy as sa
from alembic import op

revision = "wabot_0001"
down_revision = None
branch_labels = ("wabot",)
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
OPEN = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "contact",
        sa.Column("id", ID, nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_contact"),
        sa.UniqueConstraint("phone", name="uq_contact_phone"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "conversation",
        sa.Column("id", ID, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("flow", sa.String(length=128), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("positions", sa.Integer(), nullable=False),
        sa.Column("last_message_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_conversation_contact_id_contact"),
        sa.PrimaryKeyConstraint("id", name="pk_conversation"),
        sa.UniqueConstraint(
            "channel", "sender", "contact_id", name="uq_conversation_channel_sender_contact_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_conversation_contact_id", "conversation", ["contact_id"])
    op.create_table(
        "inbound",
        sa.Column("id", ID, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("correlation", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_inbound_conversation_id_conversation"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_inbound"),
        sa.UniqueConstraint("channel", "event_id", name="uq_inbound_channel_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inbound_due_at", "inbound", ["due_at"])
    op.create_index(
        "ix_inbound_open", "inbound", ["conversation_id", "id"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_table(
        "timer",
        sa.Column("id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_timer_conversation_id_conversation"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_timer"),
        sa.UniqueConstraint("conversation_id", "key", name="uq_timer_conversation_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_timer_due_at", "timer", ["due_at"])
    op.create_table(
        "effect",
        sa.Column("id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("inbound_id", ID, nullable=True),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("kind", sa.String(length=128), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_effect_conversation_id_conversation"
        ),
        sa.ForeignKeyConstraint(["inbound_id"], ["inbound.id"], name="fk_effect_inbound_id_inbound"),
        sa.PrimaryKeyConstraint("id", name="pk_effect"),
        sa.UniqueConstraint("conversation_id", "key", name="uq_effect_conversation_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_effect_due_at", "effect", ["due_at"])
    op.create_index("ix_effect_inbound_id", "effect", ["inbound_id"])
    op.create_index("ix_effect_status", "effect", ["status"])
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("inbound_id", ID, nullable=True),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("resent", sa.Boolean(), nullable=False),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name="fk_outbox_conversation_id_conversation"
        ),
        sa.ForeignKeyConstraint(["inbound_id"], ["inbound.id"], name="fk_outbox_inbound_id_inbound"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("conversation_id", "position", name="uq_outbox_conversation_id_position"),
        sa.UniqueConstraint("reference", name="uq_outbox_reference"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])
    op.create_index("ix_outbox_inbound_id", "outbox", ["inbound_id"])
    op.create_index(
        "ix_outbox_open", "outbox", ["conversation_id", "position"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index("ix_outbox_provider_id", "outbox", ["provider_id"])
