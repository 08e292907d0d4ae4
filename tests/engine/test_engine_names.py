"""Any string is a state's id, and ids are unique among siblings only."""

import json

import pytest

from tests.engine.playing import Talk
from wabot.engine.chart import Chart
from wabot.errors import UnknownName

ODD = [
    "send", "model", "states", "id", "configuration", "a b", "a.b", "🛒", "हिंदी", "__class__", "s0", "s1",
    "current_state_value", "history_values", "plan", "name", "value", "root", "*", "1", "true", "None",
    "_callbacks", "_engine", "is_terminated", "activate_initial_state", "with\nnewline", "done", "e", "e.x",
]  # fmt: skip


@pytest.mark.parametrize("id", ODD)
def test_any_string_is_a_states_id(id: str) -> None:
    chart = {
        "flow": "odd",
        "states": {
            "start": {"transitions": [{"event": "t", "target": "start2"}]},
            "start2": {"states": {id: {"after": {"1h": {"target": "start"}}}, "other": {}}},
        },
    }
    talk = Talk(json.dumps(chart, ensure_ascii=False)).start().event("t")

    assert talk.at == [id]
    assert talk.fire(f"start2.{id}.1h").at == ["start"]


@pytest.mark.parametrize("id", [name for name in ODD if name.strip()])
def test_any_such_id_is_a_target(id: str) -> None:
    chart = {
        "flow": "odd",
        "states": {
            "start": {"transitions": [{"event": "t", "target": id}]},
            id: {
                "states": {"f": {"final": True}},
                "transitions": [{"event": "u", "cond": f"In({id!r})", "target": "start"}],
            },
        },
    }
    if "\n" in id:
        return
    talk = Talk(json.dumps(chart, ensure_ascii=False)).start().event("t")
    assert talk.at == ["f"]
    assert talk.event("u").at == ["start"]


TWINS = """
flow: twins
states:
  left:
    states:
      idle: {transitions: [{event: t, target: busy}, {event: u, target: right.busy}]}
      busy:
        states: {end: {final: true}}
        transitions: [{event: done.state.busy, target: over}]
      over: {}
  right:
    states:
      idle: {transitions: [{event: t, target: busy}]}
      busy:
        states: {end: {transitions: [{event: v, cond: "In('idle')", target: left}, {event: v, target: end}]}}
        transitions: [{event: done.state.busy, target: over}]
      over: {}
"""


def test_ids_may_be_equal_in_different_branches() -> None:
    talk = Talk(TWINS).start()
    assert talk.at == ["left.idle"]
    assert talk.event("t").at == ["left.over"]


def test_a_dotted_path_is_a_target() -> None:
    assert Talk(TWINS).start().event("u").at == ["right.busy.end"]


def test_in_and_configuration_name_the_near_one() -> None:
    talk = Talk(TWINS).start().event("u").event("v")

    assert talk.at == ["right.busy.end"]
    assert talk.frame.configuration == ["right.busy.end"]


def test_an_unknown_target_is_named_with_its_place() -> None:
    flow = "{flow: x, states: {summary: {transitions: [{event: t, target: sumary}]}}}"

    with pytest.raises(UnknownName, match=r'flow0\.yaml:1:\d+: the state "sumary" is unknown') as error:
        Talk(flow).start()
    assert error.value.hint == 'did you mean "summary"?'


def test_an_ambiguous_target_is_named() -> None:
    flow = """
    flow: x
    states:
      a: {transitions: [{event: t, target: z}]}
      b: {states: {z: {}}}
      c: {states: {z: {}}}
    """

    with pytest.raises(UnknownName, match='the state "z" is ambiguous'):
        Talk(flow).start()


def test_reprs_help_in_a_debugger() -> None:
    chart: Chart = Talk(TWINS).engine.library.newest("twins")

    assert repr(chart.root) == "<root (root)>"
    assert repr(chart.spot("left.busy")) == "<compound left.busy>"
