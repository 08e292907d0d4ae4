import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from tests.runtime.conftest import MakeRuntime
from tests.runtime.worlds import THEIRS, Runtime
from wabot.core.messages import Button, Choices, Inbound, Location, Media, Outbound, Row, Section
from wabot.core.ports import Capabilities
from wabot.core.tables import Category, OutboxRow
from wabot.errors import NotSent, SendError, SendUnknown, Undeliverable
from wabot.pipeline import Turn
from wabot.runtime import Receipt, ReceiptStatus, SendOutcome, SendPolicy, failed, queries, receive
from wabot.runtime.policy import Form, Leaving
from wabot.runtime.rendering import fit
from wabot.testing.fakes import FakeChannel, FakeLookupChannel, FileLookupChannel

MINUTE = timedelta(minutes=1)


def statuses(runtime: Runtime) -> list[str]:
    return [row.status for row in queries.outbox(runtime.world.database, 1)]


def wait(runtime: Runtime, delay: timedelta) -> None:
    runtime.clock.advance(delay)
    runtime.sweep().drain()


def said(channel: FakeChannel) -> list[str]:
    return [delivery.message.text for delivery in channel.sent]


def test_what_the_provider_took_is_on_record(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say one; say two")
    runtime.sweep().drain()
    first, second = queries.outbox(runtime.world.database, 1)
    assert [first.position, second.position] == [1, 2]
    assert (first.status, first.provider_id, first.due_at) == ("sent", "fake-1", None)
    assert first.sent_at == runtime.clock.now()
    assert first.reference == channel.sent[0].reference != second.reference


def test_a_refused_message_goes_later_and_those_behind_it_wait(
    runtime: Runtime, channel: FakeChannel
) -> None:
    channel.fail_next(NotSent("too many", code="429"))
    runtime.hear("say one; say two")
    done = runtime.sweep().drain()
    assert (done.delayed, done.sent) == (1, 0)
    row = queries.outbox(runtime.world.database, 1)[0]
    assert (row.status, row.code, row.reason) == ("pending", "429", "too many")
    wait(runtime, timedelta(seconds=1))
    assert said(channel) == ["one", "two"]
    row = queries.outbox(runtime.world.database, 1)[0]
    assert (row.attempts, row.code, row.reason) == (2, "", "")


def test_a_refusal_of_one_contact_keeps_nobody_else_waiting(runtime: Runtime, channel: FakeChannel) -> None:
    channel.fail_next(NotSent())
    runtime.hear("say one")
    runtime.hear("say other", phone="+910000000001")
    runtime.sweep().drain()
    assert said(channel) == ["other"]


def test_pauses_double_up_to_a_limit_and_are_spread() -> None:
    policy = SendPolicy()
    seconds = [policy.pause(1, attempts).total_seconds() for attempts in range(1, 60)]
    for attempts, pause in enumerate(seconds[:10], 1):
        assert 2**attempts / 4 <= pause <= 2**attempts / 2
    assert all(300 <= pause <= 600 for pause in seconds[10:])
    assert len({policy.pause(id, 3) for id in range(100)}) == 100


def test_a_message_refused_for_a_day_has_failed(runtime: Runtime, channel: FakeChannel) -> None:
    channel.fail_next(NotSent("down"), NotSent("still down"))
    runtime.hear("say one")
    runtime.sweep().drain()
    runtime.hear("say two")
    wait(runtime, timedelta(days=1))
    assert statuses(runtime) == ["failed", "sent"]
    assert queries.outbox(runtime.world.database, 1)[0].reason == "still down"


def test_what_will_never_be_taken_has_failed(runtime: Runtime, channel: FakeChannel) -> None:
    channel.fail_next(Undeliverable("blocked", code="63014"))
    runtime.hear("say one; say two")
    done = runtime.sweep().drain()
    assert (done.unsent, done.sent) == (1, 1)
    row = queries.outbox(runtime.world.database, 1)[0]
    assert (row.status, row.code, row.reason, row.due_at) == ("failed", "63014", "blocked", None)


def test_an_unknown_fate_is_settled_by_the_provider(build: MakeRuntime) -> None:
    channel = FakeLookupChannel()
    runtime = build(channel=channel)
    channel.fail_next(SendUnknown("time-out"), taken=True)
    runtime.hear("say one; say two")
    done = runtime.sweep().drain()
    assert (done.unknown, done.sent) == (1, 0)
    assert statuses(runtime) == ["unknown", "pending"]
    wait(runtime, MINUTE)
    assert said(channel) == ["one", "two"]
    first = queries.outbox(runtime.world.database, 1)[0]
    assert (first.status, first.provider_id, first.resent) == ("sent", "fake-1", False)


def test_what_the_provider_never_saw_is_sent(build: MakeRuntime) -> None:
    channel = FakeLookupChannel()
    runtime = build(channel=channel)
    channel.fail_next(*[SendUnknown("time-out")] * 3)
    runtime.hear("say one; say two")
    for _ in range(4):
        wait(runtime, MINUTE)
    assert said(channel) == ["one", "two"]


def test_a_provider_that_cannot_tell_is_asked_again(build: MakeRuntime) -> None:
    channel = FakeLookupChannel()
    runtime = build(channel=channel)
    channel.fail_next(SendUnknown("time-out"), taken=True)
    channel.list_is_down = True
    runtime.hear("say one")
    for _ in range(3):
        wait(runtime, MINUTE)
    assert statuses(runtime) == ["unknown"]
    channel.list_is_down = False
    wait(runtime, MINUTE)
    assert statuses(runtime) == ["sent"]
    assert said(channel) == ["one"]


def test_a_provider_that_never_tells_is_given_up(build: MakeRuntime) -> None:
    channel = FakeLookupChannel()
    runtime = build(channel=channel)
    channel.fail_next(SendUnknown("time-out"), taken=True)
    channel.list_is_down = True
    runtime.hear("say one; say two")
    runtime.sweep().drain()
    wait(runtime, timedelta(days=1))
    assert statuses(runtime) == ["unknown", "sent"]
    assert queries.outbox(runtime.world.database, 1)[0].due_at is None


def test_where_nobody_can_tell_it_goes_once_more_and_no_oftener(
    runtime: Runtime, channel: FakeChannel
) -> None:
    channel.fail_next(SendUnknown("time-out"), SendUnknown("time-out"), taken=True)
    runtime.hear("say one; say two")
    runtime.sweep().drain()
    for _ in range(5):
        wait(runtime, MINUTE)
    assert said(channel) == ["one", "one", "two"]
    assert statuses(runtime) == ["unknown", "sent"]


def test_a_campaigns_message_never_goes_twice(runtime: Runtime, channel: FakeChannel) -> None:
    channel.fail_next(SendUnknown("time-out"), taken=True)
    runtime.hear("say one")
    assert runtime.sweep().drain().unknown == 1
    with runtime.world.database.transaction() as session:
        session.get_one(OutboxRow, 1).category = Category.CAMPAIGN
        session.commit()
    for _ in range(5):
        wait(runtime, MINUTE)
    assert said(channel) == ["one"]
    assert statuses(runtime) == ["unknown"]


def test_a_bug_of_an_adapter_counts_as_unknown(build: MakeRuntime, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeChannel):
        def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
            raise KeyError(message.text)

    runtime = build(channel=Broken())
    runtime.hear("say secret")
    assert runtime.sweep().drain().unknown == 1
    assert queries.outbox(runtime.world.database, 1)[0].reason == "KeyError: 'secret'"
    errors = [json.loads(r.getMessage()) for r in caplog.records if r.levelname == "ERROR"]
    assert [(line["event"], line["error"]) for line in errors] == [("channel", "KeyError")]
    assert "secret" not in caplog.text


def test_a_message_that_cannot_be_read_blocks_nobody(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say one")
    runtime.hear("say other", phone="+910000000001")
    runtime.pipeline.run(Turn(1))
    with runtime.world.database.transaction() as session:
        session.get_one(OutboxRow, 1).message = {"nonsense": True}
        session.commit()
    runtime.sweep().drain()
    assert said(channel) == ["other"]
    row = queries.outbox(runtime.world.database, 1)[0]
    assert (row.status, row.code, row.provider_id) == ("failed", "unreadable", None)
    assert row.reason == (
        "its row holds no message that can be read (nonsense: Extra inputs are not permitted)"
    )


@pytest.mark.parametrize("text", ['{"text":', "", "nonsense", "[1]", '{"$date":"soon"}', "[" * 100_000])
def test_a_row_that_is_no_json_blocks_nobody(runtime: Runtime, channel: FakeChannel, text: str) -> None:
    """Not in its own conversation, not in others, and no receipt and no list of the operator's."""
    runtime.hear("say one; say two")
    runtime.hear("say other", phone="+910000000001")
    runtime.pipeline.run(Turn(1))
    with runtime.world.database.transaction() as session:
        session.execute(sql("UPDATE outbox SET message = :text WHERE id = 1"), {"text": text})
        session.commit()
    for _ in range(3):
        wait(runtime, MINUTE)
    assert sorted(said(channel)) == ["other", "two"]
    assert statuses(runtime) == ["failed", "sent"]
    receipt = Receipt(channel="fake", status=ReceiptStatus.QUEUED, reference="id-1")
    receive(runtime.world.database, runtime.clock, receipt)
    unsent = failed.unsent_messages(runtime.world.database)
    assert [(message.id, message.code) for message in unsent] == [(1, "unreadable")]


def test_a_lease_that_ran_out_makes_the_fate_unknown(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say one")
    runtime.sweep().drain()
    with runtime.world.database.transaction() as session:
        row = session.get_one(OutboxRow, 1)
        row.status, row.due_at = "claimed", runtime.clock.now() + MINUTE
        session.commit()
    runtime.sweep().drain()
    assert statuses(runtime) == ["claimed"]
    wait(runtime, MINUTE)
    assert statuses(runtime) == ["unknown"]
    assert (
        queries.outbox(runtime.world.database, 1)[0].reason == "whoever sent it did not say what came of it"
    )


def test_a_sender_that_was_overtaken_writes_nothing(build: MakeRuntime) -> None:
    class Slow(FakeChannel):
        runtime: Runtime

        def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
            with self.runtime.world.database.transaction() as session:
                session.get_one(OutboxRow, 1).attempts += 1
                session.commit()
            return super().send(to, sender, message, reference)

    channel = Slow()
    channel.runtime = runtime = build(channel=channel)
    runtime.hear("say one")
    runtime.sweep().once()
    assert statuses(runtime) == ["claimed"]


def test_messages_of_a_channel_that_is_not_here_are_left_alone(build: MakeRuntime) -> None:
    runtime = build(channel=FakeChannel("elsewhere"))
    runtime.hear("say one")
    assert runtime.sweep().drain().sent == 0
    assert statuses(runtime) == ["pending"]


def test_nothing_is_sent_twice_by_two_at_once(runtime: Runtime, channel: FakeChannel) -> None:
    """A second look between the first look and the claim finds the message taken."""
    runtime.hear("say one")
    runtime.sweep().once()
    assert runtime.sender.send_next() is None
    assert len(channel.sent) == 1


def test_options_become_numbered_text_where_a_channel_has_none(build: MakeRuntime) -> None:
    channel = FakeChannel(capabilities=Capabilities(buttons=False, lists=False))
    runtime = build(channel=channel)
    runtime.hear("offer Shall I?")
    runtime.sweep().drain()
    message = channel.sent[0].message
    assert message == Outbound(text="Shall I?\n\n1. Yes\n2. No")


def test_a_message_keeps_what_a_channel_can_show() -> None:
    place, photo = Location(latitude=1, longitude=2), Media(kind="image", url="https://example.com/a.png")
    plain, nothing = Outbound(text="hi", media=photo), Capabilities(buttons=False, lists=False)
    assert fit(plain, nothing) is plain
    buttons = Outbound(text="hi", buttons=(Button(id="a", title="A"),), media=photo, location=place)
    rows = Outbound(
        text="hi", choices=Choices(button="Open", sections=(Section(rows=(Row(id="a", title="A"),)),))
    )
    assert fit(buttons, Capabilities(lists=False)) is buttons
    assert fit(rows, Capabilities(buttons=False)) is rows
    assert fit(buttons, nothing) == Outbound(text="hi\n\n1. A", media=photo, location=place)
    assert fit(rows, nothing) == Outbound(text="hi\n\n1. A")


def test_an_open_file_channel_tells_what_earlier_processes_sent(build: MakeRuntime, tmp_path: Path) -> None:
    channel = FileLookupChannel(tmp_path / "sent.jsonl")
    assert channel.deliveries() == []
    runtime = build(channel=channel)
    runtime.world.database.close()
    assert channel.send(THEIRS, "+91", Outbound(text="नमस्ते"), "ref") == "file-1"
    again = FileLookupChannel(tmp_path / "sent.jsonl")
    assert [d.message.text for d in again.deliveries()] == ["नमस्ते"]
    assert again.find(THEIRS, "ref") == "file-1"
    assert again.find(THEIRS, "other") is None


def test_an_outcome_has_a_name() -> None:
    assert [outcome.value for outcome in SendOutcome] == ["sent", "later", "failed", "unknown"]


def test_a_message_may_be_very_long(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say " + "x" * 5000)
    runtime.sweep().drain()
    assert len(said(channel)[0]) == 5000
    event = queries.events(runtime.world.database, 1)[0]
    assert len(Inbound.model_validate(event.payload).text) == 5004


def test_what_may_leave_is_decided_right_before_it_leaves(build: MakeRuntime, channel: FakeChannel) -> None:
    verdicts: list[SendError] = [
        NotSent("not now", code="quota"),
        Undeliverable("closed", code="window"),
    ]

    def decide(message: Leaving, now: datetime) -> SendError | Form:
        assert message.last_message_at == now - timedelta(hours=12) * (2 - len(verdicts))
        return verdicts.pop(0) if verdicts else Form.AS_IS

    runtime = build(channel=channel, decide=decide)
    runtime.hear("say one; say two")
    done = runtime.sweep().drain()
    assert (done.delayed, done.sent) == (1, 0)
    row = queries.outbox(runtime.world.database, 1)[0]
    assert (row.status, row.attempts, row.code, row.reason) == ("pending", 1, "quota", "not now")
    runtime.clock.advance(timedelta(hours=12))
    assert runtime.sender.send_due(1) == [SendOutcome.FAILED]
    row = queries.outbox(runtime.world.database, 1)[0]
    assert (row.status, row.due_at, row.code, row.reason) == ("failed", None, "window", "closed")
    runtime.clock.advance(timedelta(hours=12))
    assert runtime.sender.send_due(5) == [SendOutcome.SENT]
    assert said(channel) == ["two"]


def test_a_refusal_that_lasts_a_day_fails_the_message(build: MakeRuntime, channel: FakeChannel) -> None:
    runtime = build(channel=channel, decide=lambda message, now: NotSent("open circuit"))
    runtime.hear("say one")
    runtime.sweep().drain()
    wait(runtime, timedelta(days=1))
    assert statuses(runtime) == ["failed"]
    assert not channel.sent


def test_sending_ends_where_it_is_told_to(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say one; say two; say three")
    runtime.pipeline.run(Turn(1))
    asked = iter([False, True])
    assert runtime.sender.send_due(10, lambda: next(asked)) == [SendOutcome.SENT]
    assert statuses(runtime) == ["sent", "pending", "pending"]
    assert runtime.sender.send_due(1) == [SendOutcome.SENT]
    assert statuses(runtime) == ["sent", "sent", "pending"]
