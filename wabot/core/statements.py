"""Statements of the hot path: compiled once, then run past SQLAlchemy, whose own execution costs more
than the database takes for most of them.

SQLite runs them by the driver's cursor. On PostgreSQL they are prepared on each connection when first
used, and run by libpq itself: what psycopg does around an execution is dear too.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Protocol, cast

from sqlalchemy import ClauseElement, Dialect, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

from wabot.core.kept import kept

Fetched = tuple[Any, ...]
Process = Callable[[Any], Any]

_COMMAND_OK, _TUPLES_OK = 1, 2
"""`ExecStatusType` of libpq."""


class Ready(Protocol):
    """A statement for one kind of database."""

    @property
    def sql(self) -> str: ...

    def run(
        self, driver: Any, info: MutableMapping[Any, Any], values: Mapping[str, Any], *, fetch: bool
    ) -> Fetched | None:
        """Its first row, if there is one and it is wanted. `info` lives as long as the driver's connection.

        Raises the driver's errors, and KeyError for a value that isn't given.
        """
        ...


class Prepared:
    """A Core statement, its values `bindparam`s. `make` gives it for a dialect's name, and is called once
    for each."""

    __slots__ = ("_make", "_ready")

    def __init__(self, make: Callable[[str], ClauseElement]) -> None:
        self._make = make
        self._ready: dict[str, Ready] = {}

    def on(self, dialect: Dialect) -> Ready:
        ready = self._ready.get(dialect.name)
        if ready is None:
            kind = _PostgresReady if dialect.name == "postgresql" else _CursorReady
            ready = self._ready[dialect.name] = kind(self._make(dialect.name), dialect)
        return ready


class _Compiled:
    """`sql`, the values in the order in which it takes them, and the columns it gives."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
        if compiled.insert_prefetch:
            names = ", ".join(column.name for column in compiled.insert_prefetch)
            raise ValueError(f"a prepared statement gives columns their values itself: {names}")
        self.sql = str(compiled)
        binds = [(name, compiled.binds[name]) for name in compiled.positiontup or ()]
        self._given = [
            (name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds
        ]
        self._constants = {name: bind.effective_value for name, bind in binds if not bind.required}
        self._columns = _columns(statement)
        self._fetch = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in self._columns
        ]

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        if self._constants:
            values = {**self._constants, **values}
        return [process(values[name]) if process else values[name] for name, process in self._given]


class _CursorReady(_Compiled):
    """By a cursor, of a driver that takes values by position."""

    def run(
        self, driver: Any, info: MutableMapping[Any, Any], values: Mapping[str, Any], *, fetch: bool
    ) -> Fetched | None:
        cursor = driver.execute(self.sql, self.bound(values))
        row = cursor.fetchone() if fetch else None
        cursor.close()
        if row is None:
            return None
        return tuple(
            process(value) if process else value for process, value in zip(self._fetch, row, strict=True)
        )


class _PostgresReady(_Compiled):
    """By libpq, values and columns as text."""

    _numbers = count(1)

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        numbered: Any = type(dialect)
        super().__init__(statement, numbered(paramstyle="numeric_dollar"))
        self._name = f"wabot_{next(self._numbers)}".encode()
        self._driver: Any = dialect.loaded_dbapi
        self._read: list[Process] = []

    def run(
        self, driver: Any, info: MutableMapping[Any, Any], values: Mapping[str, Any], *, fetch: bool
    ) -> Fetched | None:
        connection = driver.pgconn
        if self._name not in info:
            self._checked(connection.prepare(self._name, self.sql.encode()))
            info[self._name] = True
        result = self._checked(connection.exec_prepared(self._name, list(map(_written, self.bound(values)))))
        if not fetch or not result.ntuples:
            return None
        if not self._read:
            self._read = [_READ.get(result.ftype(number), _text) for number in range(result.nfields)]
        return tuple(
            _processed(process, read, result.get_value(0, number))
            for number, (process, read) in enumerate(zip(self._fetch, self._read, strict=True))
        )

    def _checked(self, result: Any) -> Any:
        if result.status not in (_COMMAND_OK, _TUPLES_OK):
            error = self._driver.errors.error_from_result(result)
            # Without a code of the server's it is of the connection.
            raise error if error.sqlstate else self._driver.OperationalError(str(error))
        return result


def _columns(statement: ClauseElement) -> Sequence[Any]:
    if isinstance(statement, Select):
        return list(statement.selected_columns)
    return list(statement.exported_columns) if isinstance(statement, UpdateBase) else []


def _written(value: Any) -> bytes | None:
    """As PostgreSQL reads it. libpq would end a text at its first NUL without a word."""
    if value is None:
        return None
    if isinstance(value, str):
        return kept(value).encode()
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, datetime):
        return value.isoformat().encode()
    return str(value).encode()


def _processed(process: Process | None, read: Process, value: bytes | None) -> Any:
    found = None if value is None else read(value)
    return process(found) if process else found


def _text(value: bytes) -> str:
    return value.decode()


def _flag(value: bytes) -> bool:
    return value == b"t"


def _moment(value: bytes) -> datetime:
    return datetime.fromisoformat(value.decode())


_READ: dict[int, Process] = {16: _flag, 20: int, 21: int, 23: int, 1184: _moment}
"""By the number of PostgreSQL's type: boolean, bigint, smallint, integer, timestamp with time zone."""
