"""Real processes: one accepts, others work; and any of them, or Redis, may be gone at any moment."""

import os
import random
import re
import signal
import socket
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue

from tests import servers
from tests.queue import slow
from tests.queue.conftest import Deploy
from tests.queue.deployment import QUICK_TO_MEND, redis_in, until
from wabot.core.faults import CRASH_AT

pytestmark = pytest.mark.redis

LOOK = """
flow: shop
states:
  looking:
    initial: true
    invoke: {id: look, http: {url: "http://127.0.0.1:9/"}}
    transitions:
      - {event: done.invoke.look, target: told}
      - {event: error.invoke.look, target: told}
  told:
    enter: {say: It is hidden}
    final: true
"""


def test_one_process_accepts_and_another_answers(deploy: Deploy, redis: Redis, redis_url: str) -> None:
    shop = deploy(redis_url, WABOT_RUNTIME__SWEEP="30s", WABOT_RUNTIME__PATIENCE="30s")
    worker = shop.start("worker")
    for phone in ("+911", "+912", "+913"):
        shop.hear("Hi", phone)
    until(lambda: shop.settled(3))
    assert worker.stop() == 0
    assert worker.said.count("Welcome") == 3
    assert worker.said.endswith("Stopped.\n")
    assert "Traceback" not in worker.said, worker.said


def test_what_a_flow_invokes_is_done_and_answered(deploy: Deploy, redis: Redis, redis_url: str) -> None:
    shop = deploy(redis_url, WABOT_RUNTIME__SWEEP="60s", WABOT_RUNTIME__PATIENCE="60s")
    (shop.folder / "flows" / "shop.yaml").write_text(LOOK, encoding="utf-8")
    worker = shop.start("worker")
    shop.hear("Hi")
    until(lambda: "It is hidden" in worker.said)
    assert worker.stop() == 0


def test_what_redis_loses_costs_seconds(deploy: Deploy, redis: Redis, redis_url: str) -> None:
    shop = deploy(redis_url)
    conversation = shop.hear("Hi")
    (job,) = Queue("inbound", connection=redis).jobs
    assert job.args == (conversation,)
    job.delete()
    shop.hear("Hi", "+912")
    assert redis.rpop("rq:queue:inbound"), "as a worker does that is killed right after"
    worker = shop.start("worker")
    until(lambda: shop.settled(2))
    shop.hear("Hi", "+913")
    redis.flushall()
    until(lambda: shop.settled(3))
    shop.hear("Hi", "+914")
    until(lambda: shop.settled(4))
    until(lambda: bool(redis.smembers("rq:workers")))
    assert worker.stop() == 0


def test_redis_may_stop_and_come_back(deploy: Deploy) -> None:
    with servers.folder() as home:
        with redis_in(home) as url:
            shop = deploy(url)
            worker = shop.start("worker")
            shop.hear("Hi")
            until(lambda: shop.settled(1))
        shop.hear("Asha")
        until(lambda: shop.settled(2))
        with redis_in(home), closing(Redis.from_url(url)) as client:
            until(lambda: bool(client.smembers("rq:workers")))
            shop.hear("Hi", "+912")
            until(lambda: shop.settled(3))
        assert worker.stop() == 0
    assert "Traceback" not in worker.said, worker.said


@pytest.mark.parametrize("crash_at", ["turn.before_commit", "send.after_claim", "send.before_mark"])
def test_a_killed_worker_is_made_good_by_another(
    deploy: Deploy, redis: Redis, redis_url: str, crash_at: str
) -> None:
    shop = deploy(redis_url, **QUICK_TO_MEND)
    doomed = shop.start("worker", **{CRASH_AT: crash_at})
    shop.hear("Hi")
    assert doomed.wait() == -signal.SIGKILL
    shop.start("worker")
    until(lambda: shop.settled(1))


@pytest.mark.parametrize("kind", ["worker", "run"])
def test_the_turn_in_hand_is_finished_before_it_stops(
    tmp_path: Path, redis: Redis, redis_url: str, kind: str
) -> None:
    with (
        closing(slow.start(tmp_path, redis_url, kind)) as process,
        slow.make(tmp_path, redis_url).bind() as app,
    ):
        app.accept(slow.HELLO)
        app.accept(slow.ANOTHER)
        until((tmp_path / slow.BEGUN).exists)
        process.tell(signal.SIGTERM)
        (tmp_path / slow.GO).touch()
        assert process.wait() == 0
        conversation = app.conversation(slow.HELLO.sender)
        assert conversation is not None
        assert [event.status for event in app.events(conversation.id)] == ["done", "pending"]


