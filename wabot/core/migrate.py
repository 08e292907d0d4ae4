"""Bring a database to the schema of this wabot and of its modules.

The runtime's tables and each module's have their own history, kept in a version table of their own
(`wabot_version`, `wabot_version_<module>`): so a module may be added to or taken from an app at any
time, and one that is away doesn't make its tables unreadable.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from wabot.core.database import Base, Database
from wabot.errors import RecordError

SCRIPTS = Path(__file__).parent.parent / "migrations"
VERSION_TABLE = "wabot_version"


class Migrated(Protocol):
    """A module, as far as its tables go."""

    @property
    def name(self) -> str: ...
    @property
    def migrations(self) -> Path | None: ...


def upgrade(database: Database, modules: Iterable[Migrated] = ()) -> list[str]:
    """Bring wabot's tables and those of `modules` to their newest form, all or nothing.

    Gives the names of those that changed (`wabot` for the runtime's own). Raises RecordError where
    the database is newer than this program.
    """
    changed = []
    with database.connection() as connection:
        for name, folder, table in _histories(modules):
            if _upgrade(connection, name, folder, table):
                changed.append(name)
    return changed


def pending(database: Database, modules: Iterable[Migrated] = ()) -> list[str]:
    """The names of those whose tables aren't in their newest form."""
    with database.connection() as connection:
        return [
            name
            for name, folder, table in _histories(modules)
            if _heads(connection, table) != _newest(_config(connection, folder, table))
        ]


def require_newest(database: Database, modules: Iterable[Migrated] = ()) -> None:
    """Raises RecordError that names those whose tables aren't in their newest form."""
    if behind := pending(database, modules):
        raise RecordError(
            f"the database's tables of {', '.join(behind)} are not up to date", hint="wabot db upgrade"
        )


def differences(database: Database, modules: Iterable[Migrated] = ()) -> list[Any]:
    """What the declared tables and the migrated database differ in, as Alembic's operations.

    Empty where the migrations of wabot and of all imported modules are complete.
    """
    versions = {table for _, _, table in _histories(modules)}
    with database.connection() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _parents: kind != "table" or name not in versions,
            },
        )
        return list(compare_metadata(context, Base.metadata))


def _histories(modules: Iterable[Migrated]) -> list[tuple[str, Path, str]]:
    own = [("wabot", SCRIPTS / "versions", VERSION_TABLE)]
    return own + [(m.name, m.migrations, f"{VERSION_TABLE}_{m.name}") for m in modules if m.migrations]


def _upgrade(connection: Connection, name: str, folder: Path, table: str) -> bool:
    config = _config(connection, folder, table)
    before, newest = _heads(connection, table), _newest(config)
    if before == newest:
        return False
    try:
        command.upgrade(config, "heads")
    except CommandError as error:
        raise RecordError(
            f"the tables of {name} can't be upgraded: {error}",
            hint="was this database used by a newer version? then install that one",
        ) from error
    return True


def _config(connection: Connection, folder: Path, table: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(folder).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=table)
    return config


def _newest(config: Config) -> set[str]:
    return set(ScriptDirectory.from_config(config).get_heads())


def _heads(connection: Connection, table: str) -> set[str]:
    context = MigrationContext.configure(connection, opts={"version_table": table})
    return set(context.get_current_heads())
