import json
import logging
from datetime import timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import select, text

from tests.runtime.conftest import MakeRuntime
from tests.runtime.worlds import OURS, THEIRS, Runtime
from wabot.core.database import lock
from wabot.core.messages import Inbound, Outbound
from wabot.core.module import Call, Module
from wabot.core.tables import ContactRow, ConversationRow, InboundRow
from wabot.engine.texts import Texts
from wabot.errors import ConfigurationError, Rejected, TurnError, UnknownName
from wabot.pipeline import CallNext, Outcome, Turn
from wabot.runtime import queries
from wabot.runtime.accept import accept
from wabot.testing.fakes import FakeChannel

APOLOGY = "Sorry, something went wrong on our side. Please try again in a little while."


def texts_sent(channel: FakeChannel) -> list[str]:
    return [delivery.message.text for delivery in channel.sent]


def test_a_message_gets_its_answer_once(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say hello")
    done = runtime.sweep().drain()
    assert (done.turns, done.sent) == (1, 1)
    assert not runtime.sweep().drain()
    (delivery,) = channel.sent
    assert (delivery.to, delivery.sender, delivery.message.text) == (THEIRS, OURS, "hello")


def test_a_message_that_comes_twice_has_one_effect(runtime: Runtime, channel: FakeChannel) -> None:
    assert runtime.hear("say hello", event_id="wamid.X") is not None
    assert runtime.hear("say hello", event_id="wamid.X") is None
    runtime.sweep().drain()
    assert runtime.hear("say hello", event_id="wamid.X") is None
    runtime.sweep().drain()
    assert texts_sent(channel) == ["hello"]


def test_the_messages_of_a_conversation_keep_their_order(runtime: Runtime, channel: FakeChannel) -> None:
    for number in range(5):
        runtime.hear(f"say {number}; say {number}b")
        runtime.hear(f"say other {number}", phone="+910000000001")
    runtime.sweep().drain()
    to_first = [d.message.text for d in channel.sent if d.to == THEIRS]
    assert to_first == ["0", "0b", "1", "1b", "2", "2b", "3", "3b", "4", "4b"]
    assert [d.message.text for d in channel.sent if d.to != THEIRS] == [f"other {n}" for n in range(5)]


def test_the_state_is_kept_between_turns(runtime: Runtime) -> None:
    for _ in range(3):
        runtime.hear("say x")
    runtime.sweep().drain()
    (conversation,) = queries.conversations(runtime.world.database)
    assert conversation.state is not None
    assert conversation.state.frames[0].variables == {"turns": 3}
    assert (conversation.flow, conversation.version) == ("menu", 3)
    assert conversation.last_message_at == runtime.clock.now()


def test_an_ended_flow_starts_anew_with_the_next_message(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say bye; end")
    runtime.sweep().drain()
    runtime.hear("say again")
    runtime.sweep().drain()
    (conversation,) = queries.conversations(runtime.world.database)
    assert conversation.state is not None
    assert conversation.state.frames[0].variables == {"turns": 1}
    assert conversation.state.status == "running"
    assert conversation.state.counter == 2, "no key of the first run may come again"
    assert texts_sent(channel) == ["bye", "again"]


def test_a_timer_does_not_wake_a_flow_that_has_ended(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("timer late 60; end")
    runtime.sweep().drain()
    runtime.clock.advance(timedelta(minutes=2))
    done = runtime.sweep().drain()
    assert (done.timers, done.turns, done.sent) == (1, 1, 0)


def test_what_fails_by_its_own_word_is_parked_at_once(build: MakeRuntime, channel: FakeChannel) -> None:
    class Nothing(BaseModel):
        pass

    shop = Module("shop")
    calls = []

    @shop.command("buy")
    def buy(arguments: Nothing, call: Call) -> None:
        calls.append(1)
        call.send(Outbound(text="bought"))
        raise Rejected("there is none left", code="out_of_stock")

    runtime = build(modules=[shop], channel=channel)
    runtime.hear("say before; run shop.buy")
    runtime.hear("say after")
    done = runtime.sweep().drain()
    assert (done.turns, done.failed, len(calls)) == (1, 1, 1)
    assert texts_sent(channel) == [APOLOGY, "after"]
    failed, fine = queries.events(runtime.world.database, 1)
    assert (failed.status, failed.attempts, fine.status) == ("failed", 1, "done")
    assert "Rejected: there is none left" in failed.error


def test_any_other_error_is_tried_three_times_then_parked(build: MakeRuntime, channel: FakeChannel) -> None:
    tries = []

    def flaky(turn: Turn, call_next: CallNext) -> None:
        tries.append(turn.received.attempts if turn.received else None)
        call_next()

    runtime = build(channel=channel, middleware=[flaky])
    runtime.hear("say before; boom")
    runtime.hear("say after")
    done = runtime.sweep().drain()
    assert (done.retried, done.failed, done.turns) == (2, 1, 1)
    assert tries == [0, 1, 2, 0]
    assert texts_sent(channel) == [APOLOGY, "after"]
    assert "RuntimeError: boom" in queries.events(runtime.world.database, 1)[0].error


def test_an_error_that_passes_leaves_one_effect(build: MakeRuntime, channel: FakeChannel) -> None:
    failures = [RuntimeError("deadlock"), RuntimeError("deadlock")]

    def flaky(turn: Turn, call_next: CallNext) -> None:
        call_next()
        if failures:
            raise failures.pop()

    runtime = build(channel=channel, middleware=[flaky])
    runtime.hear("say once; timer t 60")
    done = runtime.sweep().drain()
    assert (done.retried, done.turns) == (2, 1)
    assert texts_sent(channel) == ["once"]
    assert len(queries.timers(runtime.world.database, 1)) == 1


def test_a_failing_timer_is_parked_without_a_word(build: MakeRuntime, channel: FakeChannel) -> None:
    def broken(turn: Turn, call_next: CallNext) -> None:
        if turn.message is None:
            raise TurnError("no")
        call_next()

    runtime = build(channel=channel, middleware=[broken])
    runtime.hear("timer t 60")
    runtime.sweep().drain()
    runtime.clock.advance(timedelta(minutes=2))
    assert runtime.sweep().drain().failed == 1
    assert not channel.sent


def test_an_apology_that_fails_does_not_block_the_conversation(
    build: MakeRuntime, channel: FakeChannel
) -> None:
    texts = Texts({"en": {"wabot.apology": "{{ contact.name.nothing.here }}"}})
    runtime = build(channel=channel, texts=texts)
    runtime.hear("boom")
    runtime.hear("say after")
    runtime.sweep().drain()
    assert texts_sent(channel) == ["after"]


def test_an_event_that_cannot_be_read_is_parked(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say x")
    with runtime.world.database.transaction() as session:
        row = session.get_one(InboundRow, 1)
        row.payload = {"nonsense": True}
        session.commit()
    done = runtime.sweep().drain()
    assert (done.retried, done.failed) == (2, 1)
    assert texts_sent(channel) == [APOLOGY]


def test_state_that_cannot_be_read_is_parked_and_kept(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say x")
    runtime.sweep().drain()
    with runtime.world.database.transaction() as session:
        session.execute(text("""update conversation set state = '{"format": 99}'"""))
        session.commit()
    runtime.hear("say y")
    assert runtime.sweep().drain().failed == 1
    assert texts_sent(channel) == ["x", APOLOGY]


def test_a_database_that_fails_is_not_the_messages_fault(runtime: Runtime) -> None:
    runtime.hear("say x")
    with runtime.world.database.transaction() as session:
        session.execute(text("alter table inbound rename to inbounds"))
        session.commit()
    with pytest.raises(Exception, match=r'no such table: inbound|relation "inbound" does not exist'):
        runtime.pipeline.run(Turn(1))
    with runtime.world.database.transaction() as session:
        session.execute(text("alter table inbounds rename to inbound"))
        session.commit()
    assert runtime.sweep().drain().turns == 1


def test_a_middleware_may_keep_a_message_from_the_flow(build: MakeRuntime, channel: FakeChannel) -> None:
    def closed(turn: Turn, call_next: CallNext) -> None:
        return None

    runtime = build(channel=channel, middleware=[closed])
    runtime.hear("say hello")
    assert runtime.sweep().drain().turns == 1
    assert not channel.sent


def test_another_process_may_have_done_the_failed_one_meanwhile(build: MakeRuntime) -> None:
    runtime: Runtime

    def slow(turn: Turn, call_next: CallNext) -> None:
        assert turn.received
        turn.work.session.execute(text("update inbound set status = 'done', due_at = null"))
        turn.work.transaction.commit()
        raise RuntimeError("too late")

    runtime = build(middleware=[slow])
    runtime.hear("say hello")
    turn = Turn(1)
    runtime.pipeline.run(turn)
    assert turn.outcome is Outcome.DROPPED


def test_a_turn_without_an_event_is_idle(runtime: Runtime) -> None:
    runtime.hear("say hello")
    runtime.sweep().drain()
    turn = Turn(1)
    runtime.pipeline.run(turn)
    assert turn.outcome is Outcome.IDLE
    with pytest.raises(ConfigurationError, match="no transaction here"):
        _ = turn.work


def test_what_the_flow_knows_of_contact_and_time(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("who", name="Ravi")
    runtime.hear("locale hi; say x", name="Ravi K")
    runtime.hear("who", name="Ravi K")
    runtime.sweep().drain()
    said = texts_sent(channel)
    assert said[0] == "Ravi en 2026-01-02T12:00:00+00:00"
    assert said[2] == "Ravi hi 2026-01-02T12:00:00+00:00"
    with runtime.world.database.reading() as session:
        assert session.scalars(select(ContactRow.locale)).one() == "hi"


def test_the_contacts_language_outlives_the_flow(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("locale hi; end")
    runtime.hear("who", name="Ravi")
    runtime.sweep().drain()
    assert texts_sent(channel) == ["Ravi hi 2026-01-02T12:00:00+00:00"]


def test_each_of_our_numbers_has_its_flow(runtime: Runtime) -> None:
    message = Inbound(channel="fake", event_id="1", sender=THEIRS, recipient="+912000000000", text="say x")
    accept(runtime.world.database, runtime.clock, runtime.world.ids, message)
    runtime.hear("say x")
    runtime.sweep().drain()
    flows = {c.sender: c.flow for c in queries.conversations(runtime.world.database)}
    assert flows == {"+912000000000": "other", OURS: "menu"}
    (only,) = queries.conversations(runtime.world.database, phone=THEIRS, channel="fake", sender=OURS)
    assert only.flow == "menu"


def test_timers_and_effects_can_not_be_forged_by_a_channel(runtime: Runtime) -> None:
    message = Inbound(channel="timer", event_id="1", sender=THEIRS, recipient=OURS)
    with pytest.raises(ConfigurationError, match='no channel may be called "timer"'):
        accept(runtime.world.database, runtime.clock, runtime.world.ids, message)


def test_the_log_has_no_phone_and_no_words(
    build: MakeRuntime, channel: FakeChannel, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = build(channel=channel)
    with caplog.at_level(logging.INFO, logger="wabot"):
        runtime.hear("say the secret word")
        runtime.sweep().drain()
        runtime.hear("say before; boom the secret word")
        runtime.sweep().drain()
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [line["event"] for line in lines] == ["turn", "send", "turn", "turn", "turn", "send"]
    assert "secret" not in caplog.text
    assert THEIRS not in caplog.text
    assert {line["contact"] for line in lines} == {lines[0]["contact"]}
    assert len(lines[0]["contact"]) == 12
    assert lines[0]["correlation"] == lines[1]["correlation"] != lines[2]["correlation"]
    assert [line["outcome"] for line in lines if line["event"] == "turn"] == [
        "done",
        "retry",
        "retry",
        "failed",
    ]
    assert lines[2]["error"] == "RuntimeError"
    assert any("worlds.py" in frame for frame in lines[2]["stack"])


def test_the_author_may_log(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="wabot"):
        runtime.hear("log three sacks")
        runtime.sweep().drain()
    line = json.loads(caplog.records[0].getMessage())
    assert (line["event"], line["label"], line["value"]) == ("flow", "note", "three sacks")


def test_a_reset_conversation_starts_anew(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("say x; timer t 60; invoke desk agent")
    runtime.sweep().drain()
    runtime.hear("say waiting")
    queries.reset(runtime.world.database, runtime.clock, 1)
    assert not runtime.sweep().drain()
    runtime.hear("say y")
    runtime.sweep().drain()
    (conversation,) = queries.conversations(runtime.world.database)
    assert conversation.state is not None
    assert conversation.state.frames[0].variables == {"turns": 1}
    assert texts_sent(channel) == ["x", "y"]
    with pytest.raises(UnknownName, match="no conversation 7"):
        queries.reset(runtime.world.database, runtime.clock, 7)


def test_the_lock_sees_the_row_as_it_is_now(runtime: Runtime) -> None:
    runtime.hear("say x")
    with runtime.world.database.transaction() as session:
        row = lock(session, ConversationRow, 1)
        assert row is not None
        session.execute(text("update conversation set version = 41"))
        assert lock(session, ConversationRow, 1) is row
        assert row.version == 41
        assert lock(session, ConversationRow, 99) is None
