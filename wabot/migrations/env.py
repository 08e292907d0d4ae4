"""What Alembic runs to reach the database: `core.migrate` gives the connection and the version table."""

from alembic import context
from sqlalchemy import Connection

from wabot.core.database import Base

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=context.config.attributes["version_table"],
    # SQLite rolls schema changes back like everything else, once transactions are begun by hand.
    transactional_ddl=True,
    # SQLite can't alter most of a column: Alembic copies the table instead.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
