"""The database, Redis, and the disk."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from wabot.bootstrap import import_queue, modules_of
from wabot.cli.doctor.finding import Finding, error, of_error, warning, well
from wabot.core.database import Database
from wabot.core.migrate import pending
from wabot.errors import WabotError
from wabot.settings import Settings

LITTLE = 1024**3
"""Bytes free on a disk, below which it is time to do something."""
MEND = "look at database in wabot.toml or DATABASE_URL, and whether the server runs"
LEAST = 100 * 1024**2


def examine(settings: Settings) -> Iterator[Finding]:
    yield from _database(settings)
    yield from _redis(settings)
    yield _disk(settings)


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        url = make_url(settings.database_url)
        shown = url.render_as_string(hide_password=True)
        file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        if file is not None and not file.exists():
            yield _new_file(file, shown)
            return
        with closing(Database(settings.database_url)) as database:
            behind = pending(database, modules_of(settings))
            yield _server(database.engine, shown, settings)
    except SQLAlchemyError as raised:
        reason = str(getattr(raised, "orig", None) or raised).strip().split("\n")[0]
        yield error("database", f"it can't be used: {reason}", MEND)
        return
    except WabotError as raised:
        yield error(
            "database", raised.message, raised.hint or "look at database in wabot.toml or DATABASE_URL"
        )
        return
    if not behind:
        yield well("migrations", "the tables are up to date")
    elif file is not None:
        yield well("migrations", f"the next start brings up to date: {', '.join(behind)}")
    else:
        message = f"the tables of {', '.join(behind)} are not up to date"
        yield error("migrations", message, "wabot db upgrade")


def _new_file(file: Path, shown: str) -> Finding:
    folder = file.parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        return well("database", f"{shown}, made at the first start")
    what = "can't be written" if folder.is_dir() else "isn't there"
    return error("database", f"the folder of {shown} {what}", f"make {folder}, writable for this user")


def _server(engine: Engine, shown: str, settings: Settings) -> Finding:
    if engine.dialect.name == "sqlite":
        if settings.redis_url is None:
            return well("database", shown)
        mend = "DATABASE_URL=postgresql://… for many processes, or no Redis and one wabot run"
        return warning("database", f"{shown}: many processes on a SQLite file wait for each other", mend)
    with engine.connect() as connection:
        room = int(connection.execute(text("show max_connections")).scalar_one())
        version = connection.execute(text("show server_version")).scalar_one()
    each = settings.pool.size + settings.pool.overflow
    if room < 2 * each:
        mend = "raise max_connections, or lower size and overflow of [pool]"
        return warning("database", f"{shown}: {room} connections, and one process may want {each}", mend)
    return well("database", f"{shown}, PostgreSQL {version}, {room} connections; up to {each} a process")


def _redis(settings: Settings) -> Iterator[Finding]:
    url = settings.redis_url
    if url is None:
        yield well("redis", "none: wabot run does all the work in one process")
        return
    try:
        import_queue()
        from wabot.adapters.redis import Link

        with closing(Link(url)) as link:
            there = link.answers()
    except WabotError as raised:
        yield of_error("redis", raised)
        return
    if there:
        yield well("redis", "it answers")
    else:
        yield error(
            "redis", "it doesn't answer", "look at redis in wabot.toml or REDIS_URL, and whether it runs"
        )
    if not settings.log_key:
        message = "each process hashes phone numbers in its own way, so that logs can't be brought together"
        yield warning("log_key", message, "WABOT_LOG_KEY=…, the same everywhere: openssl rand -hex 32")


def _disk(settings: Settings) -> Finding:
    """Room and right to write where media are kept, or where the folder for them will be made."""
    folder = settings.media_folder.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        mend = "let this user write there, or name another folder in [media]"
        return error("media", f"{there} can't be written", mend)
    free = shutil.disk_usage(there).free
    message = f"{free // 1024**2:,} MB are free for {folder}"
    if free < LITTLE:
        found = error if free < LEAST else warning
        return found("media", message, "make room, or name a folder on another disk in [media]")
    return well("media", message)