def test_a_second_signal_ends_it_in_the_middle_of_a_turn(
    tmp_path: Path, redis: Redis, redis_url: str
) -> None:
    with (
        closing(slow.start(tmp_path, redis_url, "worker")) as process,
        slow.make(tmp_path, redis_url).bind() as app,
    ):
        app.accept(slow.HELLO)
        until((tmp_path / slow.BEGUN).exists)
        process.tell(signal.SIGTERM)
        # RQ takes a second one within a second for the same one, told twice.
        until(lambda: process.ended_by(signal.SIGTERM))
        assert process.wait() == 1
        (conversation,) = app.conversations()
        assert [event.status for event in app.events(conversation.id)] == ["pending"]
        (tmp_path / slow.GO).touch()
        app.drain()
        assert [event.status for event in app.events(conversation.id)] == ["done"]


@pytest.mark.postgres
def test_a_parent_replaces_a_child_that_was_killed_and_ends_them_all(
    deploy: Deploy, redis: Redis, redis_url: str, migrated_postgres: str
) -> None:
    shop = deploy(redis_url, migrated_postgres, **QUICK_TO_MEND)
    parent = shop.start("worker", "--processes", "2")
    until(lambda: len(children(parent.pid)) == 2 and parent.said.count("Ctrl-C") == 2)
    first = children(parent.pid)
    for number in range(10):
        shop.hear("Hi", f"+91{number}")
        if number == 5:
            os.kill(first[0], signal.SIGKILL)
        shop.hear("Asha", f"+91{number}")
    until(lambda: shop.settled(20))
    until(lambda: parent.said.count("Ctrl-C") == 3)
    assert "was killed by SIGKILL; another one takes its place." in parent.said
    kept = children(parent.pid)
    assert len({*first, *kept}) == 3
    assert parent.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in kept)
    assert "Traceback" not in parent.said


def test_each_process_tells_its_numbers_at_a_port_of_its_own(
    deploy: Deploy, redis: Redis, redis_url: str
) -> None:
    shop = deploy(redis_url, **QUICK_TO_MEND)
    first, second, third = free_ports(3)
    parent = shop.start("worker", "--processes", "2", "--metrics", str(first))
    until(lambda: parent.said.count("Ctrl-C") == 2)
    scheduler = shop.start("scheduler", "--metrics", f"localhost:{third}")
    shop.hear("Hi")
    until(lambda: shop.settled(1))
    until(lambda: sum(turns_done(port) for port in (first, second)) == 1)
    assert 'wabot_backlog{kind="inbound"} 0' in numbers(third)
    os.kill(children(parent.pid)[0], signal.SIGKILL)
    until(lambda: parent.said.count("Ctrl-C") == 3)
    shop.hear("Asha")
    until(lambda: shop.settled(2))
    until(lambda: sum(turns_done(port) for port in (first, second)) >= 1)
    assert (scheduler.stop(), parent.stop()) == (0, 0)
    assert "Traceback" not in parent.said + scheduler.said


def test_a_process_alone_tells_its_numbers_too(deploy: Deploy, redis: Redis, redis_url: str) -> None:
    shop = deploy(redis_url)
    (port,) = free_ports(1)
    process = shop.start("run", "--metrics", str(port))
    shop.hear("Hi")
    until(lambda: turns_done(port) == 1)
    again = shop.start("run", "--metrics", str(port), wait_for="can't listen on")
    assert again.wait() == 2
    assert process.stop() == 0


def free_ports(number: int) -> list[int]:
    """Ports in a row that nobody listens at, nor is given by the system for a connection of his own."""
    while True:
        first = random.randrange(20_000, 30_000)
        with suppress(OSError), ExitStack() as stack:
            ports = list(range(first, first + number))
            for port in ports:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return ports


def numbers(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()


def turns_done(port: int) -> int:
    found = re.search(r'^wabot_turns_total{outcome="done"} (\d+)$', numbers(port), re.MULTILINE)
    return int(found[1]) if found else 0


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return sorted(map(int, text.split()))
