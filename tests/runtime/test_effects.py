"""Effects that a worker runs: claimed with a lease, tried again, and told to the flow once."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from tests.runtime.conftest import MakeRuntime
from tests.runtime.worlds import THEIRS, Runtime
from wabot.core.faults import at_crash_points
from wabot.core.metrics import MemoryMetrics
from wabot.core.module import Module, Outside, bind
from wabot.core.tables import EffectRow
from wabot.errors import ConfigurationError, EffectError, Rejected, TryAgain, TurnError
from wabot.runtime import queries
from wabot.runtime.effects import EffectOutcome, EffectPolicy, Effects, Runner
from wabot.testing.fakes import FakeChannel

LEASE = timedelta(seconds=45)


@dataclass
class Errand:
    """A runner that does what the test says, and keeps what it was given."""

    do: Callable[[Outside], Any] = lambda outside: {"n": 1}
    again: bool = True
    lease: timedelta = LEASE
    tries: int = 3
    ran: list[Outside] = field(default_factory=list)

    def run(self, arguments: Mapping[str, Any], outside: Outside) -> Any:
        self.ran.append(outside)
        return self.do(outside)

    def repeats(self, arguments: Mapping[str, Any]) -> bool:
        return self.again


def asked(runtime: Runtime, *orders: str) -> None:
    for order in orders or ("invoke fetch http",):
        runtime.hear(order)
    runtime.sweep().drain()


def effects(runtime: Runtime, runner: Runner, kind: str = "http") -> Effects:
    return Effects(runtime.world, {kind: runner})


def the_row(runtime: Runtime) -> EffectRow:
    (row,) = queries.effects(runtime.world.database, 1)
    return row


def said(runtime: Runtime, channel: FakeChannel) -> list[str]:
    runtime.sweep().drain()
    return [delivery.message.text for delivery in channel.sent]


def test_a_result_is_an_event_of_its_conversation(runtime: Runtime, channel: FakeChannel) -> None:
    asked(runtime)
    errand = Errand()
    ran = effects(runtime, errand).run_next()
    assert ran is not None
    assert (ran.outcome, ran.conversation_id) == (EffectOutcome.DONE, 1)
    assert effects(runtime, errand).run_next() is None
    assert said(runtime, channel) == ["done.invoke.fetch {'n': 1}"]
    row = the_row(runtime)
    assert (row.status, row.result, row.attempts, row.due_at) == ("done", {"n": 1}, 1, None)


def test_a_runner_is_told_who_it_is_for(runtime: Runtime) -> None:
    asked(runtime, "invoke a http; invoke b http")
    errand = Errand()
    worker = effects(runtime, errand)
    worker.run_next()
    worker.run_next()
    first, second = errand.ran
    assert first.contact is not None
    assert (first.contact.phone, first.conversation_id, first.attempt) == (THEIRS, 1, 1)
    assert first.clock is runtime.clock
    assert first.key != second.key


def test_effects_of_other_kinds_are_left_alone(runtime: Runtime) -> None:
    asked(runtime, "invoke desk agent; invoke pay shop.pay")
    assert effects(runtime, Errand()).run_next() is None
    assert Effects(runtime.world, {}).run_next() is None


def test_what_fails_for_now_is_tried_again_later_and_later(runtime: Runtime, channel: FakeChannel) -> None:
    def fail(outside: Outside) -> Any:
        raise TryAgain("busy", code="status", details={"status": 503})

    asked(runtime)
    errand = Errand(do=fail)
    worker = effects(runtime, errand)
    outcomes, pauses = [], []
    while (ran := worker.run_next()) is not None:
        outcomes.append(ran.outcome.value)
        if (due_at := the_row(runtime).due_at) is not None:
            assert the_row(runtime).result == {"code": "status", "message": "busy", "status": 503}
            pauses.append((due_at - runtime.clock.now()).total_seconds())
            assert worker.run_next() is None
            runtime.clock.advance(due_at - runtime.clock.now())
    assert outcomes == ["later", "later", "failed"]
    assert 0.5 <= pauses[0] <= 1 <= pauses[1] <= 2
    assert [outside.attempt for outside in errand.ran] == [1, 2, 3]
    assert len({outside.key for outside in errand.ran}) == 1
    told = "{'status': 503, 'code': 'status', 'message': 'busy'}"
    assert said(runtime, channel) == [f"error.invoke.fetch {told}"]


def test_a_server_may_ask_for_a_longer_pause_within_reason() -> None:
    policy = EffectPolicy(longest_pause=timedelta(seconds=60))
    assert policy.pause(1, 1, 20) == timedelta(seconds=20)
    assert policy.pause(1, 1, 1e300) == timedelta(seconds=60)
    assert policy.pause(1, 1, -5) <= timedelta(seconds=1)
    assert timedelta(seconds=30) <= policy.pause(1, 900) <= timedelta(seconds=60)
    assert len({policy.pause(id, 3) for id in range(50)}) == 50


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EffectError("no", code="secret"), {"code": "secret", "message": "no"}),
        (
            Rejected("sold out", code="stock", details={"left": 0}),
            {"left": 0, "code": "stock", "message": "sold out"},
        ),
        (TurnError("shop.pay: total: missing"), {"code": "arguments", "message": "shop.pay: total: missing"}),
        (KeyError("their card"), {"code": "failed", "message": "KeyError"}),
    ],
)
def test_what_fails_for_good_is_told_at_once(
    runtime: Runtime, channel: FakeChannel, error: Exception, told: dict[str, Any]
) -> None:
    def fail(outside: Outside) -> Any:
        raise error

    asked(runtime)
    errand = Errand(do=fail)
    ran = effects(runtime, errand).run_next()
    assert ran is not None
    assert ran.outcome is EffectOutcome.FAILED
    assert the_row(runtime).result == told
    assert said(runtime, channel) == [f"error.invoke.fetch {told}"]


def test_a_lost_connection_is_tried_again(runtime: Runtime) -> None:
    def fail(outside: Outside) -> Any:
        raise ConnectionResetError

    asked(runtime)
    ran = effects(runtime, Errand(do=fail)).run_next()
    assert ran is not None
    assert ran.outcome is EffectOutcome.LATER


class Killed(BaseException):
    """As a process that is killed: nothing is caught and nothing cleaned up."""


def die(runtime: Runtime, errand: Runner, crash_at: str) -> None:
    def listener(name: str) -> None:
        if name == crash_at:
            raise Killed

    with at_crash_points(listener), pytest.raises(Killed):
        effects(runtime, errand).run_next()


@pytest.mark.parametrize("crash_at", ["effect.after_claim", "effect.after_call", "effect.before_commit"])
def test_a_lost_effect_is_run_again_after_its_lease_where_that_is_safe(
    runtime: Runtime, channel: FakeChannel, crash_at: str
) -> None:
    asked(runtime)
    errand = Errand()
    die(runtime, errand, crash_at)
    worker = effects(runtime, errand)
    assert worker.run_next() is None
    runtime.clock.advance(LEASE)
    ran = worker.run_next()
    assert ran is not None
    assert ran.outcome is EffectOutcome.DONE
    assert worker.run_next() is None
    assert said(runtime, channel) == ["done.invoke.fetch {'n': 1}"]


@pytest.mark.parametrize("crash_at", ["effect.after_claim", "effect.after_call", "effect.before_commit"])
def test_a_lost_effect_that_must_not_be_done_twice_is_not_run_again(
    runtime: Runtime, channel: FakeChannel, crash_at: str
) -> None:
    asked(runtime)
    errand = Errand(again=False)
    die(runtime, errand, crash_at)
    ran_before = len(errand.ran)
    runtime.clock.advance(LEASE)
    effects(runtime, errand).run_next()
    assert len(errand.ran) == ran_before
    assert the_row(runtime).result == {"code": "unknown", "message": "whether it was done is not known"}
    assert len(said(runtime, channel)) == 1


def test_an_effect_that_was_not_done_may_be_tried_again_although_it_must_not_be_done_twice(
    runtime: Runtime, channel: FakeChannel
) -> None:
    def fail_first(outside: Outside) -> Any:
        if outside.attempt == 1:
            raise TryAgain("not sent")
        return "sent"

    asked(runtime)
    worker = effects(runtime, Errand(do=fail_first, again=False))
    worker.run_next()
    runtime.clock.advance(timedelta(seconds=1))
    worker.run_next()
    assert said(runtime, channel) == ["done.invoke.fetch sent"]


def test_an_effect_that_kills_its_workers_comes_to_an_end(runtime: Runtime, channel: FakeChannel) -> None:
    asked(runtime)
    errand = Errand(tries=3)
    for _ in range(3):
        die(runtime, errand, "effect.after_call")
        runtime.clock.advance(LEASE)
    ran = effects(runtime, errand).run_next()
    assert ran is not None
    assert (ran.outcome, len(errand.ran)) == (EffectOutcome.FAILED, 3)
    assert the_row(runtime).result["code"] == "unknown"


def test_the_result_of_one_who_lost_his_lease_means_nothing(runtime: Runtime, channel: FakeChannel) -> None:
    """As where a process was stopped for longer than its lease."""

    def overtaken(outside: Outside) -> Any:
        runtime.clock.advance(LEASE)
        effects(runtime, Errand(do=lambda _: "second")).run_next()
        return "first"

    asked(runtime)
    ran = effects(runtime, Errand(do=overtaken)).run_next()
    assert ran is not None
    assert ran.outcome is EffectOutcome.DROPPED
    assert said(runtime, channel) == ["done.invoke.fetch second"]


@pytest.mark.parametrize("error", [None, TryAgain("later")])
def test_the_late_result_of_a_cancelled_effect_means_nothing(
    runtime: Runtime, channel: FakeChannel, error: Exception | None
) -> None:
    def cancelled(outside: Outside) -> Any:
        runtime.hear("drop fetch#1")
        runtime.sweep().drain()
        if error:
            raise error

    asked(runtime)
    ran = effects(runtime, Errand(do=cancelled)).run_next()
    assert ran is not None
    assert ran.outcome is EffectOutcome.DROPPED
    assert said(runtime, channel) == []
    assert (the_row(runtime).status, the_row(runtime).due_at) == ("cancelled", None)


def test_a_cancelled_effect_is_not_run(runtime: Runtime) -> None:
    asked(runtime, "invoke fetch http", "drop fetch#1")
    errand = Errand()
    assert effects(runtime, errand).run_next() is None
    assert errand.ran == []


def test_many_workers_run_each_effect_once(build: MakeRuntime, shared_url: str) -> None:
    channel = FakeChannel()
    runtime = build(channel=channel, database=shared_url)
    asked(runtime, ";".join(f"invoke e{n} http" for n in range(24)))
    errand = Errand(do=lambda outside: outside.key)

    def work(_: int) -> int:
        worker, count = effects(runtime, errand), 0
        while worker.run_next() is not None:
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 24
    assert len({outside.key for outside in errand.ran}) == len(errand.ran) == 24
    assert len(set(said(runtime, channel))) == 24


class Pay(BaseModel):
    total: int


class Shop(BaseModel):
    token: str = "t"


def test_a_module_does_things_outside_of_turns(build: MakeRuntime, channel: FakeChannel) -> None:
    shop = Module("shop", settings=Shop)
    seen: list[tuple[int, str]] = []

    @shop.invoke("pay", lease=timedelta(minutes=5), tries=2)
    def pay(arguments: Pay, outside: Outside) -> Pay:
        """Ask for the money."""
        seen.append((arguments.total, outside.settings(Shop).token))
        return Pay(total=arguments.total + 1)

    invoke = bind([shop]).invokes["shop.pay"]
    assert (invoke.lease, invoke.tries, invoke.summary) == (timedelta(minutes=5), 2, "Ask for the money.")
    assert (invoke.returns, invoke.model) == (Pay, Pay)
    outside = Outside("k", build(modules=[]).clock, sections={Shop: Shop(token="s")})
    assert invoke.run({"total": 1}, outside) == {"total": 2}
    assert seen == [(1, "s")]
    assert invoke.repeats({})
    with pytest.raises(TurnError, match=r"shop\.pay: total"):
        invoke.run({}, outside)
    with pytest.raises(ConfigurationError, match="has Pay as its settings"):
        outside.settings(Pay)


def test_tries_are_counted_by_what_became_of_them(runtime: Runtime) -> None:
    def fail(outside: Outside) -> Any:
        raise TryAgain("busy")

    runtime.world = replace(runtime.world, metrics=MemoryMetrics())
    asked(runtime)
    effects(runtime, Errand(do=fail)).run_next()
    runtime.clock.advance(timedelta(seconds=1))
    effects(runtime, Errand()).run_next()
    text = runtime.world.metrics.text()
    assert 'wabot_effects_total{kind="http",outcome="later"} 1' in text
    assert 'wabot_effects_total{kind="http",outcome="done"} 1' in text
