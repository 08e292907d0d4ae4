"""The database: columns that mean the same on SQLite and PostgreSQL, and transactions.

A module declares its tables on `Base`. A transaction rolls back unless its block commits it:

    with database.transaction() as session:
        session.add(row)
        session.commit()
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Numeric,
    String,
    Text,
    create_engine,
    event,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import StaticPool
from sqlalchemy.types import TypeDecorator, TypeEngine

from wabot.core.json import dumps, loads
from wabot.core.statements import Fetched, Prepared
from wabot.core.transaction import Transaction, run_alone
from wabot.errors import RecordError

_WRITES = "wabot_writes"
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_WRITTEN = "write it like sqlite:///wabot.db or postgresql://user:password@host/database"

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A primary key's type. SQLite numbers rows by itself only where the type is INTEGER."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC; a naive one is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal to its last digit: NUMERIC where there is one, text on SQLite, which has only floats.

    So on SQLite sums and comparisons of it belong in Python, not in SQL.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(64) if dialect.name == "sqlite" else Numeric(asdecimal=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise ValueError(f"{value!r} is not a finite Decimal")
        return format(value, "f") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class JsonText(TypeDecorator[Any]):
    """Plain data as JSON text; money, decimals, dates and times come back typed (`core.json`).

    A change inside the value is not seen: assign a new one.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else loads(value)


class Base(DeclarativeBase):
    """The tables of wabot and of every module. Constraints have names, so that migrations can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, Decimal: ExactDecimal}  # noqa: RUF012 - SQLAlchemy's own way


Row = TypeVar("Row", bound=Base)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pool:
    """How many connections one process keeps to a server, and how long what may be waited for.

    `size` are kept, `overflow` more opened when needed. `timeout` is for a free connection, `lock` for a
    row that another holds. A transaction that stands still for `idle` is ended by the server: a process
    that was stopped in the middle of a turn keeps its conversation locked no longer. SQLite has `busy`
    alone: how long to wait for the write lock.
    """

    size: int = 5
    overflow: int = 5
    timeout: timedelta = timedelta(seconds=10)
    lock: timedelta = timedelta(seconds=10)
    idle: timedelta = timedelta(seconds=60)
    busy: timedelta = timedelta(seconds=15)


class Database:
    """One engine and its transactions, for one app.

    `url` is SQLAlchemy's: `sqlite:///wabot.db`, `sqlite://` (in memory). Raises RecordError for one
    that can't be used.
    """

    def __init__(self, url: str, pool: Pool | None = None) -> None:
        self.url = parse_url(url)
        self.in_memory = self.url.get_backend_name() == "sqlite" and self.url.database in (
            None,
            "",
            ":memory:",
        )
        self.engine = _engine(self.url, self.in_memory, pool or Pool())
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._reader = self.engine
        if self.url.get_backend_name() == "postgresql":
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ")
        # One connection serves every thread of a database in memory, so its transactions take turns.
        self._turns = threading.Lock() if self.in_memory else None
        self._holder: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that may write; what its block doesn't commit is rolled back."""
        with self._session(self._writer) as session:
            yield session

    @contextmanager
    def turn(self) -> Iterator[Transaction]:
        """As `transaction`, for who asks the database little and often."""
        with ExitStack() as stack:
            self._enter(stack)
            yield stack.enter_context(closing(self._begun()))

    def alone(self, statement: Prepared, values: Mapping[str, Any]) -> Fetched | None:
        """Run one statement that commits by itself, and give its first row."""
        return next(iter(self.rows(statement, values)), None)

    def rows(self, statement: Prepared, values: Mapping[str, Any]) -> list[Fetched]:
        """As `alone`, with all its rows."""
        with ExitStack() as stack:
            self._enter(stack)
            return run_alone(self.engine, statement, values)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one snapshot and keeps nobody waiting."""
        with self._session(self._reader) as session:
            yield session

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A bare connection inside a writing transaction that commits at the end: for migrations."""
        with ExitStack() as stack:
            self._enter(stack)
            yield stack.enter_context(self._writer.begin())

    def again(self, work: Callable[[], Result]) -> Result:
        """What `work` gives; run anew, once, where the connection had gone, as after the server restarted.

        For work whose transaction may be repeated, and where nobody else would.
        """
        try:
            return work()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return work()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        with ExitStack() as stack:
            self._enter(stack)
            yield stack.enter_context(Session(engine, expire_on_commit=False))

    def _begun(self) -> Transaction:
        try:
            return Transaction(self.engine)
        except OperationalError as error:
            if self.engine.dialect.name == "sqlite":
                raise _not_now(error) from error
            raise

    def _enter(self, stack: ExitStack) -> None:
        if self._turns is None:
            return
        if self._holder == threading.get_ident():
            raise RecordError("a transaction is open in this thread already", hint="use its session")
        stack.enter_context(self._turns)
        self._holder = threading.get_ident()
        stack.callback(self._let_go)

    def _let_go(self) -> None:
        self._holder = None


