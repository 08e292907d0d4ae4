from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import BaseModel

from tests.testing import shop
from wabot.core.module import Call, Module
from wabot.engine.problems import Path as Where
from wabot.errors import Rejected
from wabot.testing import Project
from wabot.testing.coverage import Coverage, percent
from wabot.testing.files import read_cases
from wabot.testing.junit import junit
from wabot.testing.outcome import Outcome
from wabot.testing.player import play
from wabot.testing.update import rewritten


def played(project: Project, steps: str, *, update: bool = False) -> Outcome:
    text = "conversation:\n" + "".join(f"  {line}\n" for line in steps.strip().splitlines())
    [case] = read_cases("t.yaml", text)
    return play(case, project, update=update)


GOOD = """
steps:
  - contact: Hi
    bot: Welcome, Asha!
    state: welcome
    flow: shop
    ended: false
  - contact: Ravi
  - bot: {text: "Are you Ravi?", buttons: {yes: "Yes", no: "No"}}
    state: [asked]
    variables: {name: Ravi}
    check: [name == 'Ravi', stock == 0]
    timers: {asked.1h: 60m}
  - check: In('asked')
    timers: [asked.1h]
  - wait: 30m
    silent: true
    timers: {asked.1h: 30m}
  - tap: {option: "No", message: -1}
    bot: [{matches: "^Welcome"}]
  - tap: {option: yes, message: 2}
  - send: {image: "https://example.com/a.jpg", text: crack}
    bot: [A picture!, {any: true}]
  - send: {document: {url: "https://example.com/a.pdf", filename: a.pdf}}
  - send: {location: {latitude: 1.5, longitude: 2}}
    bot: {contains: "1.5"}
  - send: {card: {name: Ravi}}
    bot: A card!
  - contact: Meera
  - tap: yes
    effects:
      - {invoke: look, kind: http, arguments: {url: "https://example.com"}}
    bot: []
  - fail: {look: is down}
    bot: [is down]
  - bot: {options: [Yes, No]}
  - tap: yes
  - complete: {look: {stock: 7}}
    bot: {contains: There are 7}
    rows:
      contact: [{phone: "+919800000001", name: Asha}]
      conversation: 1
"""


def test_a_conversation_that_goes_as_written(opened: Project) -> None:
    outcome = played(opened, GOOD)
    assert [str(failure) for failure in outcome.failures] == []
    assert outcome.status == "passed"
    assert outcome.seconds > 0
    assert outcome.transcript[0] == ("contact", "Hi")
    assert {"enter", "transition"} <= {trace.kind for trace in outcome.trace}


def test_stubs_settings_and_setup(opened: Project) -> None:
    outcome = played(
        opened,
        """
locale: hi
contact: {name: Ravi, phone: "+911"}
now: 2026-01-05T12:00
flow: shop
stubs: {look: [{fail: is down}, {complete: {stock: 1}}]}
steps:
  - contact: Hi
    bot: नमस्ते Ravi!
    check: now.hour == 12
  - contact: x
  - tap: yes
    bot: [is down, {any: true}]
  - tap: yes
    bot: There are 1.
""",
    )
    assert [str(failure) for failure in outcome.failures] == []


@pytest.mark.parametrize(
    ("steps", "line", "told"),
    [
        ("- contact: Hi\n  bot: Hello", 3, ["the bot answered otherwise", "- Hello", "+ Welcome, Asha!"]),
        (
            "- contact: Hi\n  bot: {contains: Hello}",
            3,
            ['text: "Hello" is not in it', "the bot said:", "+ Welcome, Asha!"],
        ),
        ("- contact: Hi\n  bot: [Hello, x]", 3, ["the bot answered otherwise"]),
        (
            "- contact: Hi\n  bot: [{any: true}, More]",
            3,
            ["the bot said nothing more after 1", '- {text: "More"}'],
        ),
        ("- contact: Hi\n  bot: []", 3, ["the bot said more than expected", "+ Welcome, Asha!"]),
        ("- contact: Hi\n  bot: []\n- contact: x", 3, ["the bot said more than expected"]),
        (
            "- contact: Hi\n  bot:",
            3,
            ["nothing is expected here yet; wabot test --update fills it in", "+ Welcome"],
        ),
        ("- contact: Hi\n  silent: true", 3, ["the bot spoke", "+ Welcome, Asha!"]),
        ("- contact: Hi\n- wait: 1m\n  silent: false", 4, ["the bot is silent"]),
        ("- wait: 1m\n  bot: Hello", 3, ["the bot said nothing more", '- {text: "Hello"}']),
        ("- contact: Hi\n  state: asked", 3, ["not in asked", "active: welcome"]),
        ("- wait: 1s\n  state: asked", 3, ["not in asked", "active: none"]),
        ("- contact: Hi\n  flow: inner", 3, ['expected the flow "inner", got "shop"']),
        ("- contact: Hi\n  ended: true", 3, ["the flow goes on"]),
        ("- contact: Hi\n- contact: x\n- contact: bye\n  ended: false", 5, ["the flow has ended"]),
        (
            "- contact: Hi\n  variables: {name: x, other: 1}",
            3,
            ["variables differ", 'name: expected "x", got ""', "other: expected 1, there is none"],
        ),
        ("- contact: Hi\n  check: stock > 1", 3, ["stock > 1 is false"]),
        ("- contact: Hi\n  timers: [asked.1h]", 3, ["other timers are open", "+ none"]),
        (
            "- contact: Hi\n- contact: x\n  timers: {asked.1h: 2h}",
            4,
            ["other timers are open", "+ asked.1h: 1h"],
        ),
        ("- contact: Hi\n- contact: x\n  timers: []", 4, ["other timers are open"]),
        ("- contact: Hi\n  effects: [{invoke: look}]", 3, ['{invoke: "look"} was not asked for', "+ {say:"]),
        ("- wait: 1s\n  effects: [{invoke: look}]", 3, ["+ nothing"]),
        ("- contact: Hi\n  rows: {contact: 2}", 3, ["contact: expected 2 rows, got 1"]),
        (
            "- contact: Hi\n  rows:\n    contact: [{name: x}]",
            4,
            ["rows differ", 'contact[0].name: expected "x"'],
        ),
    ],
)
def test_a_conversation_that_goes_another_way(
    opened: Project, steps: str, line: int, told: list[str]
) -> None:
    outcome = played(opened, steps)
    assert outcome.status == "failed"
    [failure] = outcome.failures
    assert failure.place.line == line
    for part in told:
        assert part in str(failure)


