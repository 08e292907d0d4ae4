"""The history of the runtime's tables, for Alembic. `core.migrate` runs it."""
