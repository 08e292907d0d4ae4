import pytest

from tests.runtime.conftest import MakeRuntime
from tests.runtime.worlds import THEIRS, Runtime
from wabot.errors import Undeliverable, UnknownName
from wabot.pipeline import CallNext, Turn
from wabot.runtime import failed, queries
from wabot.testing.fakes import FakeChannel

APOLOGY = "Sorry, something went wrong on our side. Please try again in a little while."


class Broken:
    """A middleware that fails turns until it is mended."""

    mended = False

    def __call__(self, turn: Turn, call_next: CallNext) -> None:
        if not self.mended and turn.message and "odd" in turn.message.text:
            raise RuntimeError("it is odd")
        call_next()


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def parked(build: MakeRuntime, channel: FakeChannel, broken: Broken) -> Runtime:
    """Event 1 and 3 have failed."""
    runtime = build(channel=channel, middleware=[broken])
    for word in ("odd 1", "even 2", "odd 3"):
        runtime.hear(f"say {word}")
    runtime.sweep().drain()
    return runtime


def test_failed_events_are_listed_with_their_errors(parked: Runtime) -> None:
    first, third = failed.failed_events(parked.world.database)
    assert (first.id, first.phone, first.attempts, first.origin) == (1, THEIRS, 3, "message")
    assert first.reason == "RuntimeError: it is odd"
    assert "Traceback" in first.error
    assert third.payload["text"] == "say odd 3"
    assert failed.failed_events(parked.world.database, 1) == [first]
    assert failed.failed_event(parked.world.database, 3) == third


def test_they_are_tried_again_once_the_cause_is_mended(
    parked: Runtime, broken: Broken, channel: FakeChannel
) -> None:
    broken.mended = True
    channel.sent.clear()
    assert failed.retry(parked.world.database, parked.clock, [3]) == [3]
    assert failed.retry(parked.world.database, parked.clock) == [1]
    assert parked.sweep().drain().turns == 2
    assert [delivery.message.text for delivery in channel.sent] == ["odd 1", "odd 3"]
    assert failed.failed_events(parked.world.database) == []


def test_one_that_fails_again_has_all_its_tries(parked: Runtime) -> None:
    failed.retry(parked.world.database, parked.clock, [1])
    done = parked.sweep().drain()
    assert (done.retried, done.failed) == (2, 1)


def test_the_contact_gets_one_apology_for_an_event_however_often_it_fails(
    parked: Runtime, channel: FakeChannel
) -> None:
    assert [delivery.message.text for delivery in channel.sent].count(APOLOGY) == 2, (
        "one for each that failed"
    )
    channel.sent.clear()
    failed.retry(parked.world.database, parked.clock)
    assert parked.sweep().drain().failed == 2
    assert channel.sent == []
    parked.hear("say odd 4")
    parked.sweep().drain()
    assert [delivery.message.text for delivery in channel.sent] == [APOLOGY]


def test_a_dropped_one_stays_on_record(parked: Runtime) -> None:
    failed.drop(parked.world.database, parked.clock, 1)
    assert [event.id for event in failed.failed_events(parked.world.database)] == [3]
    row = queries.events(parked.world.database, 1)[0]
    assert (row.status, row.done_at) == ("dropped", parked.clock.now())
    assert "it is odd" in row.error
    assert not parked.sweep().drain()


def test_only_what_failed_can_be_retried_or_dropped(parked: Runtime) -> None:
    with pytest.raises(UnknownName, match="no failed event 2, 9"):
        failed.retry(parked.world.database, parked.clock, [1, 2, 9])
    assert len(failed.failed_events(parked.world.database)) == 2, "nothing was changed"
    with pytest.raises(UnknownName, match="no failed event 2"):
        failed.drop(parked.world.database, parked.clock, 2)
    with pytest.raises(UnknownName, match="no failed event 2"):
        failed.failed_event(parked.world.database, 2)


def test_messages_that_did_not_go_out_tell_why(runtime: Runtime, channel: FakeChannel) -> None:
    channel.fail_next(Undeliverable("blocked", code="63014"))
    runtime.hear("say one; say two")
    runtime.sweep().drain()
    (message,) = failed.unsent_messages(runtime.world.database)
    assert (message.id, message.status, message.code, message.reason) == (1, "failed", "63014", "blocked")
    assert (message.phone, message.channel, message.attempts) == (THEIRS, "fake", 1)
