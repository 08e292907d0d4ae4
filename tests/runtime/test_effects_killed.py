import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from tests.adapters.answering import Handler, Server, serving
from tests.runtime import errands
from wabot.testing.fakes import FileLookupChannel

# Real processes, forked from one that has imported everything already.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.runtime.errands"])

Talk = Callable[..., int | None]
BEFORE_THE_CALL = ["effect.after_claim"]
AFTER_THE_CALL = ["effect.after_call", "effect.before_commit"]
AFTER_THE_COMMIT = ["effect.after_commit"]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.routes["/stock"] = lambda handler: handler.give_json('{"n": 9}')
        yield made


@pytest.fixture
def talk(shared_url: str, server: Server, tmp_path: Path) -> Talk:
    """Lets a process accept texts and drain; gives its exit code."""

    def run(*texts: str, hours: float = 0, crash_at: str = "") -> int | None:
        process = PROCESSES.Process(
            target=errands.talk, args=(shared_url, server.authority, tmp_path, hours, crash_at, texts)
        )
        process.start()
        process.join(180)
        return process.exitcode

    return run


def said(folder: Path) -> list[str]:
    return [delivery.message.text for delivery in FileLookupChannel(folder / "sent.jsonl").deliveries()]


@pytest.mark.parametrize("crash_at", [*BEFORE_THE_CALL, *AFTER_THE_CALL, *AFTER_THE_COMMIT])
def test_a_killed_worker_costs_a_lease_and_the_answer_has_its_effect_once(
    talk: Talk, server: Server, tmp_path: Path, crash_at: str
) -> None:
    assert talk("hi") == 0
    assert talk("get", crash_at=crash_at) == -signal.SIGKILL
    for hours in (1, 2):
        assert talk("get", hours=hours) == 0
    assert said(tmp_path) == ["Yes?", "Got 9", "Yes?"]
    assert len(server.asked) == (2 if crash_at in AFTER_THE_CALL else 1)
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1


@pytest.mark.parametrize("crash_at", [*BEFORE_THE_CALL, *AFTER_THE_CALL, *AFTER_THE_COMMIT])
def test_what_must_not_be_done_twice_is_asked_for_at_most_once(
    talk: Talk, server: Server, tmp_path: Path, crash_at: str
) -> None:
    assert talk("hi") == 0
    assert talk("post", crash_at=crash_at) == -signal.SIGKILL
    for hours in (1, 2):
        assert talk("post", hours=hours) == 0
    told = "Sent 200" if crash_at in AFTER_THE_COMMIT else "Lost unknown"
    assert said(tmp_path) == ["Yes?", told, "Yes?"]
    assert len(server.asked) == (0 if crash_at in BEFORE_THE_CALL else 1)


def test_a_worker_killed_while_the_server_answers(
    shared_url: str, server: Server, tmp_path: Path, talk: Talk
) -> None:
    def kill_first(handler: Handler) -> None:
        if len(server.asked) == 1:
            assert process.pid
            os.kill(process.pid, signal.SIGKILL)
            # Not join(): the test's own thread does, and only one of two would learn how it ended.
            assert wait([process.sentinel], 180)
        handler.give_json('{"n": 9}')

    assert talk("hi") == 0
    server.routes["/stock"] = kill_first
    process = PROCESSES.Process(
        target=errands.talk, args=(shared_url, server.authority, tmp_path, 0, "", ("get",))
    )
    process.start()
    process.join(180)
    assert process.exitcode == -signal.SIGKILL
    assert talk(hours=1) == 0
    assert said(tmp_path) == ["Yes?", "Got 9", "Yes?"]
    assert len(server.asked) == 2
