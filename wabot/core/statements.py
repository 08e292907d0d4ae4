"""Statements of the hot path: compiled once, then run past SQLAlchemy, whose own execution costs more
than the database takes for most of them.

SQLite runs them by the driver's cursor. On PostgreSQL they are prepared on each connection when first
used, and run by libpq itself: what psycopg does around an execution is dear too. Several go there and back
together, in libpq's pipeline mode: the way costs as much as the work.
"""

import select as system
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, cast

from sqlalchemy import ClauseElement, Dialect, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

from wabot.core.kept import kept

Fetched = tuple[Any, ...]
Process = Callable[[Any], Any]
Info = MutableMapping[Any, Any]
"""What is known of a driver's connection, for as long as it lives."""

_COMMAND_OK, _TUPLES_OK, _PIPELINE_SYNC = 1, 2, 10
"""`ExecStatusType` of libpq."""
_OK = 0
"""`ConnStatusType` of libpq."""


class Prepared:
    """A Core statement, its values `bindparam`s. `make` gives it for a dialect's name, and is called once
    for each."""

    __slots__ = ("_make", "_ready")

    def __init__(self, make: Callable[[str], ClauseElement]) -> None:
        self._make = make
        self._ready: dict[str, _CursorReady | _PostgresReady] = {}

    def on(self, dialect: Dialect) -> "_CursorReady | _PostgresReady":
        ready = self._ready.get(dialect.name)
        if ready is None:
            kind = _PostgresReady if dialect.name == "postgresql" else _CursorReady
            ready = self._ready[dialect.name] = kind(self._make(dialect.name), dialect)
        return ready


Batch = Sequence[tuple[Prepared, Mapping[str, Any]]]
"""Statements in the order in which they run, each with its values."""


class StatementError(Exception):
    """Which statement failed. The cause is the driver's error."""

    def __init__(self, sql: str) -> None:
        super().__init__(sql)
        self.sql = sql


def run(dialect: Dialect, driver: Any, info: Info, batch: Batch, *, fetch: bool = False) -> list[Fetched]:
    """Run all of a batch, and give the last one's rows if they are wanted.

    Raises StatementError, and KeyError for a value that isn't given. After the first that failed none ran.
    """
    if dialect.name == "postgresql":
        return _run_on_postgres(dialect, driver, info, batch, fetch=fetch)
    rows: list[Fetched] = []
    for each, values in batch:
        rows = cast("_CursorReady", each.on(dialect)).run(dialect, driver, values, fetch=fetch)
    return rows


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
        given = [process(values[name]) if process else values[name] for name, process in self._given]
        return [kept(value) if isinstance(value, str) else value for value in given]


class _CursorReady(_Compiled):
    """By a cursor, of a driver that takes values by position."""

    def run(self, dialect: Dialect, driver: Any, values: Mapping[str, Any], *, fetch: bool) -> list[Fetched]:
        given = self.bound(values)
        try:
            cursor = driver.execute(self.sql, given)
            rows = cursor.fetchall() if fetch else ()
            cursor.close()
        except dialect.loaded_dbapi.Error as error:
            raise StatementError(self.sql) from error
        return [
            tuple(
                process(value) if process else value for process, value in zip(self._fetch, row, strict=True)
            )
            for row in rows
        ]


class _PostgresReady(_Compiled):
    """By libpq, values and columns as text."""

    _numbers = count(1)

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        numbered: Any = type(dialect)
        super().__init__(statement, numbered(paramstyle="numeric_dollar"))
        self.name = f"wabot_{next(self._numbers)}".encode()
        self._read: list[Process] = []

    def written(self, values: Mapping[str, Any]) -> list[bytes | None]:
        return list(map(_written, self.bound(values)))

    def rows(self, result: Any) -> list[Fetched]:
        if not result.ntuples:
            return []
        if not self._read:
            self._read = [_READ.get(result.ftype(number), _text) for number in range(result.nfields)]
        columns = list(enumerate(zip(self._fetch, self._read, strict=True)))
        return [
            tuple(
                _processed(process, read, result.get_value(place, number))
                for number, (process, read) in columns
            )
            for place in range(result.ntuples)
        ]


def _run_on_postgres(
    dialect: Dialect, driver: Any, info: Info, batch: Batch, *, fetch: bool
) -> list[Fetched]:
    connection = driver.pgconn
    ready = [cast("_PostgresReady", each.on(dialect)) for each, _ in batch]
    written = [each.written(values) for each, (_, values) in zip(ready, batch, strict=True)]
    errors: Any = dialect.loaded_dbapi
    try:
        if len(ready) == 1 and ready[0].name in info:
            result = connection.exec_prepared(ready[0].name, written[0])
            _succeeded(dialect, connection, ready[0], result)
        else:
            result = _exchanged(dialect, connection, info, ready, written)
    except errors.Error as error:
        raise StatementError(ready[-1].sql) from error
    return ready[-1].rows(result) if fetch else []


def _exchanged(
    dialect: Dialect,
    connection: Any,
    info: Info,
    ready: Sequence[_PostgresReady],
    written: Sequence[list[bytes | None]],
) -> Any:
    """The last one's result; each that isn't known yet is prepared on the way."""
    sent: list[tuple[_PostgresReady, bool]] = []
    known = set(info)
    try:
        connection.enter_pipeline_mode()
        for each, values in zip(ready, written, strict=True):
            if each.name not in known:
                known.add(each.name)
                connection.send_prepare(each.name, each.sql.encode())
                sent.append((each, True))
            connection.send_query_prepared(each.name, values)
            sent.append((each, False))
        connection.pipeline_sync()
        results = list(_results(connection))
        connection.exit_pipeline_mode()
    except BaseException:
        # Answers may still be on their way, and would be taken for those to what comes next.
        connection.finish()
        raise
    for (each, prepares), result in zip(sent, results, strict=False):
        _succeeded(dialect, connection, each, result)
        if prepares:
            info[each.name] = True
    if len(results) < len(sent):
        raise cast("Any", dialect.loaded_dbapi).OperationalError("the connection was lost")
    return results[-1]


def _results(connection: Any) -> Iterator[Any]:
    """Of all that was sent up to the sync. It waits as psycopg does: other threads go on meanwhile."""
    socket = system.poll()
    socket.register(connection.socket, system.POLLIN | system.POLLOUT)
    while connection.flush():
        socket.poll()
        connection.consume_input()
    socket.modify(connection.socket, system.POLLIN)
    while True:
        while connection.is_busy():
            socket.poll()
            connection.consume_input()
        result = connection.get_result()
        if result is not None and result.status == _PIPELINE_SYNC:
            return
        if result is not None:
            yield result
        elif connection.status != _OK:
            return  # Its last result said why.


def _succeeded(dialect: Dialect, connection: Any, ready: _PostgresReady, result: Any) -> None:
    if result.status not in (_COMMAND_OK, _TUPLES_OK):
        driver: Any = dialect.loaded_dbapi
        error = driver.errors.error_from_result(result)
        if not error.sqlstate:
            # Not the server's word, then, but the connection's, which is gone and may not know it yet.
            connection.finish()
            error = driver.OperationalError(str(error))
        raise StatementError(ready.sql) from error


def _columns(statement: ClauseElement) -> Sequence[Any]:
    if isinstance(statement, Select):
        return list(statement.selected_columns)
    return list(statement.exported_columns) if isinstance(statement, UpdateBase) else []


def _written(value: Any) -> bytes | None:
    """As PostgreSQL reads it."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
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
