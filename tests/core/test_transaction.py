from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Integer, bindparam, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, TimeoutError

from tests import servers
from wabot.core.database import Database, Pool
from wabot.core.migrate import upgrade
from wabot.core.statements import Prepared
from wabot.core.tables import ContactRow
from wabot.errors import RecordError

NOW = datetime(2026, 1, 2, 12, 30, 15, 123456, tzinfo=UTC)
NAMES = ("phone", "name", "locale", "created_at", "opted_out_at")
INSERT = Prepared(
    lambda _: insert(ContactRow).values({name: bindparam(name) for name in NAMES}).returning(ContactRow.id)
)
FIND = Prepared(
    lambda _: select(ContactRow.id, ContactRow.name, ContactRow.created_at, ContactRow.opted_out_at).where(
        ContactRow.phone == bindparam("phone")
    )
)
RENAME = Prepared(
    lambda _: update(ContactRow).where(ContactRow.phone == bindparam("who")).values(name=bindparam("name"))
)
ASHA = {"phone": "+919800000001", "name": "Asha", "locale": "", "created_at": NOW, "opted_out_at": None}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    upgrade(database, [])
    yield database
    database.close()


def found(database: Database) -> tuple[Any, ...] | None:
    return database.alone(FIND, ASHA)


def insert_and_rename(database: Database, contact: dict[str, Any]) -> None:
    with database.turn() as transaction:
        transaction.one(FIND, contact)
        transaction.run(INSERT, contact)
        transaction.run(RENAME, {"who": contact["phone"], "name": "no one"})
        transaction.commit()


def assert_gone_and_left(error: OperationalError, database: Database) -> None:
    """The connection is told as lost, the next one works, and nothing of the transaction stayed."""
    assert error.connection_invalidated
    row = found(database)
    database.close()
    assert row is not None
    assert row[1] == "Asha"


def test_a_statement_alone_commits_and_gives_its_row_with_the_types_of_its_columns(
    database: Database,
) -> None:
    made = database.alone(INSERT, ASHA)
    assert made is not None
    assert found(database) == (made[0], "Asha", NOW, None)
    assert database.alone(FIND, {"phone": "+91"}) is None


@pytest.mark.parametrize("name", ["O'Brien; drop table contact", "अ🙂", "%s $1 :name ?", ""])
def test_values_are_never_read_as_sql(database: Database, name: str) -> None:
    database.alone(INSERT, {**ASHA, "name": name})
    row = found(database)
    assert row is not None
    assert row[1] == name


def test_what_a_database_keeps_in_no_text_is_replaced_and_ends_none(database: Database) -> None:
    database.alone(INSERT, {**ASHA, "name": "As\0ha \ud83d!"})
    row = found(database)
    assert row is not None
    assert row[1] == "As\ufffdha \ufffd!"


def test_what_is_not_committed_never_was(database: Database) -> None:
    with database.turn() as transaction:
        transaction.run(INSERT, ASHA)
        assert transaction.one(FIND, ASHA) is not None
    assert found(database) is None


def test_the_session_is_in_the_same_transaction(database: Database) -> None:
    with database.turn() as transaction:
        transaction.run(INSERT, ASHA)
        row = transaction.session.scalars(select(ContactRow)).one()
        row.name = "Asha Rao"
        transaction.commit()
    with database.turn() as transaction:
        transaction.session.scalars(select(ContactRow)).one().name = "nobody"
        transaction.session.flush()
        transaction.run(RENAME, {"who": ASHA["phone"], "name": "no one"})
    row_found = found(database)
    assert row_found is not None
    assert row_found[1] == "Asha Rao"


def test_a_session_cannot_commit_a_turn(database: Database) -> None:
    with database.turn() as transaction:
        transaction.run(INSERT, ASHA)
        transaction.session.execute(text("select 1"))
        transaction.session.commit()
    assert found(database) is None


def test_nothing_runs_on_alone_once_the_session_was_rolled_back(database: Database) -> None:
    with database.turn() as transaction:
        transaction.session.execute(text("select 1"))
        transaction.session.rollback()
        with pytest.raises(RecordError, match="was rolled back"):
            transaction.run(INSERT, ASHA)
        with pytest.raises(RecordError, match="was rolled back"):
            transaction.one(FIND, ASHA)
    assert found(database) is None


