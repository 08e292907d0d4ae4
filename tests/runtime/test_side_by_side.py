"""Several workers on one database: conversations side by side, one conversation never."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.runtime.worlds import THEIRS, Runtime, make_runtime
from wabot.core.database import Database, Pool, lock
from wabot.core.ports import RandomIds
from wabot.core.tables import ContactRow
from wabot.pipeline import CallNext, Outcome, Turn
from wabot.runtime import queries
from wabot.runtime.timers import fire_due
from wabot.testing.fakes import FakeChannel, ManualClock

OTHER = "+910000000001"
END_OTHERS = """select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""


class Gate:
    """A middleware that stops turns whose message begins with `slow` in the middle, until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, turn: Turn, call_next: CallNext) -> None:
        call_next()
        turn.work.session.flush()
        if turn.message and "slow" in turn.message.text:
            self.reached.set()
            assert self.opened.wait(120)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def server(migrated_postgres: str, gate: Gate) -> Iterator[Runtime]:
    """On SQLite there is one writer at a time, and what follows can't be seen."""
    runtime = make_runtime(database=migrated_postgres, middleware=[gate], ids=RandomIds())
    yield runtime
    runtime.world.database.close()


def taken(runtime: Runtime, turn: Turn) -> Outcome:
    runtime.pipeline.run(turn)
    return turn.outcome


def while_in_hand(runtime: Runtime, gate: Gate, meanwhile: Callable[[], None]) -> Outcome:
    """Call `meanwhile` while a turn of the first conversation is open in another thread."""
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(taken, runtime, Turn(1))
        try:
            assert gate.reached.wait(120)
            meanwhile()
        finally:
            gate.opened.set()
        return slow.result(120)


@pytest.mark.postgres
def test_another_conversation_goes_on_and_this_one_is_passed_over(server: Runtime, gate: Gate) -> None:
    server.hear("say slow")
    server.hear("say next")
    server.hear("say other", phone=OTHER)

    def meanwhile() -> None:
        assert taken(server, Turn(1, wait=False)) is Outcome.IDLE
        assert server.sweep().drain().turns == 1

    assert while_in_hand(server, gate, meanwhile) is Outcome.DONE
    assert taken(server, Turn(1, wait=False)) is Outcome.DONE
    said = [row.message["text"] for row in queries.outbox(server.world.database, 1)]
    assert said == ["slow", "next"]


@pytest.mark.postgres
def test_events_are_taken_in_order_however_many_look_at_once(server: Runtime) -> None:
    """Whoever looks while another ends its turn must not find the conversation free at a later event."""
    written = [f"m{number}" for number in range(300)]
    for line in written:
        server.hear(f"say {line}")
    outcomes: list[Outcome] = []

    def work() -> None:
        while len(outcomes) < len(written):
            if (outcome := taken(server, Turn(1, wait=False))) is not Outcome.IDLE:
                outcomes.append(outcome)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work) for _ in range(4)]:
            each.result(120)
    assert set(outcomes) == {Outcome.DONE}
    assert [row.message["text"] for row in queries.outbox(server.world.database, 1)] == written


@pytest.mark.postgres
def test_a_webhook_waits_for_no_turn(server: Runtime, gate: Gate) -> None:
    server.hear("say slow")

    def meanwhile() -> None:
        assert server.hear("say next") == 1
        assert server.hear("say next", event_id="wamid.2") is None

    assert while_in_hand(server, gate, meanwhile) is Outcome.DONE
    assert server.sweep().drain().turns == 1


@pytest.mark.postgres
def test_a_timer_fires_while_its_conversation_has_a_turn(server: Runtime, gate: Gate) -> None:
    """The turn may be about to cancel it, and would else wait for what waits for the turn."""
    server.hear("timer tea 60")
    server.sweep().drain()
    server.clock.advance(timedelta(minutes=2))
    server.hear("say slow")

    def meanwhile() -> None:
        assert fire_due(server.world.database, server.clock, server.world.ids) == [1]

    assert while_in_hand(server, gate, meanwhile) is Outcome.DONE


