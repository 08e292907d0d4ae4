"""A transaction that goes past SQLAlchemy for as long as nobody asks for its session."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from wabot.core.statements import Batch, Fetched, Prepared, StatementError, run
from wabot.errors import RecordError

_BEGIN = Prepared(lambda dialect: text("BEGIN IMMEDIATE" if dialect == "sqlite" else "BEGIN"))
_COMMIT = Prepared(lambda _dialect: text("COMMIT"))


_OUTDATED = frozenset({"0A000", "26000", "42P05"})
"""PostgreSQL's codes for a prepared statement that a migration has overtaken, that is gone, or that is there
and not known, as after an interrupt: a new connection prepares it anew."""


def run_alone(engine: Engine, statement: Prepared, values: Mapping[str, Any]) -> list[Fetched]:
    """Run one statement that commits by itself, and give its rows."""
    with closing(_checked_out(engine)) as pooled:
        return _run(engine, pooled, [(statement, values)], fetch=True)


class Transaction:
    """`one` and `run` take prepared statements; `session` is the ORM's in the same transaction, made when it
    is first asked for. Unless it is committed it is rolled back by `close`.

    On a server what was given to `run` goes there with whatever needs an answer next, at the latest with the
    commit, which then raises what it raises. Once one of them failed, or the session was rolled back outside
    of a savepoint, all raise RecordError."""

    __slots__ = ("_connection", "_engine", "_failed", "_pooled", "_session", "_waiting")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._failed = False
        self._waiting: list[tuple[Prepared, Mapping[str, Any]]] = [(_BEGIN, {})]
        self._pooled = _checked_out(engine)
        try:
            if engine.dialect.name == "sqlite":
                self._send()  # There is no way to save, and from here on nobody else writes.
        except BaseException:
            self._pooled.close()
            raise

    @property
    def session(self) -> Session:
        if self._session is None:
            self._is_open()
            self._send()
            self._connection = Connection(self._engine, self._pooled)
            # What the session joins is ours to commit.
            self._connection.begin()
            self._session = Session(
                self._connection, expire_on_commit=False, join_transaction_mode="rollback_only"
            )
        return self._session

    def one(self, statement: Prepared, values: Mapping[str, Any]) -> Fetched | None:
        """The first row; None where there is none."""
        self._is_open()
        return next(iter(self._send((statement, values), fetch=True)), None)

    def run(self, statement: Prepared, values: Mapping[str, Any]) -> None:
        self._is_open()
        self._waiting.append((statement, values))
        # What a session reads next must find it there.
        if self._session is not None or self._engine.dialect.name == "sqlite":
            self._send()

    def commit(self) -> None:
        if self._session is not None:
            self._session.flush()
        self._is_open()
        self._send((_COMMIT, {}))

    def _send(self, *more: tuple[Prepared, Mapping[str, Any]], fetch: bool = False) -> list[Fetched]:
        batch, self._waiting = [*self._waiting, *more], []
        if not batch:
            return []
        self._failed = True
        rows = _run(self._engine, self._pooled, batch, fetch=fetch)
        self._failed = False
        return rows

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        if self._connection is not None:
            self._connection.close()
        self._pooled.close()

    def _is_open(self) -> None:
        """What ran on would be committed by itself, statement by statement, or never."""
        if self._failed or not self._pooled.is_valid:
            raise RecordError(
                "a statement failed, and with it all that its transaction had done",
                hint="let the error through",
            )
        if self._connection is not None and not self._connection.in_transaction():
            raise RecordError(
                "the session was rolled back, and with it all that its transaction had done",
                hint="let the error through, or stand in a savepoint: session.begin_nested()",
            )


def _checked_out(engine: Engine) -> PoolProxiedConnection:
    try:
        return engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        raise _as_ours(engine, error, None, lost=False) from error


def _run(
    engine: Engine, pooled: PoolProxiedConnection, batch: Batch, *, fetch: bool = False
) -> list[Fetched]:
    dialect = engine.dialect
    try:
        return run(dialect, pooled.driver_connection, pooled.info, batch, fetch=fetch)
    except StatementError as failed:
        error: Any = failed.__cause__
        lost = dialect.is_disconnect(error, pooled, None) or getattr(error, "sqlstate", None) in _OUTDATED
        if lost:
            # As SQLAlchemy does: where one connection is gone, those that are older than that are too. A new
            # pool would know nothing of the connections in use, and open as many more.
            engine.pool._invalidate(pooled, error)  # noqa: SLF001 - there is no other door
        raise _as_ours(engine, error, failed.sql, lost=lost) from error


def _as_ours(engine: Engine, error: Exception, sql: str | None, *, lost: bool) -> Exception:
    """The driver's error as SQLAlchemy's own, which the rest of the program knows."""
    return DBAPIError.instance(
        sql,
        None,
        error,
        engine.dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=engine.dialect,
    )
