from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.terminal import wabot
from wabot.bootstrap import build, load_settings
from wabot.core.messages import Inbound
from wabot.core.ports import SystemClock
from wabot.core.tables import InboundRow
from wabot.errors import Undeliverable
from wabot.testing.fakes import FakeChannel, ManualClock


def hear(project: Path, *texts: str, drained: bool = False) -> None:
    """Messages of one contact, an hour ago."""
    clock = ManualClock(SystemClock().now() - timedelta(hours=1, seconds=1))
    with build(load_settings(project), clock=clock, channel=FakeChannel("console")).bind() as app:
        for text in texts:
            app.accept(Inbound(channel="console", event_id=text, sender="+911", recipient="wabot", text=text))
        if drained:
            app.drain()


def test_nothing_waits(project: Path) -> None:
    wabot("db", "upgrade")
    ran = wabot("status")
    assert ran.code == 0
    assert ran.out == (
        "         due  oldest  later  failed\n"
        "inbound  0    -       0      0\n"
        "outbox   0    -       0      0\n"
        "timers   0    -       0      0\n"
        "effects  0    -       0      0\n"
        "\n"
        "No Redis in the settings: the process that accepts does the work.\n"
        "Its circuits are known to that process alone; wabot run --metrics tells them.\n"
    )


def test_what_waits_and_since_when(project: Path) -> None:
    hear(project, "Hi", "Asha", drained=True)
    hear(project, "yes")
    lines = wabot("status").out.splitlines()
    kind, due, since, *rest = lines[1].split()
    assert (kind, due, rest) == ("inbound", "1", ["ago", "0", "0"])
    assert since.startswith("1:00:")
    assert lines[3].split()[:2] == ["timers", "1"], "the question's time is up"
    shown = wabot("status", "--json").json
    assert shown["inbound"]["due"] == 1
    assert 3600 <= shown["inbound"]["age_seconds"] < 3700
    assert shown["outbox"] == {"due": 0, "oldest": None, "later": 0, "failed": 0, "age_seconds": None}
    assert shown["redis"] is None


def test_where_something_failed_it_names_who_tells_more(project: Path) -> None:
    clock = ManualClock(SystemClock().now() - timedelta(hours=1))
    channel = FakeChannel("console")
    channel.fail_next(Undeliverable("the contact is blocked", code="63014"))
    with build(load_settings(project), clock=clock, channel=channel).bind() as app:
        app.accept(Inbound(channel="console", event_id="1", sender="+911", recipient="wabot", text="Hi"))
        app.drain()
        assert "wabot outbox lists the messages that wait or did not go out" in wabot("status").out
        assert "wabot failed" not in wabot("status").out
        with app.database.transaction() as session:
            row = session.get_one(InboundRow, 1)
            row.status, row.due_at = "failed", None
            session.commit()
    assert "wabot failed lists the events that failed, with their errors.\n" in wabot("status").out


def test_a_database_that_is_behind(project: Path) -> None:
    ran = wabot("status")
    assert ran.code == 1
    assert "wabot db upgrade" in ran.err


def test_redis_that_cannot_be_reached(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wabot("db", "upgrade")
    monkeypatch.setenv("WABOT_REDIS", "unix:///nowhere/redis.sock")
    shown = wabot("status").out
    assert "Redis can't be reached" in shown
    assert "Which circuits are open can't be seen without it" in shown
    assert wabot("status", "--json").json["redis"] == {"reachable": False}


def away() -> None:
    raise OSError("away")


@pytest.mark.redis
def test_queues_and_workers(project: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    from redis import Redis

    from wabot.adapters.redis import Link, RedisBreaker
    from wabot.core.circuits import CircuitPolicy

    client = Redis.from_url(redis_url)
    client.flushall()
    client.close()
    monkeypatch.setenv("WABOT_REDIS", redis_url)
    hear(project, "Hi")
    shown = wabot("status").out
    assert "inbound        1        0        0         0" in shown
    assert "No worker is at work." in shown
    assert "The scheduler does not run.\nEvery circuit is closed.\n" in shown
    assert wabot("worker", "--burst").code == 0
    breaker = RedisBreaker(Link(redis_url), CircuitPolicy(threshold=1))
    with pytest.raises(OSError, match="away"):
        breaker.call("console", away)
    assert wabot("status").out.endswith("circuit  state\nconsole  open\n")
    shown = wabot("status", "--json").json
    assert shown["redis"]["circuits"] == {"console": "open"}
    assert shown["inbound"]["due"] == 0
    assert [(queue["name"], queue["waiting"]) for queue in shown["redis"]["queues"]] == [
        ("inbound", 0),
        ("transactional", 0),
        ("bulk", 0),
    ]


@pytest.mark.parametrize("command", ["run", "worker", "scheduler"])
def test_numbers_go_to_an_address(project: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("WABOT_REDIS", "unix:///nowhere/redis.sock")
    ran = wabot(command, "--metrics", "localhost")
    assert ran.code == 2
    assert '"localhost" is no address' in ran.err
    assert "write it like 127.0.0.1:9400, or 9400" in ran.err


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_without_redis_there_is_another_way(project: Path, command: str) -> None:
    ran = wabot(command)
    assert ran.code == 2
    assert "there is no Redis in the settings" in ran.err
    assert "wabot run" in ran.err


def test_a_queue_that_is_not_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WABOT_REDIS", "unix:///nowhere/redis.sock")
    ran = wabot("worker", "--queues", "inbond")
    assert (ran.code, 'did you mean "inbound"' in ran.err) == (2, True)
    assert wabot("worker", "--queues", ",").code == 2
