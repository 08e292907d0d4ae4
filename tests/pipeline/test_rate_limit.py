import json
from datetime import timedelta

import pytest
from redis import Redis

from tests.pipeline.conftest import BEN, Desk, MakeDesk
from wabot.adapters.redis import Link, RedisBuckets
from wabot.core.buckets import Rate
from wabot.core.metrics import RATE_LIMITED
from wabot.core.tables import OutboxRow
from wabot.engine.texts import Texts
from wabot.pipeline import CallNext, Turn
from wabot.pipeline.ratelimit import LIMITED

SLOWLY = {"rate_limit": {"per_minute": 30, "burst": 3}}
TOLD = "You are writing faster than I can read. Please wait a moment and try again."


def words(count: int, first: int = 1) -> list[str]:
    return [f"message {number}" for number in range(first, first + count)]


def test_thirty_a_minute_are_read_and_the_rest_is_answered_once(desk: Desk) -> None:
    said = desk.write(*words(35))
    assert said[:30] == [f"You said {word}" for word in words(30)]
    assert said[30:] == [TOLD]


def test_no_flow_hears_what_is_too_much(make_desk: MakeDesk) -> None:
    steps = []

    def watch(turn: Turn, call_next: CallNext) -> None:
        call_next()
        steps.append(turn.step)

    desk = make_desk(SLOWLY, bound=False)
    desk.app.use(watch)
    desk.app.bind()
    desk.write(*words(9))
    assert len(steps) == 3
    events = desk.app.events(1)
    assert [(row.status, row.error) for row in events] == [("done", "")] * 3 + [("done", LIMITED)] * 6
    assert [row.due_at for row in events] == [None] * 9
    assert f'{RATE_LIMITED.name}{{told="yes"}} 1' in desk.app.metrics_text()
    assert f'{RATE_LIMITED.name}{{told="no"}} 5' in desk.app.metrics_text()


def test_one_contact_keeps_no_other_from_writing(make_desk: MakeDesk) -> None:
    desk = make_desk(SLOWLY)
    desk.write(*words(9))
    assert desk.write("hello", phone=BEN) == ["You said hello"]


def test_after_a_while_the_contact_is_read_again(make_desk: MakeDesk) -> None:
    desk = make_desk(SLOWLY)
    desk.write(*words(9))
    desk.clock.advance(timedelta(seconds=4))
    assert desk.write("a", "b", "c", "d") == ["You said a", "You said b"]
    desk.clock.advance(timedelta(minutes=1))
    assert desk.write(*words(4)) == [*(f"You said {word}" for word in words(3)), TOLD]


def test_a_timer_needs_no_token(make_desk: MakeDesk) -> None:
    desk = make_desk({"rate_limit": {"per_minute": 1, "burst": 2}})
    assert desk.write("hello", "later", "again") == ["You said hello", TOLD]
    desk.clock.advance(timedelta(minutes=9, seconds=59))
    assert desk.write("now", "and now", "and now") == ["Wait", "Wait", TOLD]
    assert desk.wait(timedelta(seconds=1)) == ["It is time"]


def test_a_timer_takes_no_token(make_desk: MakeDesk) -> None:
    desk = make_desk({"rate_limit": {"per_minute": 1, "burst": 2}})
    desk.write("hello", "later")
    assert desk.wait(timedelta(minutes=10)) == ["It is time"]
    assert desk.write("hello", "hello") == ["You said hello"] * 2


def test_one_contact_at_two_numbers_of_ours_is_one(make_desk: MakeDesk) -> None:
    desk = make_desk(SLOWLY)
    desk.write(*words(3))
    desk.hear("hello", ours="+912000000000")
    assert desk.write() == [TOLD]


def test_a_turn_that_is_tried_again_takes_one_token_in_all(make_desk: MakeDesk) -> None:
    failures = [RuntimeError("once"), RuntimeError("twice")]

    def flaky(turn: Turn, call_next: CallNext) -> None:
        if failures:
            raise failures.pop()
        call_next()

    desk = make_desk({"rate_limit": {"per_minute": 1, "burst": 1}}, bound=False)
    desk.app.use(flaky)
    desk.app.bind()
    assert desk.write("hello") == ["You said hello"]
    assert desk.write("hello") == [TOLD]


def test_stop_is_never_too_much(make_desk: MakeDesk) -> None:
    desk = make_desk(SLOWLY)
    desk.write(*words(9))
    assert desk.write("STOP") == [
        "You will get no more messages from us. Write START if you want them again."
    ]


def test_nought_is_no_limit(make_desk: MakeDesk) -> None:
    desk = make_desk({"rate_limit": {"per_minute": 0}})
    assert len(desk.write(*words(60))) == 60


def test_the_contact_is_told_in_its_language(make_desk: MakeDesk) -> None:
    desk = make_desk({**SLOWLY, "locale": "hi"})
    assert desk.write(*words(4))[-1].startswith("आप बहुत जल्दी")


def test_the_project_may_say_it_otherwise(make_desk: MakeDesk) -> None:
    texts = Texts({"en": {"wabot": {"rate_limited": "Slowly, please"}}})
    desk = make_desk(SLOWLY, texts=texts)
    assert desk.write(*words(4))[-1] == "Slowly, please"


def test_a_text_that_fails_costs_only_the_text(make_desk: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    texts = Texts({"en": {"wabot": {"rate_limited": "{{ nobody }}"}}})
    desk = make_desk(SLOWLY, texts=texts)
    assert len(desk.write(*words(5))) == 3
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert "rate_limit" in {line["event"] for line in lines}


def test_the_order_shows(desk: Desk) -> None:
    assert desk.app.pipeline.names == (
        "logging",
        "errors",
        "session",
        "rate_limit",
        "opt_out",
        "handover",
        "flow",
    )


@pytest.mark.redis
def test_two_apps_share_the_buckets_in_redis(make_desk: MakeDesk, redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        client.flushall()
    buckets = RedisBuckets(Link(redis_url), Rate(count=1, burst=4))
    one, other = (
        make_desk(buckets=buckets),
        make_desk(buckets=RedisBuckets(Link(redis_url), Rate(1, burst=4))),
    )
    assert len(one.write("a", "b", "c")) == 3
    if one.app.database.in_memory:
        assert other.write("d", "e", "f") == ["You said d", TOLD]


@pytest.mark.redis
def test_a_flush_at_any_moment_loses_no_message_and_sends_none_twice(
    make_desk: MakeDesk, redis_url: str
) -> None:
    def flush(turn: Turn, call_next: CallNext) -> None:
        client.flushall()
        call_next()
        client.flushall()

    with Redis.from_url(redis_url) as client:
        client.flushall()
        desk = make_desk(bound=False, buckets=RedisBuckets(Link(redis_url), Rate(count=1, burst=2)))
        desk.app.use(flush)
        desk.app.bind()
        assert desk.write(*words(9)) == [f"You said {word}" for word in words(9)]
    with desk.app.database.reading() as session:
        assert session.query(OutboxRow).count() == 9
