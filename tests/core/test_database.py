import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from wabot.core.database import Base, BigId, Database, ExactDecimal, JsonText, Pool, UtcDateTime
from wabot.core.migrate import SCRIPTS, VERSION_TABLE, _config, differences, pending, upgrade
from wabot.core.module import Module
from wabot.core.money import Money
from wabot.core.tables import ContactRow, ConversationRow, EffectRow, InboundRow, OutboxRow, TimerRow
from wabot.errors import RecordError

NOW = datetime(2026, 1, 2, 12, 30, 15, 123456, tzinfo=UTC)
Open = Callable[[str], Database]


@pytest.fixture
def open_database() -> Iterator[Open]:
    opened: list[Database] = []

    def make(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Open) -> Database:
    database = open_database("sqlite://")
    upgrade(database)
    return database


@pytest.fixture
def file(open_database: Open, tmp_path: Path) -> Database:
    database = open_database(f"sqlite:///{tmp_path}/wabot.db")
    upgrade(database)
    return database


def add_contact(database: Database, phone: str, *, commit: bool = True) -> None:
    with database.transaction() as session:
        session.add(ContactRow(phone=phone, created_at=NOW))
        session.flush()
        if commit:
            session.commit()


def phones(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.execute(text("select phone from contact order by id")).scalars())


