"""Several processes at the same work, at the same time."""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests import servers
from tests.faults.bots import PHONE, Bot, written
from tests.faults.crowd import Count, Crowd
from tests.faults.harness import PATIENCE, Bots, Live, wait_until
from wabot.core.database import Database
from wabot.core.migrate import upgrade
from wabot.core.ports import SystemClock
from wabot.errors import RecordError
from wabot.runtime import next_due
from wabot.testing import FakeProvider
from wabot.testing.provider_channel import OK, post

OTHER = "+919876500000"
SHORT: dict[str, Any] = {"lease": timedelta(milliseconds=300), "grace": timedelta(milliseconds=100)}


def deliver(live: Live, line: str, phone: str = PHONE) -> bool:
    """Whether the bot took it as a new message."""
    body = written(line, phone).model_dump(mode="json", exclude_defaults=True)
    status, answer = post(f"http://127.0.0.1:{live.port}/", body, timeout=20.0)
    assert status == OK
    return bool(answer["new"])


def test_the_same_message_twenty_times_at_once_is_one(bots: Bots) -> None:
    doors = [bots.start(), bots.start()]
    news: list[bool] = []
    at_once = threading.Barrier(20)

    def knock(live: Live) -> None:
        at_once.wait()
        news.append(deliver(live, "hi"))

    threads = [threading.Thread(target=knock, args=(doors[number % 2],)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(news) == [False] * 19 + [True]
    settled(bots)
    assert bots.said == ["Welcome"]


def settled(bots: Bots) -> None:
    """Wait until nothing is left to do for bots that live by the real clock, but what is days ahead."""
    with closing(Database(bots.bot.database)) as record:

        def nothing_soon() -> bool:
            due = next_due(record)
            return due is None or due - SystemClock().now() > timedelta(days=1)

        wait_until(nothing_soon)


def test_several_at_the_same_backlog_do_each_thing_once(bots: Bots) -> None:
    phones = [f"+91980000000{number}" for number in range(6)]
    with bots.record() as app:
        for line in ("hi", "a", "b"):
            for phone in phones:
                app.accept(written(line, phone))
    processes = [bots.begin() for _ in range(3)]
    bots.run()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    for phone in phones:
        assert bots.provider.texts(phone) == ["Welcome", "Tally |", "Message 1", "Tally ||", "Message 2"]


def test_several_fire_a_timer_once(bots: Bots) -> None:
    bots.run("hi", "a")
    days = 24 * 4 + 1
    processes = [bots.begin(hours=days) for _ in range(3)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert bots.said == ["Welcome", "Tally |", "Message 1", "Remember"]


def test_one_that_is_stopped_after_it_sent_finds_its_message_settled(bots: Bots) -> None:
    stopped = bots.start(stop_at="send.before_mark", **SHORT)
    deliver(stopped, "hi")
    stopped.wait_until_stopped()
    other = bots.start(**SHORT)
    settled(bots)
    deliver(other, "a")
    settled(bots)
    stopped.send(signal.SIGCONT)
    assert stopped.end() == 0
    assert bots.said == ["Welcome", "Tally |", "Message 1"]
    assert statuses(bots) == {"sent"}


def test_one_that_is_stopped_before_it_sends_leaves_it_to_others(bots: Bots) -> None:
    stopped = bots.start(stop_at="send.after_claim", **SHORT)
    deliver(stopped, "hi")
    stopped.wait_until_stopped()
    other = bots.start(**SHORT)
    assert bots.provider.wait_for(1, PATIENCE)
    deliver(other, "a")
    settled(bots)
    stopped.send(signal.SIGCONT)
    assert stopped.end() == 0
    assert bots.said == ["Welcome", "Tally |", "Message 1"]
    assert statuses(bots) == {"sent"}


def statuses(bots: Bots) -> set[str]:
    with bots.record() as app:
        conversation = app.conversation(PHONE)
        assert conversation
        return {row.status for row in app.outbox(conversation.id)}


@pytest.mark.postgres
def test_a_turn_that_hangs_keeps_its_own_conversation_waiting_and_no_other(
    migrated_postgres: str, provider: FakeProvider
) -> None:
    with closing(Bots(provider, Bot(migrated_postgres, provider.url))) as bots:
        stopped = bots.start(stop_at="turn.before_commit")
        deliver(stopped, "hi")
        stopped.wait_until_stopped()
        other = bots.start()
        deliver(other, "hi", OTHER)
        wait_until(lambda: provider.texts(OTHER) == ["Welcome"])
        assert bots.said == []
        stopped.send(signal.SIGCONT)
        wait_until(lambda: bots.said == ["Welcome"])


def test_a_busy_sqlite_is_waited_for(tmp_path: Path, provider: FakeProvider) -> None:
    with closing(Bots(provider, Bot(f"sqlite:///{tmp_path}/busy.db", provider.url))) as bots:
        live = bots.start()
        with closing(Database(bots.bot.database)) as record, record.transaction() as session:
            session.execute(text("select 1"))
            waiting = threading.Thread(target=deliver, args=(live, "hi"))
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive()
            session.commit()
        waiting.join()
        wait_until(lambda: bots.said == ["Welcome"])


def test_a_sqlite_that_stays_busy_takes_nothing_and_loses_nothing(
    tmp_path: Path, provider: FakeProvider
) -> None:
    bots = Bots(provider, Bot(f"sqlite:///{tmp_path}/busy.db", provider.url, busy=timedelta()))
    with bots.record() as app:
        app.accept(written("hi"))
        with closing(Database(bots.bot.database)) as record, record.transaction() as session:
            session.execute(text("select 1"))
            for act in (lambda: app.accept(written("a")), app.drain):
                with pytest.raises(RecordError, match="locked"):
                    act()
        assert app.accept(written("a"))
        app.drain()
    assert bots.said == ["Welcome", "Tally |", "Message 1"]


@contextmanager
def own_postgres() -> Iterator[tuple[str, Any]]:
    """A server of this test's own, that it may restart."""
    with servers.restartable_postgres() as (url, restart):
        with closing(Database(url)) as record:
            upgrade(record)
        yield url, restart


@pytest.mark.postgres
def test_a_postgres_that_restarts_under_load_loses_nothing(postgres_url: str, provider: FakeProvider) -> None:
    with own_postgres() as (url, restart):
        bot = Bot(url, provider.url, flow="echo", grace=timedelta(seconds=0.5))
        with closing(Bots(provider, bot)) as bots, closing(Database(url)) as record:
            bots.start()
            bots.start()
            crowd = Crowd(10, 100, lambda: [live.port for live in bots.live])
            crowd.start()
            for answered in (20, 60):
                assert provider.wait_for(answered, PATIENCE)
                restart()
            wait_until(lambda: not crowd.busy)
            record.engine.dispose()
            wait_until(lambda: next_due(record) is None)
            assert crowd.count(provider) == Count()
