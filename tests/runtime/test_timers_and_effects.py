from datetime import timedelta

import pytest

from tests.runtime.worlds import Obedient, Runtime
from wabot.engine.state import State
from wabot.engine.step import Context, Event, Step
from wabot.errors import UnknownName
from wabot.runtime import finish, next_due, queries
from wabot.runtime.timers import fire_due
from wabot.testing.fakes import FakeChannel

HOUR = timedelta(hours=1)


def said(channel: FakeChannel) -> list[str]:
    return [delivery.message.text for delivery in channel.sent]


def test_a_timer_fires_once_when_it_is_due(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("timer tea 3600")
    runtime.sweep().drain()
    assert next_due(runtime.world.database) == runtime.clock.now() + HOUR
    runtime.clock.advance(HOUR - timedelta(seconds=1))
    assert not runtime.sweep().drain()
    runtime.clock.advance(timedelta(seconds=1))
    assert runtime.sweep().drain().timers == 1
    assert said(channel) == ["timer.tea"]
    runtime.clock.advance(HOUR)
    assert not runtime.sweep().drain()
    assert next_due(runtime.world.database) is None
    assert [(e.channel, e.origin) for e in queries.events(runtime.world.database, 1)][1] == ("timer", "timer")


def test_timers_fire_in_the_order_of_their_times(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("timer late 120; timer soon 60")
    runtime.sweep().drain()
    assert [timer.name for timer in queries.timers(runtime.world.database, 1)] == ["soon", "late"]
    runtime.clock.advance(HOUR)
    runtime.sweep().drain()
    assert said(channel) == ["timer.soon", "timer.late"]


def test_many_due_timers_are_fired_in_portions(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear(";".join(f"timer t{n} 60" for n in range(7)))
    runtime.sweep().drain()
    runtime.clock.advance(HOUR)
    fired = [len(fire_due(runtime.world.database, runtime.clock, runtime.world.ids, 3)) for _ in range(4)]
    assert fired == [3, 3, 1, 0]


def test_a_cancelled_timer_does_not_fire(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("timer tea 60")
    runtime.hear("cancel tea#1")
    runtime.hear("timer cake 60; cancel cake#3")
    runtime.sweep().drain()
    runtime.clock.advance(HOUR)
    assert not runtime.sweep().drain()


def test_a_timer_that_never_rests_ends_the_drain_all_the_same(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wabot.runtime.sweep.ROUNDS", 20)

    def again(self: Obedient, state: State, event: Event, context: Context) -> Step:
        return self._obey(state, "timer again 0", context)

    monkeypatch.setattr(Obedient, "handle", again)
    runtime.hear("timer again 0")
    assert runtime.sweep().drain().timers == 19


def test_an_effect_waits_and_its_result_comes_back_as_an_event(
    runtime: Runtime, channel: FakeChannel
) -> None:
    runtime.hear("invoke fetch http; invoke desk agent")
    runtime.sweep().drain()
    fetch, desk = queries.effects(runtime.world.database, 1, pending=True)
    assert (fetch.kind, fetch.name, fetch.arguments) == ("http", "fetch", {"url": "https://example.com"})
    assert fetch.due_at == runtime.clock.now()
    assert (desk.kind, desk.due_at) == ("agent", None)
    world = runtime.world
    assert finish(world.database, runtime.clock, world.ids, fetch.id, {"n": 1}) == 1
    assert finish(world.database, runtime.clock, world.ids, desk.id, "gone", failed=True) == 1
    assert finish(world.database, runtime.clock, world.ids, desk.id, "again") is None
    runtime.sweep().drain()
    assert said(channel) == ["done.invoke.fetch {'n': 1}", "error.invoke.desk gone"]
    fetch, desk = queries.effects(runtime.world.database, 1)
    assert (fetch.status, fetch.result, desk.status) == ("done", {"n": 1}, "failed")
    with pytest.raises(UnknownName, match="no effect 99"):
        finish(world.database, runtime.clock, world.ids, 99, None)


def test_a_cancelled_effect_takes_no_result(runtime: Runtime) -> None:
    runtime.hear("invoke fetch http")
    runtime.hear("drop fetch#1")
    runtime.hear("drop fetch#1")
    runtime.sweep().drain()
    (row,) = queries.effects(runtime.world.database, 1)
    assert row.status == "cancelled"
    world = runtime.world
    assert finish(world.database, runtime.clock, world.ids, row.id, {}) is None
