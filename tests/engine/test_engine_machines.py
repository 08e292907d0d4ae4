"""Warm machines: shared by conversations and threads, and gone with their charts."""

import gc
import json
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from statemachine import registry

from tests.engine.playing import Talk, through_json
from wabot.engine.engine import Engine
from wabot.engine.library import Library
from wabot.engine.loader import load_flow
from wabot.engine.machine import IDLE_MACHINES, MOST_CANDIDATES
from wabot.engine.state import State
from wabot.engine.step import Event
from wabot.errors import DuplicateName, StateError, UnknownName

COUNTER = """
flow: counter
datamodel: {n: {type: integer, default: 0}, path: {type: list, default: []}}
states:
  p:
    parallel: true
    states:
      a:
        history: {h: {transitions: [{target: a1}]}}
        states:
          a1: {transitions: [{event: t, target: a2}]}
          a2: {transitions: [{event: t, target: a1}]}
      b:
        states:
          b1: {transitions: [{event: u, target: b2}]}
          b2: {transitions: [{event: u, target: b1}]}
    transitions:
      - {event: count, on: {assign: {location: n, expr: n + 1}}}
"""


def test_conversations_that_take_turns_do_not_mix() -> None:
    talk = Talk(COUNTER)
    states = [talk.engine.start("counter", talk.context).state for _ in range(5)]

    for number in range(5):
        for event in ["t"] * (number % 2) + ["u"] * (number % 3) + ["count"] * number:
            states[number] = talk.engine.handle(
                through_json(states[number]), Event(event), talk.context
            ).state

    assert [talk.engine.configuration(state) for state in states] == [
        ["a1", "b1"], ["a2", "b2"], ["a1", "b1"], ["a2", "b1"], ["a1", "b2"],
    ]  # fmt: skip
    assert [state.frames[0].variables["n"] for state in states] == [0, 1, 2, 3, 4]


def test_threads_share_an_engine() -> None:
    talk = Talk(COUNTER)
    engine = talk.engine

    def converse(number: int) -> tuple[list[str], int]:
        text = json.dumps(engine.start("counter", talk.context).state.to_json())
        for turn in range(60):
            event = ("t", "u", "count")[(turn + number) % 3]
            step = engine.handle(State.from_json(json.loads(text)), Event(event), talk.context)
            text = json.dumps(step.state.to_json())
        state = State.from_json(json.loads(text))
        return engine.configuration(state), state.frames[0].variables["n"]

    with ThreadPoolExecutor(max_workers=IDLE_MACHINES + 4) as pool:
        results = list(pool.map(converse, range(24)))

    assert results == [(["a1", "b1"], 20)] * 24


def test_charts_that_are_reloaded_leave_nothing_behind() -> None:
    def compile_one() -> "weakref.ref[object]":
        talk = Talk(COUNTER).start().event("t")
        return weakref.ref(talk.engine.library.newest("counter").bench._kind)

    registered = len(registry._REGISTRY)
    alive = [compile_one() for _ in range(20)]
    gc.collect()

    assert len(registry._REGISTRY) <= registered + 1
    # The class that was registered last stays until the next one.
    assert sum(one() is not None for one in alive) <= 1


def test_an_event_of_any_name_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wabot.engine.machine.MOST_CANDIDATES", 10)
    talk = Talk(COUNTER).start()
    for number in range(30):
        talk.event(f"any.{number}")

    assert talk.event("t").at == ["a2", "b1"]
    assert MOST_CANDIDATES > 10


def test_a_library_knows_its_flows() -> None:
    library = Library(
        [load_flow(COUNTER, "a.yaml"), load_flow("{flow: x, version: 2, states: {a: {}}}", "b.yaml")]
    )

    assert set(library.flows) == {"counter", "x"}
    assert library.flows["x"].version == 2
    assert library.newest("x") is library.chart("x", 2)
    with pytest.raises(UnknownName, match='no flow "countr"') as error:
        library.newest("countr")
    assert error.value.hint == 'did you mean "counter"?'
    with pytest.raises(StateError, match=r'no flow "countr"; did you mean "counter"\?'):
        library.chart("countr", 1)
    with pytest.raises(StateError, match=r'no flow "zzz"$'):
        library.chart("zzz", 1)


def test_a_version_is_there_once() -> None:
    with pytest.raises(
        DuplicateName, match=r'version 1 of the flow "counter" is there twice: a\.yaml and b\.yaml'
    ):
        Library([load_flow(COUNTER, "a.yaml"), load_flow(COUNTER, "b.yaml")])


def test_an_engine_needs_only_a_library() -> None:
    library = Library([load_flow("{flow: x, states: {a: {}}}", "x.yaml")])
    talk = Talk(COUNTER)

    assert Engine(library).start("x", talk.context).state.frames[0].configuration == ["a"]
