"""Gives SQLite its tables by what the migrations said to it the first time: that takes a tenth of their time.

Each process of the suite runs every migration in earnest once. What a test of migrations makes is its own
and is never remembered: only an empty database gets wabot's and its modules' tables this way.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy import Connection, event

import wabot
from wabot.core import migrate

OURS = Path(wabot.__file__).parent
CHANGES = ("CREATE", "INSERT", "UPDATE", "DELETE", "ALTER", "DROP")
IN_EARNEST = migrate._upgrade

NEWEST = migrate._newest

Upgrade = Callable[[Connection, str, Path, str], bool]


@contextmanager
def remembering() -> Iterator[None]:
    """While the block lasts, `migrate.upgrade` and `migrate.pending` remember."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_upgrade", remembering_upgrade())
        patch.setattr(migrate, "_newest", remembering_newest())
        yield


@contextmanager
def in_earnest() -> Iterator[None]:
    """While the block lasts, they don't."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_upgrade", IN_EARNEST)
        patch.setattr(migrate, "_newest", NEWEST)
        yield


def remembering_newest() -> Callable[[Config], set[str]]:
    """As `migrate._newest`."""
    known: dict[str, set[str]] = {}

    def newest(config: Config) -> set[str]:
        folder = config.get_main_option("version_locations") or ""
        if not Path(folder).is_relative_to(OURS):
            return NEWEST(config)
        if folder not in known:
            known[folder] = NEWEST(config)
        return known[folder]

    return newest


def remembering_upgrade() -> Upgrade:
    """As `migrate._upgrade`."""
    said: dict[tuple[Path, str], list[tuple[str, Any]]] = {}

    def upgrade(connection: Connection, name: str, folder: Path, table: str) -> bool:
        if connection.dialect.name != "sqlite" or not folder.is_relative_to(OURS) or _any(connection, table):
            return IN_EARNEST(connection, name, folder, table)
        if (folder, table) in said:
            cursor = connection.connection.cursor()
            for statement, parameters in said[folder, table]:
                cursor.execute(statement, parameters)
            cursor.close()
            return True
        heard: list[tuple[str, Any]] = []

        def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.lstrip().startswith(CHANGES):
                heard.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", hear)
        try:
            changed = IN_EARNEST(connection, name, folder, table)
        finally:
            event.remove(connection, "before_cursor_execute", hear)
        said[folder, table] = heard
        return changed

    return upgrade


def _any(connection: Connection, table: str) -> bool:
    """Whether this database was migrated before, to whatever version."""
    query = "SELECT 1 FROM sqlite_master WHERE name = ?"
    return connection.exec_driver_sql(query, (table,)).first() is not None
