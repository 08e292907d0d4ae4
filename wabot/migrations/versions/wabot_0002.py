"""When a contact opted out of everything we send."""

import sqlalchemy as sa
from alembic import op

revision = "wabot_0002"
down_revision = "wabot_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact", sa.Column("opted_out_at", sa.DateTime(timezone=True), nullable=True))