def test_a_failure_shows_what_was_said_before(opened: Project) -> None:
    [failure] = played(opened, "- contact: Hi\n- contact: Ravi\n  bot: x").failures
    assert str(failure).endswith(
        "    so far:\n"
        "    contact: Hi\n"
        "    bot: Welcome, Asha!\n"
        "    contact: Ravi\n"
        "    bot: Are you Ravi?\n"
        "         [Yes] [No]"
    )
    assert failure.as_json()["line"] == 4


@pytest.mark.parametrize(
    ("steps", "line", "told"),
    [
        ("- tap: yes", 2, "the bot showed nothing to tap"),
        ("- contact: Hi\n- complete: {look: 1}", 3, "open: none"),
        ("- contact: Hi\n  rows: {nothing: 1}", 2, 'there is no table "nothing"'),
        ("- contact: Hi\n  check: nothing > 1", 2, '"nothing"'),
        ("- command: {orders.nothing: {}}", 2, 'there is no command "orders.nothing"'),
        ("flow: outer\nsteps: [{contact: Hi}]", 3, 'there is no flow "outer"'),
        ("setup: [{orders.nothing: {}}]\nsteps: [{contact: Hi}]", 3, 'there is no command "orders.nothing"'),
    ],
)
def test_what_can_not_be_played_is_an_error(opened: Project, steps: str, line: int, told: str) -> None:
    outcome = played(opened, steps)
    assert outcome.status == "error"
    assert outcome.failures[0].place.line == line
    assert told in str(outcome.failures[0])


def test_a_conversation_that_is_skipped(opened: Project) -> None:
    outcome = played(opened, "skip: not yet\nsteps: [{contact: Hi}]")
    assert (outcome.status, outcome.transcript) == ("skipped", [])


@pytest.mark.parametrize(
    ("steps", "updates"),
    [
        ("- contact: Hi\n  bot: Hello", [(("conversation", 0, "bot"), "Welcome, Asha!")]),
        ("- contact: Hi\n  bot: {contains: Welcome}", []),
        ("- contact: Hi\n  bot:", [(("conversation", 0, "bot"), "Welcome, Asha!")]),
        ("- contact: Hi\n  bot: []", [(("conversation", 0, "bot"), "Welcome, Asha!")]),
        ("- contact: Hi\n  bot: [a, b]", [(("conversation", 0, "bot"), "Welcome, Asha!")]),
        ("- contact: Hi\n- contact: bye\n  state: asked", []),
        (
            "- contact: Hi\n- contact: Ravi\n  bot: {buttons: [x]}",
            [(("conversation", 1, "bot"), {"text": "Are you Ravi?", "buttons": ["Yes", "No"]})],
        ),
        (
            "- contact: Hi\n- send: {image: x}\n  bot: [A picture!, x]",
            [(("conversation", 1, "bot", 1), "Welcome, Asha!")],
        ),
        (
            "- contact: Hi\n- send: {image: x}\n  bot: A picture!",
            [(("conversation", 1, "bot"), ["A picture!", "Welcome, Asha!"])],
        ),
        (
            "- contact: Hi\n- send: {image: x}\n- bot: x\n- bot: y",
            [(("conversation", 2, "bot"), "A picture!"), (("conversation", 3, "bot"), "Welcome, Asha!")],
        ),
        ("- contact: Hi\n- send: {image: x}\n  bot: [{contains: A}, {rest: true}]", []),
        ("- wait: 1s\n  bot: x", [(("conversation", 0, "bot"), [])]),
    ],
)
def test_what_an_update_writes(opened: Project, steps: str, updates: list[tuple[Where, object]]) -> None:
    outcome = played(opened, steps, update=True)
    assert outcome.updates == updates
    assert outcome.status == "passed"


