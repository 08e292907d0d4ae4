import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.runtime.conftest import MakeRuntime
from tests.runtime.worlds import Runtime
from wabot.core.ports import NoDoorbell
from wabot.runtime import Sweeper
from wabot.runtime.sweep import Stop
from wabot.testing.fakes import FakeChannel


class Bell(FakeChannel):
    """Says when it has sent."""

    def __init__(self) -> None:
        super().__init__()
        self.rung = threading.Event()

    def send(self, to: str, sender: str, message: object, reference: str) -> str:
        provider_id = super().send(to, sender, message, reference)  # type: ignore[arg-type]
        self.rung.set()
        return provider_id


@pytest.mark.parametrize("file", [False, True])
def test_the_sweeper_answers_when_it_is_rung(build: MakeRuntime, tmp_path: Path, file: bool) -> None:
    channel = Bell()
    runtime = build(channel=channel, database=f"sqlite:///{tmp_path}/a.db" if file else "sqlite://")
    sweeper = Sweeper(runtime.sweep().drain, interval=60)
    sweeper.start()
    try:
        for _ in range(3):
            channel.rung.clear()
            conversation_id = runtime.hear("say hello")
            assert conversation_id is not None
            sweeper.ring(conversation_id)
            assert channel.rung.wait(120)
    finally:
        assert sweeper.stop()
    assert len(channel.sent) == 3


def test_the_sweeper_finds_work_that_nobody_rang_for(build: MakeRuntime) -> None:
    channel = Bell()
    runtime = build(channel=channel)
    sweeper = Sweeper(runtime.sweep().drain, interval=0.01)
    sweeper.start()
    runtime.hear("say hello")
    assert channel.rung.wait(120)
    assert sweeper.stop()


def test_a_row_that_cannot_be_read_keeps_no_other_conversation_waiting(
    runtime: Runtime, channel: FakeChannel
) -> None:
    runtime.hear("say spoilt", phone="+910000000001")
    with runtime.world.database.transaction() as session:
        session.execute(text("UPDATE inbound SET payload = '{oops'"))
        session.commit()
    runtime.hear("say hello", phone="+910000000002")
    for _ in range(2):
        with pytest.raises(ValueError, match="double quotes"):
            runtime.sweep().drain()
    assert [delivery.to for delivery in channel.sent] == ["+910000000002"]


def test_stopping_finishes_the_work_in_hand_and_no_more(runtime: Runtime, channel: FakeChannel) -> None:
    for number in range(4):
        runtime.hear(f"say {number}", phone=f"+91000000000{number}")
    asked: list[bool] = []

    def after_two() -> bool:
        asked.append(True)
        return len(asked) > 2

    done = runtime.sweep().drain(after_two)
    assert (done.turns, done.sent) == (2, 0)
    rest = runtime.sweep().drain()
    assert (rest.turns, rest.sent) == (2, 4)


def test_the_sweeper_outlives_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []
    sweeper: Sweeper

    def drain(stop: Stop) -> None:
        calls.append(1)
        if len(calls) < 3:
            sweeper.ring(1)
            raise OSError("the phone number +919876543210")
        sweeper.stop()

    sweeper = Sweeper(drain, interval=0.0001)
    sweeper.run()
    assert len(calls) == 3
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["event"], line["failures"], line["error"]) for line in lines] == [
        ("sweep", 1, "OSError"),
        ("sweep", 2, "OSError"),
    ]
    assert "+9198" not in caplog.text


def test_a_sweeper_that_hangs_says_so() -> None:
    release = threading.Event()

    def drain(stop: Stop) -> None:
        release.wait(120)

    sweeper = Sweeper(drain)
    sweeper.start()
    assert not sweeper.stop(timeout=0.01)
    release.set()
    assert sweeper.stop()


def test_nothing_rings_where_nothing_sleeps() -> None:
    NoDoorbell().ring(1)
