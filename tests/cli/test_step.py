import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Ran, wabot

CHART = """
states:
  a:
    initial: true
    transitions: [{event: t1, target: b}]
  b:
    parallel: true
    states:
      x: {states: {p: {initial: true, transitions: [{event: t2, target: q}]}, q: {}}}
      y: {states: {p: {initial: true}}}
    after: {1h: a}
"""

PLAIN = """
name: counter
datamodel:
  - {id: n, expr: "0"}
states:
  low:
    initial: true
    transitions:
      - event: up
        target: high
        cond: n > 0
      - event: up
        on: {assign: {location: n, expr: n + 1}}
  high:
    parallel: true
    states:
      left: {states: {l1: {initial: true}, l2: {transitions: [{event: out, target: low, cond: "In('r1')"}]}}}
      right: {states: {r1: {initial: true}, r2: {}}}
    transitions: [{event: both, target: l2 r2}, {event: one, target: l2}]
"""

CHAT = """
flow: hello
datamodel: {name: {type: text}}
states:
  who:
    initial: true
    ask: {text: Name?, into: name}
    transitions: [{event: answered, target: sure}]
  sure:
    ask: {text: "{{ name }}?", buttons: {yes: Yes, no: No}}
    transitions: [{event: answered, cond: answer == 'yes', target: looking}]
  looking:
    invoke: {id: look, http: {url: "https://example.com"}}
    transitions:
      - {event: done.invoke.look, target: found}
      - {event: error.invoke.look, target: sure}
  found: {final: true}
"""


def events(*given: Any) -> str:
    return "".join(f"{event if isinstance(event, str) else json.dumps(event)}\n" for event in given)


def step(folder: Path, chart: str, *given: Any, name: str = "chart.yaml") -> Ran:
    file = folder / name
    file.write_text(chart, encoding="utf-8")
    return wabot("step", file, stdin=events(*given))


def configurations(ran: Ran) -> list[list[str]]:
    assert ran.err == ""
    assert ran.code == 0
    return [line["configuration"] for line in ran.lines]


def test_one_line_for_the_start_and_one_for_each_event(tmp_path: Path) -> None:
    ran = step(tmp_path, CHART, {"name": "t1", "data": {}}, {"name": "unknown"}, {"name": "t2"})
    assert configurations(ran) == [["a"], ["b.x.p", "b.y.p"], ["b.x.p", "b.y.p"], ["q", "b.y.p"]]
    assert ran.lines[0]["state"]["frames"][0]["flow"] == "chart"
    assert ran.lines[1]["effects"] == [{"type": "timer", "id": "b.1h", "key": "b.1h#1", "seconds": 3600.0}]


def test_a_timer_is_told_by_its_id_alone(tmp_path: Path) -> None:
    ran = step(tmp_path, CHART, {"name": "t1"}, {"name": "timer.b.1h"}, {"name": "timer.b.1h"})
    assert configurations(ran) == [["a"], ["b.x.p", "b.y.p"], ["a"], ["a"]]


def test_a_plain_statechart(tmp_path: Path) -> None:
    ran = step(tmp_path, PLAIN, *({"name": name} for name in ("up", "up", "one", "out", "up", "both", "out")))
    assert configurations(ran) == [
        ["low"],
        ["low"],
        ["l1", "r1"],
        ["l2", "r1"],
        ["low"],
        ["l1", "r1"],
        ["l2", "r2"],
        ["l2", "r2"],
    ]


def test_a_conversation_in_events(tmp_path: Path) -> None:
    ran = step(
        tmp_path,
        CHAT,
        {"name": "message.text", "data": {"text": "Asha"}},
        {"name": "message.button.yes"},
        {"name": "error.invoke.look", "data": {"message": "down"}},
        {"name": "message.text", "data": "1"},
        {"name": "done.invoke.look", "data": {"status": 200}},
    )
    assert configurations(ran) == [["who"], ["sure"], ["looking"], ["sure"], ["looking"], ["found"]]
    assert ran.lines[1]["effects"][0]["message"]["text"] == "Asha?"
    assert ran.lines[5]["state"]["status"] == "ended"


def test_a_button_that_nothing_shows(tmp_path: Path) -> None:
    chart = "states: {a: {initial: true, transitions: [{event: message.button.maybe, target: b}]}, b: {}}"
    assert configurations(step(tmp_path, chart, {"name": "message.button.maybe"})) == [["a"], ["b"]]


