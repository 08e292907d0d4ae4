import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.engine.playing import Talk
from wabot.core.money import Money
from wabot.engine.state import Frame, OpenInvoke, OpenTimer, Sent, State, copied
from wabot.engine.step import Event
from wabot.errors import StateError


def full() -> State:
    return State(
        frames=[
            Frame(
                "order",
                2,
                configuration=["a.b", "c"],
                history={"a.h": ["a.b"]},
                variables={
                    "price": Money(Decimal("118.00"), "INR"),
                    "rate": Decimal("1.5"),
                    "due": date(2026, 11, 22),
                    "at": datetime(2026, 11, 22, 10, tzinfo=UTC),
                    "lines": [{"n": 1}],
                    "odd": {"$money": "mine"},
                    "none": None,
                },
                sent={"a.b": Sent(7, "list", [("x", "X"), ("y", "Y")], ask=True, attempts=2)},
                timers=[OpenTimer("a.1h#3", "a.1h", "", "a", "1h")],
                invokes=[OpenInvoke("sub#4", "sub", "flow", "c")],
            ),
            Frame("sub", 1, configuration=["z"], caller="sub#4"),
        ],
        counter=7,
        locale="hi",
    )


def test_a_state_comes_back_from_json_as_it_was() -> None:
    text = json.dumps(full().to_json())

    assert State.from_json(json.loads(text)) == full()


def test_a_small_state_is_small() -> None:
    state = State([Frame("order", 1, configuration=["welcome"])])

    assert state.to_json() == {
        "format": 1,
        "status": "running",
        "counter": 0,
        "frames": [{"flow": "order", "version": 1, "configuration": ["welcome"]}],
    }


def test_a_copy_is_its_own() -> None:
    state = full()
    copy = copied(state)
    copy.frames[0].variables["rate"] = 2
    copy.frames[0].sent["a.b"].attempts = 3
    copy.frames[0].timers.clear()
    copy.frames[0].history.clear()
    copy.frames.pop()

    assert state == full()


@pytest.mark.parametrize(
    "damage",
    [
        {"frames": [{}]},
        {"frames": ["x"]},
        {"frames": [{"flow": "x", "version": 1, "configuration": [], "variables": {"a": {"$date": "soon"}}}]},
        {"frames": None},
        {"frames": []},
        {"frames": [{"flow": 5, "version": 1, "configuration": ["a"]}]},
        {"frames": [{"flow": "x", "version": "1", "configuration": ["a"]}]},
        {"frames": [{"flow": "x", "version": 1, "configuration": [1]}]},
        {"frames": [{"flow": "x", "version": 1, "configuration": ["a"], "sent": {"a": ["1", "", [], 1, 0]}}]},
        {
            "frames": [
                {"flow": "x", "version": 1, "configuration": [], "variables": {"a": {"$decimal": "NaN"}}}
            ]
        },
        {"counter": "5"},
        {"locale": 5},
        {"status": "asleep"},
        {"frames": [{"flow": "x", "version": 1, "configuration": None}]},
    ],
)
def test_a_damaged_state_is_a_clear_error(damage: dict[str, object]) -> None:
    with pytest.raises(StateError, match="damaged"):
        State.from_json(full().to_json() | damage)


def test_another_format_is_a_clear_error() -> None:
    with pytest.raises(StateError, match="format 99"):
        State.from_json({"format": 99})


def test_a_state_in_no_state_is_a_clear_error() -> None:
    talk = Talk("{flow: x, states: {a: {}}}").start()
    state = talk.state
    state.frames[0].configuration = []

    with pytest.raises(StateError, match="in no state at all"):
        talk.engine.handle(state, Event("t"), talk.context)


def test_typed_variables_pass_from_turn_to_turn() -> None:
    flow = """
    flow: x
    datamodel:
      price: {type: money, default: 100}
      due: {type: date, default: "2026-12-01"}
      q: {type: number}
    states:
      a:
        transitions:
          - event: t
            cond: "price == business.fee and due > today"
            on: [{assign: {q: "{{ '1.5' }}"}}, {assign: {location: price, expr: price + price}}]
    """
    talk = Talk(flow, business={"fee": Money(Decimal("100.00"), "INR")}).start().event("t").event("t")

    assert talk.variables == {
        "price": Money(Decimal("200.00"), "INR"),
        "due": date(2026, 12, 1),
        "q": Decimal("1.5"),
    }


def test_what_json_cannot_hold_is_named() -> None:
    state = State([Frame("order", 1, configuration=["a"], variables={"ratio": float("nan")})])

    with pytest.raises(StateError, match='the variable "ratio"'):
        state.to_json()


@pytest.mark.parametrize("data", [None, [], "state"])
def test_a_state_that_is_no_object_is_a_clear_error(data: Any) -> None:
    with pytest.raises(StateError, match="is an object"):
        State.from_json(data)