def test_an_update_makes_the_conversation_pass(opened: Project) -> None:
    text = "conversation:\n  - contact: Hi\n    bot: x\n  - send: {image: x}\n    bot:\n"
    text += "  - contact: Ravi\n    bot: [a, b]\n"
    [case] = read_cases("t.yaml", text)
    updated = rewritten(text, play(case, opened, update=True).updates)
    [case] = read_cases("t.yaml", updated)
    assert play(case, opened).status == "passed"


def test_an_update_does_not_hide_other_failures(opened: Project) -> None:
    outcome = played(opened, "- contact: Hi\n  bot: x\n  state: asked", update=True)
    assert (outcome.status, len(outcome.updates)) == ("failed", 1)


class Ring(BaseModel):
    times: int = 1


def desk() -> Module:
    module = Module("desk")

    @module.command("ring")
    def ring(arguments: Ring, call: Call) -> dict[str, int]:
        if arguments.times > 3:
            raise Rejected("too loud", code="too_loud")
        if arguments.times == 0:
            raise KeyError("bell")
        return {"rung": arguments.times}

    return module


@pytest.mark.parametrize(
    ("step", "status", "told"),
    [
        ("{command: {desk.ring: {times: 2}}, result: {rung: 2}}", "passed", ""),
        ("{command: {desk.ring: }, result: {rung: 1}}", "passed", ""),
        ("{command: {desk.ring: {times: 9}}, rejected: too_loud}", "passed", ""),
        ("{command: {desk.ring: {times: 2}}, result: {rung: 3}}", "failed", "the result differs"),
        ("{command: {desk.ring: {times: 9}}}", "failed", "the command was refused: too_loud"),
        ("{command: {desk.ring: {times: 2}}, rejected: x}", "failed", 'to be refused with "x", got null'),
        ("{command: {desk.ring: {times: no}}}", "error", "desk.ring: times"),
        ("{command: {desk.ring: {times: 0}}}", "error", "KeyError: 'bell'"),
    ],
)
def test_commands(project: Path, step: str, status: str, told: str) -> None:
    [case] = read_cases("t.yaml", f"conversation:\n  - contact: Hi\n  - {step}\n")
    outcome = play(case, Project.open(project, modules=[desk()]))
    assert outcome.status == status
    assert told in "".join(map(str, outcome.failures))


def test_a_command_before_the_first_message(project: Path) -> None:
    text = "conversation: {setup: [{desk.ring: {times: 1}}], steps: [{contact: Hi, bot: 'Welcome, Asha!'}]}"
    [case] = read_cases("t.yaml", text)
    assert play(case, Project.open(project, modules=[desk()])).status == "passed"


def test_junit(opened: Project) -> None:
    outcomes = [
        played(opened, "- contact: Hi"),
        played(opened, '- contact: "a\\x01b"\n- contact: x\n  bot: y'),
        played(opened, "- tap: yes"),
        played(opened, "skip: not yet\nsteps: [{contact: Hi}]"),
    ]
    [suite] = ET.fromstring(junit(outcomes))
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    good, failed, error, skipped = suite
    assert (good.get("name"), good.get("classname"), good.get("file")) == ("t", "t", "t.yaml")
    assert (list(good), skipped[0].get("message")) == ([], "not yet")
    assert (failed[0].tag, error[0].tag) == ("failure", "error")
    assert "a\ufffdb" in str(failed[0].text)


def test_coverage(opened: Project) -> None:
    coverage = Coverage(opened.sources)
    assert (coverage.percent, percent(0, 0)) == (0.0, 100.0)
    coverage.record(played(opened, "- contact: Hi\n- contact: Ravi\n- wait: 1h").trace)
    inner, main = coverage.flows()
    assert (main.flow, main.states, main.states_taken) == ("shop", 8, 3)
    assert (main.transitions, main.transitions_taken) == (19, 2)
    assert (inner.states_taken, inner.transitions_taken) == (0, 0)
    missing = [f"{place}  {item.label}" for item, place in main.missing]
    assert f"{main.file}:10:5  the flow: message intent bye → end" in missing
    assert f"{main.file}:26:9  asked: answered [answer == 'yes'] → looking" in missing
    assert main.percent == pytest.approx(100 * 5 / 27)
    assert main.as_json()["missing"][0] == {
        "kind": "transition",
        "what": "the flow: message intent bye → end",
        "line": 10,
        "column": 5,
    }


def test_coverage_is_of_the_newest_version(project: Path) -> None:
    text = shop.INNER.replace("flow: inner", "flow: inner\nversion: 2")
    (project / "flows" / "newer.yaml").write_text(text)
    coverage = Coverage(Project.open(project).sources)
    assert [(flow.flow, flow.version) for flow in coverage.flows()] == [("inner", 2), ("shop", 1)]