def test_going_on_from_a_state(tmp_path: Path) -> None:
    first = step(tmp_path, CHAT, {"name": "message.text", "data": {"text": "Asha"}})
    for saved in (first.lines[1], first.lines[1]["state"]):
        (tmp_path / "state.json").write_text(json.dumps(saved))
        ran = wabot(
            "step",
            tmp_path / "chart.yaml",
            "--state",
            tmp_path / "state.json",
            stdin='{"name": "message.button.yes"}',
        )
        assert configurations(ran) == [["sure"], ["looking"]]
        assert ran.lines[0]["effects"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is not JSON"),
        ("[]", "a state is a JSON object"),
        ("{}", "state of format None can't be read"),
        ('{"format": 1}', "the stored state is damaged"),
    ],
)
def test_a_state_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "chart.yaml").write_text(CHART)
    (tmp_path / "state.json").write_text(text)
    ran = wabot("step", tmp_path / "chart.yaml", "--state", tmp_path / "state.json")
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "this line is not JSON"),
        ("[]", "an event is an object with a name"),
        ('{"name": 1}', "an event is an object with a name"),
        ('{"name": ""}', "an event is an object with a name"),
        ('{"name": "x", "date": 1}', "an event has no date"),
        ('{"name": "message.text", "data": {"txt": 1}}', "this is no message: txt"),
        ('{"name": "message.text", "data": {"kind": "text"}}', "this is no message: "),
        ('{"name": "message.text", "data": [1]}', "the data of a message is an object"),
    ],
)
def test_a_line_that_is_no_event(tmp_path: Path, line: str, message: str) -> None:
    ran = step(tmp_path, CHART, {"name": "t1"}, "", line, {"name": "t2"})
    assert ran.code == 1
    assert [answer["configuration"] for answer in ran.lines] == [["a"], ["b.x.p", "b.y.p"]]
    told = json.loads(ran.err)
    assert message in told["error"]
    assert (told["kind"], told["line"]) == ("UsageError", 3)


def test_an_event_that_fails_leaves_the_last_state_good(tmp_path: Path) -> None:
    chart = 'states: {a: {initial: true, transitions: [{event: go, cond: "1 / 0 > 1", target: a}]}}'
    ran = step(tmp_path, chart, {"name": "go"})
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert json.loads(ran.err)["kind"] == "ExpressionError"


def test_a_flow_that_is_none(tmp_path: Path) -> None:
    ran = step(tmp_path, "states: {a: {intial: true}}")
    assert (ran.code, ran.out) == (1, "")
    assert 'unknown key "intial"' in ran.err
    assert 'did you mean "initial"?' in ran.err


def test_a_trace(tmp_path: Path) -> None:
    (tmp_path / "chart.yaml").write_text(CHART)
    ran = wabot("step", tmp_path / "chart.yaml", "--trace", stdin='{"name": "t1"}\n')
    kinds = [entry["kind"] for entry in ran.lines[1]["trace"]]
    assert {"exit", "transition", "enter"} <= set(kinds)
    assert {"kind", "path", "text"} == set(ran.lines[1]["trace"][0])


def test_texts_and_flows_beside_the_flow_are_found(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.yaml").write_text("greeting: Good day\n")
    (tmp_path / "flows" / "inner.yaml").write_text("flow: inner\nstates: {x: {initial: true}}\n")
    (tmp_path / "flows" / "broken.yaml").write_text("{")
    ran = step(
        tmp_path / "flows",
        "flow: outer\nstates: {a: {initial: true, enter: {say: greeting}, invoke: {flow: inner}}}",
        name="outer.yaml",
    )
    assert configurations(ran) == [["x"]]
    assert ran.lines[0]["effects"][0]["message"]["text"] == "Good day"


def test_a_project_gives_its_flows_and_texts(tmp_path: Path) -> None:
    for folder, name, text in (
        ("", "wabot.toml", 'flow = "outer"\nmodules = []\nflows = ["flows", "more"]\n'),
        ("flows", "outer.yaml", "flow: outer\nstates: {a: {initial: true, invoke: {flow: inner}}}"),
        ("flows", "copy.yaml", "flow: outer\nstates: {a: {initial: true, invoke: {flow: inner}}}"),
        ("more", "inner.yaml", "flow: inner\nstates: {x: {initial: true, enter: {say: hello}}}"),
        ("texts", "en.yaml", "hello: Hello\n"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    ran = wabot("step", tmp_path / "flows" / "outer.yaml")
    assert configurations(ran) == [["x"]]
    assert ran.lines[0]["effects"][0]["message"]["text"] == "Hello"
