"""How far the provider says that a message got."""

import sqlalchemy as sa
from alembic import op

revision = "wabot_0003"
down_revision = "wabot_0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("outbox", sa.Column("receipt", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("delivered_at", TIME, nullable=True))
    op.add_column("outbox", sa.Column("read_at", TIME, nullable=True))