def test_a_flush_that_failed_unnoticed_ends_the_turn(database: Database) -> None:
    with database.turn() as transaction:
        transaction.run(INSERT, ASHA)
        transaction.session.add(ContactRow(phone=ASHA["phone"], created_at=NOW))
        with pytest.raises(IntegrityError):
            transaction.session.flush()
        with pytest.raises(RecordError, match="was rolled back"):
            transaction.run(INSERT, {**ASHA, "phone": "+919800000002"})
    assert database.alone(FIND, {"phone": "+919800000002"}) is None


def test_a_turn_that_was_rolled_back_cannot_be_committed(database: Database) -> None:
    with database.turn() as transaction:
        transaction.run(INSERT, ASHA)
        transaction.session.execute(text("select 1"))
        transaction.session.rollback()
        with pytest.raises(RecordError, match="was rolled back"):
            transaction.commit()


def test_prepared_statements_outlive_a_savepoint_and_a_rollback(database: Database) -> None:
    database.alone(INSERT, ASHA)
    for number in range(8):
        with database.turn() as transaction:
            savepoint = transaction.session.begin_nested()
            transaction.session.execute(text("update contact set locale = 'en'"))
            savepoint.rollback()
            transaction.run(RENAME, {"who": ASHA["phone"], "name": str(number)})
            if number != 6:
                transaction.commit()
        with database.transaction() as session:
            session.execute(select(ContactRow)).all()
            session.rollback()
    row = found(database)
    assert row is not None
    assert row[1] == "7"


def test_errors_are_those_of_sqlalchemy_and_quote_no_values(database: Database) -> None:
    database.alone(INSERT, ASHA)
    with pytest.raises(IntegrityError) as caught:
        database.alone(INSERT, {**ASHA, "name": "Secret"})
    assert "Secret" not in str(caught.value)
    with pytest.raises(IntegrityError) as caught:
        insert_and_rename(database, {**ASHA, "name": "Secret"})
    assert "INSERT INTO contact" in str(caught.value)
    assert "Secret" not in str(caught.value)
    row = found(database)
    assert row is not None
    assert row[1] == "Asha"


def test_a_transaction_that_failed_leaves_its_connection_to_the_next(database: Database) -> None:
    database.alone(INSERT, ASHA)
    for number in range(3):
        with pytest.raises(IntegrityError):
            insert_and_rename(database, ASHA)
        with database.turn() as transaction:
            transaction.run(RENAME, {"who": ASHA["phone"], "name": str(number)})
            assert transaction.one(FIND, ASHA) is not None
            transaction.run(RENAME, {"who": ASHA["phone"], "name": f"{number} times"})
            transaction.commit()
    row = found(database)
    assert row is not None
    assert row[1] == "2 times"


@pytest.mark.parametrize("values", [ASHA, {}], ids=["refused", "incomplete"])
def test_nothing_runs_on_alone_once_a_statement_failed(database: Database, values: dict[str, Any]) -> None:
    database.alone(INSERT, ASHA)
    other = {**ASHA, "phone": "+919800000002"}
    with database.turn() as transaction:
        with pytest.raises((IntegrityError, KeyError)):
            transaction.one(INSERT, values)
        with pytest.raises(RecordError, match="a statement failed"):
            transaction.run(INSERT, other)
        with pytest.raises(RecordError, match="a statement failed"):
            transaction.one(INSERT, other)
        with pytest.raises(RecordError, match="a statement failed"):
            _ = transaction.session
        with pytest.raises(RecordError, match="a statement failed"):
            transaction.commit()
    assert database.alone(FIND, other) is None


@pytest.mark.postgres
def test_a_connection_that_the_server_ends_is_told_and_left(postgres_database: str) -> None:
    database = Database(postgres_database)
    upgrade(database, [])
    database.alone(INSERT, ASHA)
    with database.turn() as transaction:
        pid = transaction.session.scalar(text("select pg_backend_pid()"))
        with database.transaction() as other:
            other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(OperationalError) as caught:
            transaction.run(RENAME, {"who": ASHA["phone"], "name": "gone"})
    assert_gone_and_left(caught.value, database)