@pytest.mark.parametrize("kind", ["database", "file"])
def test_what_is_not_committed_is_rolled_back(kind: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(kind)
    add_contact(database, "+1")
    add_contact(database, "+2", commit=False)
    with pytest.raises(IntegrityError):
        add_contact(database, "+1")
    assert phones(database) == ["+1"]


@pytest.mark.parametrize("kind", ["database", "file"])
def test_a_change_of_the_schema_rolls_back_too(kind: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(kind)

    def half() -> None:
        with database.connection() as connection:
            connection.execute(text("create table half (id integer)"))
            connection.execute(text("create table half (id integer)"))

    with pytest.raises(OperationalError):
        half()
    assert "half" not in inspect(database.engine).get_table_names()


def test_a_file_is_durable_and_checks_its_keys(file: Database) -> None:
    with file.reading() as session:
        pragma = {
            name: session.execute(text(f"pragma {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15000}
    with file.transaction() as session:
        session.add(ConversationRow(channel="x", sender="y", contact_id=99, created_at=NOW))
        with pytest.raises(IntegrityError):
            session.flush()


def test_a_transaction_locks_from_its_first_statement(file: Database) -> None:
    """Two that read and then write would else both read the same, and one fail."""
    order: list[str] = []
    begun, second_waits = threading.Event(), threading.Event()

    def second() -> None:
        begun.wait(10)
        second_waits.set()
        with file.transaction() as session:
            session.execute(text("select 1"))
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with file.transaction() as session:
        session.execute(text("select 1"))
        begun.set()
        second_waits.wait(10)
        with file.reading() as other:
            assert other.execute(text("select count(*) from contact")).scalar() == 0
        order.append("first")
        session.commit()
    thread.join(10)
    assert order == ["first", "second"]


def test_a_database_that_stays_locked_is_named(file: Database) -> None:
    impatient = Database(str(file.url), Pool(busy=timedelta()))
    try:
        with file.transaction() as session:
            session.execute(text("select 1"))
            with pytest.raises(RecordError, match="can't be used now: database is locked"):
                add_contact(impatient, "+1")
        add_contact(impatient, "+1")
    finally:
        impatient.close()
    assert phones(file) == ["+1"]


def test_threads_take_turns_on_a_database_in_memory(database: Database) -> None:
    def add(number: int) -> None:
        for count in range(10):
            add_contact(database, f"+{number}{count}")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(phones(database)) == 40


def test_a_second_transaction_inside_the_first_is_refused_in_memory(database: Database) -> None:
    """They would share the one connection: what one rolls back the other would lose."""
    with database.transaction() as session:
        session.add(ContactRow(phone="+1", created_at=NOW))
        session.flush()
        with pytest.raises(RecordError, match="open in this thread already"), database.reading():
            pass
        session.commit()
    assert phones(database) == ["+1"]


class Apart(DeclarativeBase):
    """Away from `Base`, whose tables other tests compare with the migrations."""

    type_annotation_map = Base.type_annotation_map


class Sample(Apart):
    __tablename__ = "test_sample"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime | None]
    price: Mapped[Decimal | None]
    data: Mapped[Any] = mapped_column(JsonText, nullable=True)


@pytest.fixture
def samples(database: Database) -> Database:
    with database.connection() as connection:
        Apart.metadata.create_all(connection)
    return database


def kept(database: Database, **values: Any) -> Sample:
    with database.transaction() as session:
        session.add(Sample(**values))
        session.commit()
    with database.reading() as session:
        return session.get_one(Sample, 1)


def test_times_come_back_aware_and_in_utc(samples: Database) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    row = kept(samples, at=NOW.astimezone(india))
    assert row.at == NOW
    assert row.at.tzinfo is UTC
    with samples.reading() as session:
        query = session.query(Sample.id).where(
            Sample.at == NOW.astimezone(india), Sample.at < NOW + timedelta(1)
        )
        assert query.all() == [(1,)]


def test_a_time_without_a_zone_is_refused(samples: Database) -> None:
    with pytest.raises(StatementError, match="has no time zone"):
        kept(samples, at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_decimals_keep_every_digit(samples: Database) -> None:
    row = kept(samples, price=Decimal("12345678901234567890.123456789"))
    assert row.price == Decimal("12345678901234567890.123456789")
    with samples.reading() as session:
        assert session.execute(text("select typeof(price) from test_sample")).scalar() == "text"


@pytest.mark.parametrize("value", [1.5, "1.5", Decimal("NaN"), Decimal("Infinity")])
def test_only_finite_decimals_are_kept(samples: Database, value: Any) -> None:
    with pytest.raises(StatementError, match="not a finite Decimal"):
        kept(samples, price=value)


def test_data_comes_back_typed(samples: Database) -> None:
    data = {"total": Money.of("118", "INR"), "when": date(2026, 1, 2), "names": ["नमस्ते", None, True]}
    assert kept(samples, data=data).data == data


def test_nothing_stays_nothing(samples: Database) -> None:
    row = kept(samples)
    assert (row.at, row.price, row.data) == (None, None, None)


def test_postgresql_gets_its_own_types() -> None:
    postgres = PGDialect()  # type: ignore[no-untyped-call]
    assert str(ExactDecimal().load_dialect_impl(postgres)) == "NUMERIC"
    assert UtcDateTime().process_bind_param(NOW, postgres) == NOW
    assert UtcDateTime().process_result_value(NOW.astimezone(timezone(timedelta(hours=1))), postgres) == NOW
    assert ExactDecimal().process_bind_param(Decimal("1.50"), postgres) == Decimal("1.50")


@pytest.mark.usefixtures("real_migrations")
def test_the_migrations_make_exactly_the_declared_tables(database: Database) -> None:
    assert [change for change in differences(database) if named(change) in OURS] == []
    assert set(inspect(database.engine).get_table_names()) >= OURS


OURS = {
    model.__tablename__ for model in (ContactRow, ConversationRow, InboundRow, OutboxRow, TimerRow, EffectRow)
}


def named(change: Any) -> str:
    """The table that one of Alembic's operations is about."""
    subject = (change[0] if isinstance(change, list) else change)[1]
    table = getattr(subject, "table", subject)
    return str(getattr(table, "name", table))


@pytest.mark.usefixtures("real_migrations")
def test_a_forgotten_migration_shows(database: Database) -> None:
    with database.connection() as connection:
        connection.execute(text("drop index ix_inbound_open"))
    found = [(change[0], named(change)) for change in differences(database) if named(change) in OURS]
    assert found == [("add_index", "inbound")]


LOYALTY = """
import sqlalchemy as sa
from alembic import op

revision = "loyalty_0001"
down_revision = None
branch_labels = ("loyalty",)
depends_on = None


def upgrade():
    op.create_table("loyalty_card", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("contact_id", sa.Integer, sa.ForeignKey("contact.id")))
    {more}


def downgrade():
    op.drop_table("loyalty_card")
"""


@pytest.fixture
def loyalty(tmp_path: Path) -> Module:
    folder = tmp_path / "100%" / "migrations"
    folder.mkdir(parents=True)
    (folder / "loyalty_0001.py").write_text(LOYALTY.replace("{more}", ""))
    return Module("loyalty", migrations=folder)


@pytest.mark.usefixtures("real_migrations")
def test_a_module_brings_its_tables_and_may_go_again(file: Database, loyalty: Module) -> None:
    assert pending(file) == []
    assert pending(file, [loyalty]) == ["loyalty"]
    assert upgrade(file, [loyalty]) == ["loyalty"]
    assert upgrade(file, [loyalty]) == []
    assert upgrade(file) == []
    tables = inspect(file.engine).get_table_names()
    assert {"loyalty_card", f"{VERSION_TABLE}_loyalty", VERSION_TABLE} <= set(tables)


@pytest.mark.usefixtures("real_migrations")
def test_an_upgrade_that_fails_changes_nothing(open_database: Open, loyalty: Module) -> None:
    assert loyalty.migrations is not None
    script = loyalty.migrations / "loyalty_0001.py"
    script.write_text(LOYALTY.replace("{more}", 'raise RuntimeError("no")'))
    database = open_database("sqlite://")
    with pytest.raises(RuntimeError, match="no"):
        upgrade(database, [loyalty])
    assert inspect(database.engine).get_table_names() == []


@pytest.mark.usefixtures("real_migrations")
def test_a_database_from_the_future_is_refused(database: Database) -> None:
    with database.connection() as connection:
        connection.execute(text(f"update {VERSION_TABLE} set version_num = 'wabot_9999'"))
    with pytest.raises(RecordError, match=r"tables of wabot can't be upgraded.*newer version"):
        upgrade(database)


def test_processes_that_open_a_new_file_at_once_both_find_it_ready(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from wabot.core.database import Database
        from wabot.core.migrate import upgrade
        database = Database(sys.argv[1])
        sys.stdin.readline()
        upgrade(database)
        database.close()
        """
    )
    command = [sys.executable, "-c", script, f"sqlite:///{tmp_path}/new.db"]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ends = [process.communicate("go\n", timeout=60) for process in processes]
    assert [(process.returncode, end[1]) for process, end in zip(processes, ends, strict=True)] == [
        (0, "")
    ] * 3


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "database URL can't be read.*sqlite:///wabot.db"),
        ("sqlite:////no/such/folder/wabot.db", "folder /no/such/folder for the database isn't there"),
        ("martian://host/db", 'begins with "martian", and wabot keeps its record in SQLite or PostgreSQL'),
        ("mysql://u:p@host/db", r"SQLite or PostgreSQL alone \(write it like sqlite:///.* or postgresql://"),
        ("postgresql+asyncpg://host/db", "PostgreSQL alone"),
        ("sqlite+aiosqlite:///wabot.db", "PostgreSQL alone"),
        ("postgresql://host:port/db", "can't be read"),
        ("postgresql://[::1/db", "can't be read"),
        ("postgresql://host/db?port=x", "can't be used: Received non-integer port"),
        ("sqlite://wabot.db", "lacks its third slash"),
        ("sqlite:///wabot.db?timeout=soon", "more than SQLite's file"),
        ("sqlite:///wabot\0.db", "a character in it that no name has"),
        ("sqlite:///wabot%00.db", "a character in it that no name has"),
        ("postgresql://host/db?options=%00", "a character in it that no name has"),
        ("", "can't be read"),
    ],
)
def test_a_database_that_can_not_be_is_named(url: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        Database(url)


@pytest.mark.parametrize("option", ["foo=bar", "connect_timeout=soon"])
def test_what_the_driver_does_not_know_is_the_urls_fault(open_database: Open, option: str) -> None:
    database = open_database(f"postgresql://127.0.0.1:1/db?{option}")
    with (
        pytest.raises(RecordError, match=r"database URL can't be used: .*postgresql://user"),
        database.reading() as session,
    ):
        session.execute(text("select 1"))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_names_of_postgresql_mean_psycopg(open_database: Open, scheme: str) -> None:
    database = open_database(f"{scheme}://user:secret@localhost/shop")
    assert database.url.drivername == "postgresql+psycopg"
    assert not database.in_memory


@pytest.mark.usefixtures("real_migrations")
def test_the_first_version_is_upgraded_with_what_is_in_it(open_database: Open, empty_url: str) -> None:
    """Every row that the first version could hold is there afterwards, and can be read."""
    database = open_database(empty_url)
    with database.connection() as connection:
        first_version(connection)
        for statement in FIRST_VERSION.format(now="2026-01-02 12:30:15.123456").strip().splitlines():
            connection.execute(text(statement))
    assert pending(database) == ["wabot"]
    assert upgrade(database) == ["wabot"]
    assert [change for change in differences(database) if named(change) in OURS] == []
    with database.reading() as session:
        contact, conversation = session.get_one(ContactRow, 1), session.get_one(ConversationRow, 1)
        assert (contact.phone, contact.opted_out_at) == ("+91", None)
        assert (conversation.version, conversation.state) == (1, "{}")
        message = session.get_one(OutboxRow, 1)
        assert (message.status, message.receipt, message.delivered_at) == ("sent", "", None)
        assert message.message == {"text": "hi"}
        assert session.get_one(InboundRow, 1).received_at == NOW
        assert session.get_one(TimerRow, 1).name == "tea"
        assert session.get_one(EffectRow, 1).result is None


def first_version(connection: Connection) -> None:
    config = _config(connection, SCRIPTS / "versions", VERSION_TABLE)
    command.upgrade(config, "wabot_0001")


FIRST_VERSION = """
insert into contact values (1, '+91', 'Asha', 'hi', '{now}')
insert into conversation values (1, 'fake', '+92', 1, 'menu', '{{}}', 1, 3, 1, '{now}', '{now}')
insert into inbound values (1, 'fake', 'e', 1, 'message', '{{}}', 'c', 'done', 0, '', '{now}', null, '{now}')
insert into timer values (1, 1, 'tea#1', 'tea', '{now}')
insert into effect values (1, 1, 1, 'k', 'n', 'http', '{{}}', 'pending', 0, null, '{now}', '{now}', null)
insert into outbox values (1, 1, 1, 1, 'r', 'transactional', '{{"text": "hi"}}', 'sent', 1, false, 'p', '', '', '{now}', null, '{now}')
"""  # noqa: E501