def lock(session: Session, model: type[Row], id: int, *, wait: bool = True) -> Row | None:
    """The row, held until the transaction ends, as the database has it now; without `wait` None where
    another transaction holds it.

    It is `FOR NO KEY UPDATE`: a row that refers to this one may be inserted meanwhile, so a webhook
    waits for no turn. On SQLite the transaction itself holds the only write lock (`BEGIN IMMEDIATE`),
    and SQLAlchemy leaves the clause out.
    """
    query = select(model).where(model.__mapper__.primary_key[0] == id)
    query = query.with_for_update(key_share=True, skip_locked=not wait)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def parse_url(url: str) -> URL:
    """A URL of SQLite, or of PostgreSQL by the driver that wabot speaks with. Raises RecordError for any
    other."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise RecordError("the database URL can't be read", hint=_WRITTEN) from None
    if "\0" in unquote(url):
        raise RecordError("the database URL has a character in it that no name has", hint=_WRITTEN)
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise RecordError(
            f'the database URL begins with "{parsed.drivername}", and wabot keeps its record in SQLite or'
            " PostgreSQL alone",
            hint=_WRITTEN,
        )
    if driver == "sqlite" and (parsed.host or parsed.username or parsed.query):
        raise RecordError(
            "the database URL says more than SQLite's file, or lacks its third slash", hint=_WRITTEN
        )
    return parsed.set(drivername=driver)


def _engine(url: URL, in_memory: bool, pool: Pool) -> Engine:
    if url.get_backend_name() != "sqlite":
        return _server_engine(url, pool)
    if in_memory:
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        _folder_exists(Path(url.database or ""))
        engine = create_engine(url)
    event.listen(engine, "connect", partial(_prepare_sqlite, pool.busy))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _server_engine(url: URL, pool: Pool) -> Engine:
    sizes = {
        "pool_size": pool.size,
        "max_overflow": pool.overflow,
        "pool_timeout": pool.timeout.total_seconds(),
    }
    arguments: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql":
        given = url.query.get("options", "")
        waits = {"lock_timeout": pool.lock, "idle_in_transaction_session_timeout": pool.idle}
        ours = [f"-c {name}={round(wait.total_seconds() * 1000)}" for name, wait in waits.items()]
        # As `core.statements` reads and writes.
        form = ["-c client_encoding=UTF8", "-c datestyle=ISO"]
        theirs = [given] if isinstance(given, str) else given
        arguments["options"] = " ".join([*ours, *theirs, *form]).strip()
        # Once it has prepared statements of its own, it ends all that are prepared whenever it rolls back.
        arguments["prepare_threshold"] = None
    try:
        engine = create_engine(url, connect_args=arguments, **sizes)
    except ModuleNotFoundError as error:
        raise RecordError(
            f"the driver {error.name} for this database isn't installed",
            hint='pip install "wabot[postgres]"',
        ) from error
    except (ArgumentError, ValueError) as error:
        raise RecordError(f"the database URL can't be used: {error}", hint=_WRITTEN) from None
    event.listen(engine, "do_connect", _connect)
    return engine


def _connect(dialect: Dialect, _record: object, arguments: list[Any], named: dict[str, Any]) -> Any:
    try:
        return dialect.connect(*arguments, **named)
    except dialect.loaded_dbapi.ProgrammingError as error:
        # The server has not been asked anything yet: the driver doesn't understand the URL.
        reason = str(error).strip()
        raise RecordError(f"the database URL can't be used: {reason}", hint=_WRITTEN) from None


def _folder_exists(file: Path) -> None:
    if not file.parent.is_dir():
        raise RecordError(f"the folder {file.parent} for the database isn't there", hint="make it first")


def _prepare_sqlite(busy: timedelta, connection: Any, _record: object) -> None:
    """FULL and not NORMAL: the webhook answers 200 once the message is committed, and the provider
    won't send it again, so a commit must outlive a power cut and not only a killed process."""
    # The driver's own transactions begin late and without a lock: ours begin in `_begin_sqlite`.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {round(busy.total_seconds() * 1000)}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    if connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        return  # It began before there was a session.
    # A transaction that read first could not write any more once another one has written.
    writes = connection.get_execution_options().get(_WRITES)
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    except OperationalError as error:
        raise _not_now(error) from error


def _not_now(error: OperationalError) -> RecordError:
    return RecordError(f"the database can't be used now: {error.orig}")
