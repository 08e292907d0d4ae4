"""What the checker knows of the 24-hour window, beyond the wrong flow of its finding."""

import pytest

from wabot.engine.check import check
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts


def late(*flows: str, texts: Texts | None = None) -> list[str]:
    """What may be said too late: the flow's file with the line's own text."""
    sources = [load_flow(text, f"{number}.yaml") for number, text in enumerate(flows)]
    found = [problem for problem in check(sources, texts) if problem.code == "no-template"]
    lines = [(problem.place, flows[int(problem.place.file[0])].splitlines()) for problem in found]
    return [f"{place.file[0]}: {lines[place.line - 1].strip()}" for place, lines in lines]


def flow(states: str, name: str = "f") -> str:
    return f"flow: {name}\nstates:\n" + states.replace("\n    ", "\n").lstrip("\n")


def test_timers_on_one_way_add_up() -> None:
    states = """
      a: {initial: true, after: {12h: b}}
      b: {after: {12h: c}, transitions: {event: message, target: d}}
      c:
        enter: {say: Too late}
        transitions: {event: message, target: d}
      d: {after: {12h: e}}
      e:
        enter: {say: In time}
        final: true
    """
    assert late(flow(states)) == ["0: enter: {say: Too late}"]


def test_a_circle_without_a_message_goes_on_for_ever() -> None:
    states = """
      a:
        enter: {say: Nudge}
        after: {1h: a}
        transitions: {event: message, target: end}
      end: {final: true}
    """
    assert late(flow(states)) == ["0: enter: {say: Nudge}"]
    assert late(flow(states.replace("after: {1h: a}", "after: {1h: {on: {say: Once}}}"))) == []


def test_a_question_counts_and_its_answers_do_not() -> None:
    states = """
      a: {after: {2d: b}}
      b:
        ask: {text: Still there?, type: yesno}
        transitions:
          - {event: answered, on: {say: Good}, target: c}
          - {event: exhausted, on: {say: Pity}, target: c}
      c: {final: true}
    """
    assert late(flow(states)) == ["0: ask: {text: Still there?, type: yesno}"]


def test_what_follows_at_once_is_as_late() -> None:
    states = """
      a: {after: {2d: {on: {raise: over}, target: b}}}
      b:
        exit: {say: Leaving}
        transitions: {event: over, on: {say: Over}, target: c}
      c:
        transitions: {target: d}
      d:
        states:
          e: {initial: true, transitions: {target: f}}
          f: {final: true}
        transitions: {event: done.state.d, target: g}
      g:
        enter: {if: {cond: 1 > 0, then: {say: Done}}}
        final: true
    """
    assert late(flow(states)) == [
        "0: exit: {say: Leaving}",
        "0: transitions: {event: over, on: {say: Over}, target: c}",
        "0: enter: {if: {cond: 1 > 0, then: {say: Done}}}",
    ]


def test_a_state_that_is_left_and_entered_inside_its_parent_keeps_the_parents_time() -> None:
    states = """
      a:
        after: {20h: {on: {say: In time}, target: end}}
        states:
          b: {initial: true, after: {10h: c}}
          c: {after: {10h: b}}
        transitions: {event: message, target: end}
      end: {final: true}
    """
    assert late(flow(states)) == []


@pytest.mark.parametrize(
    ("send", "found"),
    [
        ("{event: tick, delay: 23h}", 0),
        ("{event: tick, delay: 1d}", 1),
        ("{event: tick, delayexpr: wait}", 1),
        ('{event: tick, delay: "{{ wait }}"}', 1),
        ("{event: tick}", 0),
        ("{eventexpr: wait, delay: 2d}", 0),
    ],
)
def test_a_send_is_as_late_as_its_delay(send: str, found: int) -> None:
    text = f"""
flow: f
datamodel: {{wait: {{type: text, default: 2d}}}}
states:
  a:
    enter: {{send: {send}}}
    transitions:
      - {{event: tick.*, on: {{say: Tick}}, target: end}}
      - {{event: "*", on: {{say: Anything}}}}
  end: {{final: true}}
"""
    assert len(late(text)) == found