@pytest.mark.postgres
def test_nothing_runs_on_once_the_session_lost_the_connection(postgres_database: str) -> None:
    with closing(Database(postgres_database)) as database, database.turn() as transaction:
        pid = transaction.session.scalar(text("select pg_backend_pid()"))
        with database.transaction() as other:
            other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(OperationalError):
            transaction.session.execute(text("select 1"))
        with pytest.raises(RecordError, match="a statement failed"):
            transaction.run(RENAME, {"who": ASHA["phone"], "name": "gone"})


@pytest.mark.postgres
@pytest.mark.parametrize(
    "overtaken",
    ["alter table contact alter column name type text", "deallocate all"],
    ids=["migrated", "gone"],
)
def test_statements_that_are_outdated_are_prepared_anew(postgres_database: str, overtaken: str) -> None:
    database = Database(postgres_database)
    upgrade(database, [])
    database.alone(INSERT, ASHA)
    assert found(database) is not None
    with database.transaction() as session:
        session.execute(text(overtaken))
        session.commit()
    row = database.again(lambda: found(database))
    database.close()
    assert row is not None
    assert row[1] == "Asha"


@pytest.mark.postgres
def test_statements_of_which_nobody_has_noted_that_they_are_prepared_are_prepared_anew(
    postgres_database: str,
) -> None:
    with closing(Database(postgres_database)) as database:
        upgrade(database, [])
        database.alone(INSERT, ASHA)
        assert found(database) is not None
        with closing(database.engine.raw_connection()) as pooled:
            pooled.info.clear()
        row = database.again(lambda: found(database))
    assert row is not None


@pytest.mark.postgres
def test_a_connection_that_the_server_ends_between_two_answers_is_told_and_left(
    postgres_database: str,
) -> None:
    database = Database(postgres_database)
    upgrade(database, [])
    database.alone(INSERT, ASHA)
    pid = Prepared(lambda _: select(func.pg_backend_pid()))
    with database.turn() as transaction:
        row = transaction.one(pid, {})
        assert row is not None
        with database.transaction() as other:
            other.execute(text("select pg_terminate_backend(:pid)"), {"pid": row[0]})
        transaction.run(RENAME, {"who": ASHA["phone"], "name": "gone"})
        with pytest.raises(OperationalError) as caught:
            transaction.commit()
    assert_gone_and_left(caught.value, database)


@pytest.mark.postgres
def test_a_connection_that_is_gone_makes_room_for_one(postgres_database: str) -> None:
    pool = Pool(size=2, overflow=0, timeout=timedelta(seconds=0.01))
    pid = Prepared(lambda _: select(func.pg_backend_pid()))
    with closing(Database(postgres_database, pool)) as database, database.turn() as in_use:
        in_use.one(pid, {})
        with database.turn() as transaction:
            with closing(Database(postgres_database)) as other:
                other.alone(
                    Prepared(lambda _: select(func.pg_terminate_backend(bindparam("pid", type_=Integer)))),
                    {"pid": (transaction.one(pid, {}) or (0,))[0]},
                )
            with pytest.raises(OperationalError):
                transaction.one(pid, {})
        with database.turn() as transaction:
            transaction.one(pid, {})
            with pytest.raises(TimeoutError):
                database.alone(pid, {})


@pytest.mark.postgres
def test_connections_that_a_crash_has_cut_are_told_and_left() -> None:
    with servers.restartable_postgres() as (url, restart), closing(Database(url)) as database:
        upgrade(database, [])
        database.alone(INSERT, ASHA)
        assert found(database) is not None
        restart()
        row = database.again(lambda: found(database))
    assert row is not None
    assert row[1] == "Asha"


@pytest.mark.postgres
def test_other_threads_go_on_while_one_waits_for_the_server(postgres_database: str) -> None:
    database = Database(postgres_database)
    upgrade(database, [])
    database.alone(INSERT, ASHA)
    with ThreadPoolExecutor(1) as pool, database.turn() as first:
        first.run(RENAME, {"who": ASHA["phone"], "name": "first"})
        first.one(FIND, ASHA)

        def wait_for_the_row() -> None:
            with database.turn() as second:
                second.run(RENAME, {"who": ASHA["phone"], "name": "second"})
                second.commit()

        waiting = pool.submit(wait_for_the_row)
        waits = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
        with database.transaction() as other:
            while not other.scalar(waits):
                other.rollback()
        first.commit()
        waiting.result(30)
    row = found(database)
    database.close()
    assert row is not None
    assert row[1] == "second"