@pytest.mark.postgres
def test_a_worker_that_was_rung_waits_for_the_turn_before(server: Runtime, gate: Gate) -> None:
    server.hear("say slow")
    server.hear("say next")
    with ThreadPoolExecutor(1) as pool:

        def meanwhile() -> None:
            waiting.append(pool.submit(taken, server, Turn(1)))

        waiting: list[Future[Outcome]] = []
        assert while_in_hand(server, gate, meanwhile) is Outcome.DONE
        assert waiting[0].result(120) is Outcome.DONE
    assert taken(server, Turn(1)) is Outcome.IDLE


@pytest.mark.postgres
def test_a_server_that_restarts_is_found_again(server: Runtime, gate: Gate) -> None:
    server.hear("say slow; timer t 60")

    def meanwhile() -> None:
        with server.world.database.transaction() as session:
            session.execute(text(END_OTHERS))

    with pytest.raises(OperationalError):
        while_in_hand(server, gate, meanwhile)
    (event,) = queries.events(server.world.database, 1)
    assert (event.status, event.attempts) == ("pending", 0), "it was no fault of the message"
    gate.opened.set()
    assert server.sweep().drain().turns == 1
    assert len(queries.timers(server.world.database, 1)) == 1


@pytest.mark.postgres
def test_a_message_is_accepted_though_the_kept_connections_have_died(server: Runtime) -> None:
    database = server.world.database
    assert server.hear("say one") == 1
    url = database.url.render_as_string(hide_password=False)
    with closing(Database(url)) as other, other.transaction() as session:
        session.execute(text(END_OTHERS))
    assert server.hear("say two") == 1
    assert server.sweep().drain().turns == 2


@pytest.mark.postgres
def test_the_server_ends_what_waits_or_stands_still(migrated_postgres: str) -> None:
    pool = Pool(lock=timedelta(milliseconds=50), idle=timedelta(seconds=7))
    with closing(Database(migrated_postgres, pool)) as database:
        with database.reading() as session:
            shown = [
                session.scalar(text(f"show {name}"))
                for name in ("lock_timeout", "idle_in_transaction_session_timeout")
            ]
            assert shown == ["50ms", "7s"]
        with database.transaction() as session:
            session.add(ContactRow(id=1, phone=THEIRS, created_at=ManualClock().now()))
            session.commit()
            assert lock(session, ContactRow, 1)
            with database.transaction() as other, pytest.raises(OperationalError, match="lock timeout"):
                lock(other, ContactRow, 1)


@pytest.mark.postgres
def test_reading_sees_one_snapshot(server: Runtime) -> None:
    with server.world.database.reading() as session:
        assert session.scalar(text("select count(*) from inbound")) == 0
        server.hear("say x")
        assert session.scalar(text("select count(*) from inbound")) == 0


def test_workers_at_once_keep_each_conversations_order(shared_url: str) -> None:
    channel = FakeChannel()
    runtimes = [make_runtime(database=shared_url, channel=channel, ids=RandomIds()) for _ in range(4)]
    phones = [f"+9100000000{number:02}" for number in range(6)]
    try:
        for number in range(8):
            for phone in phones:
                runtimes[0].hear(f"say {number}; say {number}b; timer t 0", phone=phone)
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda runtime: runtime.sweep().drain(), runtimes))
        done += [runtime.sweep().drain() for runtime in runtimes]
        wanted = [text for number in range(8) for text in (str(number), f"{number}b")]
        for phone in phones:
            said = [d.message.text for d in channel.sent if d.to == phone]
            assert [word for word in said if word != "timer.t"] == wanted
            assert said.count("timer.t") == 8
        assert sum(each.turns for each in done) == 2 * 6 * 8
        assert sum(each.retried + each.failed + each.unknown for each in done) == 0
    finally:
        for runtime in runtimes:
            runtime.world.database.close()


def test_the_same_event_at_once_is_accepted_once(shared_url: str) -> None:
    runtimes = [make_runtime(database=shared_url, ids=RandomIds()) for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            heard = pool.map(lambda number: runtimes[number % 4].hear("say x", event_id="one"), range(20))
            assert sorted(map(str, heard)) == ["1"] + ["None"] * 19
        assert runtimes[0].sweep().drain().turns == 1
    finally:
        for runtime in runtimes:
            runtime.world.database.close()