def test_a_flow_on_top_begins_and_ends_as_late_as_it_may() -> None:
    outer = """
      a: {after: {2d: b}}
      b:
        invoke: {id: inner, flow: inner}
        transitions:
          - {event: done.invoke.inner, target: c}
      c:
        invoke: {id: quick, flow: quick}
        transitions:
          - {event: done.invoke.quick, on: {say: Quick}, target: d}
      d:
        invoke: {id: slow, flow: slow}
        transitions:
          - {event: done.invoke.slow, on: {say: Slow}, target: end}
      end: {final: true}
    """
    inner = """
      a:
        enter: {say: Begun late}
        transitions: {event: message, target: b}
      b:
        enter: {say: In time}
        final: true
    """
    quick = "\n      a: {initial: true, transitions: {event: message, target: b}}\n      b: {final: true}\n"
    slow = "\n      a: {initial: true, after: {3d: b}}\n      b: {final: true}\n"
    flows = [flow(outer), flow(inner, "inner"), flow(quick, "quick"), flow(slow, "slow")]
    assert late(*flows) == [
        "0: - {event: done.invoke.slow, on: {say: Slow}, target: end}",
        "1: enter: {say: Begun late}",
    ]


def test_a_digression_begins_as_late_as_its_action() -> None:
    outer = "\n      a: {initial: true, after: {2d: {on: {digress: inner}}}}\n"
    inner = "\n      a:\n        enter: {say: Late}\n        final: true\n"
    assert late(flow(outer), flow(inner, "inner")) == ["1: enter: {say: Late}"]


def test_flows_that_begin_each_other_come_to_an_end() -> None:
    one = """
      a: {initial: true, after: {1m: b}}
      b:
        invoke: {id: other, flow: other}
        after: {1m: c}
        transitions: {event: done.invoke.other, target: c}
      c:
        enter: {say: Late}
        final: true
    """
    other = one.replace("flow: other", "flow: f").replace("Late", "Late too")
    assert late(flow(one), flow(other, "other")) == ["0: enter: {say: Late}", "1: enter: {say: Late too}"]


def test_another_region_and_a_command_that_fails_are_followed() -> None:
    text = """
flow: f
states:
  both:
    parallel: true
    states:
      clock:
        states:
          a: {initial: true, after: {2d: {on: {raise: rung}, target: b}}}
          b: {after: {1m: a}}
      ear:
        states:
          c: {initial: true, transitions: {event: rung, on: {say: Rung}}}
    transitions:
      - {event: message.text, target: end}
  end: {final: true}
"""
    assert len(late(text)) == 1


def test_with_a_template_nothing_is_found() -> None:
    states = """
      a: {initial: true, after: {2d: b}}
      b:
        enter:
          - say: {text: Come back, template: {name: come_back}}
          - say: come_back
        final: true
    """
    texts = Texts({"en": {"come_back": {"text": "Come back", "template": {"name": "come_back"}}}})
    assert late(flow(states), texts=texts) == []
    lacking = Texts(
        {
            "en": {"come_back": {"text": "Come back", "template": {"name": "come_back"}}},
            "hi": {"come_back": "आओ"},
        }
    )
    assert late(flow(states), texts=lacking) == ["0: - say: come_back"]


def test_a_large_flow_is_checked_quickly() -> None:
    """Each state waits an hour for the one before it in the file: the order that is hardest to follow."""
    chain = "".join(f"  s{n}: {{after: {{1h: s{n - 1}}}}}\n" for n in range(1, 400))
    first, last = "  s0: {enter: {say: Late}, final: true}\n", "  z: {initial: true, after: {1h: s399}}\n"
    assert len(late(f"flow: f\nstates:\n{first}{chain}{last}")) == 1


def test_a_person_may_keep_a_conversation_for_long() -> None:
    """What is said right when it is handed back may come too late; what follows is not said again of it."""
    states = """
      a:
        invoke: {id: person, agent: {}}
        transitions: {event: done.invoke.person, on: {say: Back}, target: b}
      b:
        enter: {say: So}
        transitions: {target: c}
      c:
        enter: {say: Next}
        final: true
    """
    assert late(flow(states)) == [
        "0: transitions: {event: done.invoke.person, on: {say: Back}, target: b}",
        "0: enter: {say: So}",
    ]
