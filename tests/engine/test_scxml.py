"""Plain statecharts: each construct of SCXML by a chart of our own."""

import re
from textwrap import dedent

import pytest

from tests.engine.playing import Talk

NOTE = re.compile(r"\+([a-z]\w*)")
SEEN = "datamodel: {seen: {type: list, default: []}}"


def noting(chart: str) -> str:
    """`+x` in a chart notes that x happened, in the variable `seen`."""
    acting = NOTE.sub(r"""{assign: {location: seen, expr: "seen + ['\1']"}}""", dedent(chart))
    if acting.startswith("{"):
        return f"{{{SEEN}, {acting[1:]}"
    return f"{SEEN}\n{acting}"


def play(chart: str, *events: str) -> Talk:
    talk = Talk(noting(chart)).start()
    for event in events:
        talk.event(event)
    return talk


def at(chart: str, *events: str) -> list[str]:
    return play(chart, *events).at


def seen(chart: str, *events: str) -> list[str]:
    found: list[str] = play(chart, *events).variables["seen"]
    return found


NESTED = """
flow: nested
states:
  a:
    enter: +in_a
    exit: +out_a
    transitions: [{event: away, target: b, on: +going}]
    states:
      a1:
        enter: +in_a1
        exit: +out_a1
        transitions: [{event: inner, target: a2}, {event: both, target: a2}]
      a2: {enter: +in_a2, exit: +out_a2}
    # An outer transition gives way to one further in.
  b: {enter: +in_b, transitions: [{event: back, target: a2}]}
"""


def test_compound_states_are_entered_outside_in_and_left_inside_out() -> None:
    assert seen(NESTED, "away") == ["in_a", "in_a1", "out_a1", "out_a", "going", "in_b"]


def test_a_target_deep_inside_enters_what_is_around_it() -> None:
    assert seen(NESTED, "away", "back")[-2:] == ["in_a", "in_a2"]


def test_a_transition_among_siblings_keeps_their_parent() -> None:
    assert seen(NESTED, "inner") == ["in_a", "in_a1", "out_a1", "in_a2"]


def test_the_first_child_is_initial_unless_one_is_marked() -> None:
    chart = "{flow: x, states: {a: {states: {b: {}, c: {initial: true, states: {d: {}, e: {}}}}}}}"

    assert at(chart) == ["d"]


def test_an_initial_transition_may_go_deep_and_act() -> None:
    chart = """
    flow: x
    states:
      a:
        enter: +in_a
        transitions: [{initial: true, target: e, on: +by}]
        states:
          b: {}
          c: {enter: +in_c, states: {d: {}, e: {enter: +in_e}}}
    """
    talk = play(chart)
    assert talk.at == ["e"]
    assert talk.variables["seen"] == ["in_a", "by", "in_c", "in_e"]


def test_an_inner_transition_wins_over_an_outer() -> None:
    chart = """
    flow: x
    states:
      a:
        transitions: [{event: t, target: outer}]
        states: {b: {transitions: [{event: t, target: inner}]}}
      inner: {}
      outer: {}
    """
    assert at(chart, "t") == ["inner"]


def test_the_first_transition_that_fits_wins() -> None:
    chart = """
    flow: x
    states:
      a:
        transitions:
          - {event: t, cond: "1 == 2", target: b}
          - {event: t, cond: ["1 == 1", "2 == 2"], unless: "1 == 2", target: c}
          - {event: t, target: d}
      b: {}
      c: {}
      d: {}
    """
    assert at(chart, "t") == ["c"]


PARALLEL = """
flow: parallel
states:
  p:
    parallel: true
    enter: +in_p
    exit: +out_p
    states:
      a:
        enter: +in_a
        exit: +out_a
        states:
          a1: {enter: +in_a1, exit: +out_a1, transitions: [{event: t, target: a2}, {event: x, target: b2}]}
          a2: {enter: +in_a2, exit: +out_a2, final: true}
      b:
        enter: +in_b
        exit: +out_b
        states:
          b1: {enter: +in_b1, exit: +out_b1, transitions: [{event: t, target: b2}, {event: x, target: over}]}
          b2: {enter: +in_b2, exit: +out_b2, final: true}
    transitions: [{event: done.state.p, target: over}, {event: leave, target: over}]
  over: {enter: +over}
"""


def test_all_regions_are_entered_in_document_order_and_left_in_reverse() -> None:
    assert seen(PARALLEL, "leave") == [
        "in_p", "in_a", "in_a1", "in_b", "in_b1",
        "out_b1", "out_b", "out_a1", "out_a", "out_p", "over",
    ]  # fmt: skip


def test_regions_take_an_event_together_and_are_done_together() -> None:
    talk = play(PARALLEL, "t")

    assert talk.at == ["over"]
    assert talk.variables["seen"][5:9] == ["out_b1", "out_a1", "in_a2", "in_b2"]


def test_of_transitions_in_conflict_the_first_in_the_document_wins() -> None:
    # Both would leave the parallel state; a1 stands first. Then entering b2 re-enters a by default.
    assert at(PARALLEL, "x") == ["a1", "b2"]


def test_document_order_holds_after_regions_were_entered_in_another_order() -> None:
    chart = """
    flow: x
    states:
      p:
        parallel: true
        states:
          a:
            states:
              a1: {transitions: [{event: again, target: a1}, {event: go, target: first}]}
          b:
            states:
              b1: {transitions: [{event: go, target: second}]}
      first: {}
      second: {}
    """
    assert at(chart, "again", "go") == ["first"]


def test_a_conflict_is_won_by_the_descendant() -> None:
    chart = """
    flow: x
    states:
      p:
        parallel: true
        transitions: [{event: t, target: outer}]
        states:
          a: {states: {a1: {}}}
          b: {states: {b1: {transitions: [{event: t, target: b2}]}, b2: {}}}
      outer: {}
    """
    assert at(chart, "t") == ["a1", "b2"]


def test_several_targets_enter_their_regions() -> None:
    chart = """
    flow: x
    states:
      start: {transitions: [{event: t, target: a2 b2}]}
      p:
        parallel: true
        states:
          a: {states: {a1: {}, a2: {}}}
          b: {states: {b1: {}, b2: {}}}
    """
    assert at(chart, "t") == ["a2", "b2"]


def test_a_final_child_ends_its_parent_with_data() -> None:
    chart = """
    flow: x
    datamodel: {got: {}}
    states:
      a:
        states:
          b: {transitions: [{event: t, target: c}]}
          c: {final: true, donedata: {params: [{name: n, expr: 1 + 1}, {name: m, location: got}]}}
        transitions: [{event: done.state.a, target: d, on: [{assign: {location: got, expr: event.data.n}}]}]
      d: {}
    """
    talk = Talk(chart).start().event("t")
    assert talk.at == ["d"]
    assert talk.variables["got"] == 2


@pytest.mark.parametrize(
    ("donedata", "got"),
    [
        ("{content: \"'text'\"}", "text"),
        ("{content: {n: 5}}", {"n": 5}),
        ("{a: '{{ 1 }}', b: x}", {"a": 1, "b": "x"}),
    ],
)
def test_data_of_a_final_state_in_other_forms(donedata: str, got: object) -> None:
    chart = f"""
    flow: x
    datamodel: {{got: {{}}}}
    states:
      a:
        states: {{c: {{final: true, donedata: {donedata}}}}}
        transitions: [{{event: done.state, target: d, on: [{{assign: {{location: got, expr: event.data}}}}]}}]
      d: {{}}
    """
    assert Talk(chart).start().variables["got"] == got


def test_a_top_level_final_state_ends_the_flow_at_once() -> None:
    chart = """
    flow: x
    transitions: [{event: "*", on: +never}, {cond: In('b'), on: +never}]
    states:
      a: {transitions: [{event: t, target: b, on: [{raise: more}, {send: later}]}]}
      b: {final: true, enter: [+end, {raise: again}]}
    """
    talk = play(chart, "t")
    assert talk.ended
    assert talk.at == ["b"]
    assert talk.variables["seen"] == ["end"]


def test_a_top_level_parallel_state_ends_the_flow_when_all_regions_are_final() -> None:
    chart = """
    flow: x
    states:
      p:
        parallel: true
        states:
          a: {states: {a1: {transitions: [{event: t, target: a2}]}, a2: {final: true}}}
          b: {states: {b1: {transitions: [{event: u, target: b2}]}, b2: {final: true}}}
    """
    assert not play(chart, "t").ended
    assert play(chart, "t", "u").ended


def test_a_top_level_parallel_state_that_is_left_when_done_does_not_end_the_flow() -> None:
    assert not play(PARALLEL, "t").ended


HISTORY = """
flow: history
states:
  a:
    states:
      b:
        states:
          b1: {transitions: [{event: t, target: b2}]}
          b2: {transitions: [{event: u, target: c}]}
      c: {}
    history:
      near: {transitions: [{target: c, on: +by_default}]}
      far: {type: deep, transitions: [{target: b2}]}
    transitions: [{event: out, target: away}]
  away:
    transitions:
      - {event: near, target: near, on: +back}
      - {event: far, target: far}
"""


def test_shallow_history_remembers_the_child_only() -> None:
    assert at(HISTORY, "t", "out", "near") == ["b1"]
    assert at(HISTORY, "t", "u", "out", "near") == ["c"]


def test_deep_history_remembers_all_the_way_down() -> None:
    assert at(HISTORY, "t", "out", "far") == ["b2"]
    assert at(HISTORY, "t", "u", "out", "far") == ["c"]


def test_without_a_memory_the_default_is_entered() -> None:
    chart = """
    flow: x
    states:
      away: {transitions: [{event: near, target: near, on: +by}, {event: far, target: far}]}
      a:
        history:
          near: {transitions: [{target: c, on: +default}]}
          far: {type: deep, transitions: [{target: e}]}
        states: {b: {}, c: {}, d: {states: {e: {}, f: {}}}}
    """
    assert at(chart, "near") == ["c"]
    assert at(chart, "far") == ["e"]
    assert seen(chart, "near") == ["by", "default"]


def test_a_transition_to_a_history_state_acts_once() -> None:
    assert seen(HISTORY, "out", "near") == ["back"]
    assert seen(HISTORY, "out", "near", "out", "near") == ["back", "back"]


def test_history_of_parallel_regions() -> None:
    chart = """
    flow: x
    states:
      p:
        parallel: true
        history: {h: {type: deep, transitions: [{target: a2 b2}]}}
        states:
          a: {states: {a1: {transitions: [{event: t, target: a2}]}, a2: {}}}
          b: {states: {b1: {transitions: [{event: u, target: b2}]}, b2: {}}}
        transitions: [{event: out, target: away}]
      away: {transitions: [{event: back, target: h}]}
    """
    assert at(chart, "u", "out", "back") == ["a1", "b2"]
    elsewhere = chart.replace("states:\n", "states:\n      far: {transitions: [{event: h, target: h}]}\n", 1)
    assert at(elsewhere, "h") == ["a2", "b2"]


def test_a_compound_state_may_begin_with_its_history() -> None:
    chart = """
    flow: x
    states:
      a:
        transitions: [{initial: true, target: h, on: +begin}, {event: out, target: away}]
        history: {h: {transitions: [{target: b, on: +default}]}}
        states: {b: {transitions: [{event: t, target: c}]}, c: {}}
      away: {transitions: [{event: back, target: a}]}
    """
    assert at(chart, "t", "out", "back") == ["c"]
    assert seen(chart, "t", "out", "back") == ["begin", "default", "begin"]


SELF = """
flow: self
states:
  a:
    enter: +in_a
    exit: +out_a
    transitions:
      - {event: external, target: a}
      - {event: internal, target: b, internal: true}
      - {event: outward, target: b}
      - {event: targetless, on: +acted}
      - {event: to_self, target: a, internal: true}
    states:
      b: {enter: +in_b, exit: +out_b}
"""


@pytest.mark.parametrize(
    ("event", "then"),
    [
        ("external", ["out_b", "out_a", "in_a", "in_b"]),
        ("internal", ["out_b", "in_b"]),
        ("outward", ["out_b", "out_a", "in_a", "in_b"]),
        ("targetless", ["acted"]),
        ("to_self", ["out_b", "out_a", "in_a", "in_b"]),
    ],
)
def test_internal_external_and_targetless_transitions(event: str, then: list[str]) -> None:
    assert seen(SELF, event)[2:] == then


def test_an_internal_transition_of_an_atomic_state_leaves_it() -> None:
    chart = """
    flow: x
    states:
      a: {enter: +in, exit: +out, transitions: [{event: t, target: a, internal: yes}]}
    """

    assert seen(chart, "t") == ["in", "out", "in"]


def test_actions_run_before_leaving_between_and_after_entering() -> None:
    chart = """
    flow: x
    states:
      a:
        exit: +out
        transitions: [{event: t, target: b, before: +before, on: +on, after: +after}]
      b: {enter: +in}
    """
    assert seen(chart, "t") == ["before", "out", "on", "in", "after"]


def test_eventless_transitions_run_to_completion() -> None:
    chart = """
    flow: x
    datamodel: {n: {default: 0}}
    states:
      a: {transitions: [{event: t, target: b}]}
      b:
        enter: [{assign: {location: n, expr: n + 1}}]
        transitions: [{cond: "n < 5", target: b}, {cond: "n >= 5", target: c}]
      c: {}
    """
    talk = Talk(chart).start().event("t")
    assert talk.at == ["c"]
    assert talk.variables["n"] == 5


def test_eventless_transitions_go_before_raised_events_and_those_before_sent_ones() -> None:
    chart = """
    flow: x
    states:
      a: {transitions: [{event: t, target: b, on: [{send: sent}, {raise: raised}]}]}
      b: {transitions: [{target: c, on: +eventless}, {event: "*", on: +wrong}]}
      c: {transitions: [{event: raised, target: d, on: +raised}, {event: sent, on: +wrong}]}
      d: {transitions: [{event: sent, on: +sent}]}
    """
    assert seen(chart, "t") == ["eventless", "raised", "sent"]


@pytest.mark.parametrize(
    ("descriptor", "event", "taken"),
    [
        ("a.b", "a.b", True), ("a", "a.b", True), ("a.*", "a.b", True), ("a.", "a.b", True),
        ("a.*", "a", True), ("*", "anything.at.all", True), ("x a", "a", True),
        ("a.b", "a", False), ("a", "ab", False), ("a.b", "a.bc", False), ("b", "a.b", False),
        ("done.state", "done.invoke", False), ("done", "done.invoke.x", True),
        ("done done.state", "done", True), ("error", "errors", False),
    ],
)  # fmt: skip
def test_descriptors_match_whole_words_from_the_beginning(descriptor: str, event: str, taken: bool) -> None:
    chart = f"{{flow: x, states: {{a: {{transitions: [{{event: {descriptor!r}, target: b}}]}}, b: {{}}}}}}"
    talk = Talk(chart.replace('"', "'").replace("''", "'")).start().event(event)

    assert talk.at == (["b"] if taken else ["a"])
    assert talk.step.handled is taken


def test_done_events_go_by_state_and_by_prefix() -> None:
    chart = """
    flow: x
    transitions: [{event: "DESCRIPTOR", on: +done}]
    states:
      a:
        states: {b: {states: {f: {final: true}}}}
    """
    for descriptor in ("done.state.b", "done.state.a.b", "done.state", "done.*", "*", "done.state.b.*"):
        assert seen(chart.replace("DESCRIPTOR", descriptor)) == ["done"], descriptor
    for descriptor in ("done.state.a", "done.state.c", "done.state.bb"):
        assert seen(chart.replace("DESCRIPTOR", descriptor)) == [], descriptor


def test_the_name_of_a_done_event_is_the_authors() -> None:
    chart = """
    flow: x
    datamodel: {name: {}}
    transitions: [{event: done, on: {assign: {location: name, expr: event.name}}}]
    states: {a: {states: {f: {final: true}}}, b: {states: {f: {final: true}}}}
    """
    assert Talk(chart).start().variables["name"] == "done.state.a"


def test_events_of_states_can_be_raised_by_name() -> None:
    chart = """
    flow: x
    states:
      a: {transitions: [{event: t, on: [{raise: done.state.b}]}, {event: done.state.b, target: b}]}
      b: {transitions: [{event: answered.a, target: a}]}
    """
    assert at(chart, "t") == ["b"]
    assert at(chart, "t", "answered.a") == ["a"]
    assert at(chart, "t", "answered.nowhere") == ["b"]


def test_in_asks_for_active_states() -> None:
    chart = """
    flow: x
    states:
      p:
        parallel: true
        states:
          a: {states: {a1: {transitions: [{event: t, target: a2}]}, a2: {}}}
          b:
            states:
              b1: {transitions: [{event: u, cond: "In('a2') and In('p') and not In('b2')", target: b2}]}
              b2: {}
    """
    assert at(chart, "u") == ["a1", "b1"]
    assert at(chart, "t", "u") == ["a2", "b2"]


def test_event_names_may_be_anything() -> None:
    names = [
        "configuration",
        "send",
        "states",
        "__class__",
        "model",
        "e.x",
        "ünïcode",
        "🙂",
        "1",
        "a-b",
        "s1",
        "done",
    ]
    transitions = ", ".join(
        f'{{event: "{name}", on: {{assign: {{location: n, expr: n + 1}}}}}}' for name in names
    )
    talk = Talk(f"{{flow: x, datamodel: {{n: 0}}, states: {{a: {{transitions: [{transitions}]}}}}}}").start()

    for count, name in enumerate(names, 1):
        assert talk.event(name).variables["n"] == count


def test_an_unknown_event_changes_nothing() -> None:
    talk = play(NESTED)
    before = talk.text

    talk.event("never heard of")

    assert not talk.step.handled
    assert talk.text == before


def test_the_plain_form_of_python_statemachine_is_read() -> None:
    chart = """
    name: plain
    description: as python-statemachine writes it
    datamodel:
      - {id: x, expr: "0"}
      - {id: items, expr: "[1, 2]"}
    states:
      a:
        initial: true
        enter:
          - foreach: {array: items, item: it, do: [{assign: {location: x, expr: x + it}}]}
        transitions:
          - {event: t, cond: "x === 3 && !(x !== 3) || x == None", target: b}
      b:
        transitions: [{event: t, cond: "_event.name == 't' and _name == 'plain'", target: c}]
      c: {final: true}
    """
    talk = Talk(chart).start().event("t").event("t")

    assert talk.ended
    assert talk.variables["x"] == 3


def test_a_final_state_of_a_region_does_not_hide_the_end() -> None:
    talk = play("""
        flow: x
        states:
          shop:
            parallel: true
            states:
              cart:
                transitions: [{event: done.state.cart, target: over}]
                states:
                  filling: {transitions: [{event: pay, target: paid}]}
                  paid: {final: true}
              chat: {states: {listening: {}}}
          over: {final: true}
    """, "pay")  # fmt: skip
    assert talk.at == ["over"]
    assert talk.ended


@pytest.mark.parametrize("order", [("box", "papers"), ("papers", "box")])
def test_regions_in_regions_end_the_flow_in_any_order(order: tuple[str, str]) -> None:
    talk = play("""
        flow: x
        states:
          ship:
            parallel: true
            states:
              box: {states: {open: {transitions: [{event: box, target: shut}]}, shut: {final: true}}}
              papers:
                parallel: true
                states:
                  bill: {states: {b0: {transitions: [{event: papers, target: b1}]}, b1: {final: true}}}
                  note: {states: {n0: {transitions: [{event: papers, target: n1}]}, n1: {final: true}}}
    """, order[0])  # fmt: skip
    assert not talk.ended
    assert talk.event(order[1]).ended


def test_the_end_of_a_parallel_state_has_no_data_of_its_own() -> None:
    assert play("""
        flow: x
        states:
          work:
            transitions:
              - event: done.state
                on: {assign: {location: seen, expr: "seen + [[event.name, event.data]]"}}
            states:
              both:
                parallel: true
                states:
                  l: {states: {a: {transitions: [{event: g, target: b}]}, b: {final: true, donedata: {n: 1}}}}
                  r: {states: {a: {transitions: [{event: g, target: b}]}, b: {final: true, donedata: {n: 2}}}}
    """, "g").variables["seen"] == [
        ["done.state.l", {"n": 1}], ["done.state.r", {"n": 2}], ["done.state.both", None],
    ]  # fmt: skip


OUTER_HISTORY = """
    flow: x
    states:
      shop:
        history: {last: {type: deep, transitions: [{target: aisle}]}}
        states:
          aisle:
            enter: +in
            exit: +out
            after: {1h: street}
            transitions: [{event: leave, target: street}]
            states: {shelf: {transitions: [{event: again, target: last}]}}
      street:
        transitions:
          - {event: come, target: shop}
          - {event: come_twice, target: shop, on: {raise: again}}
"""


@pytest.mark.parametrize("events", [("leave", "come", "again"), ("leave", "come_twice")])
def test_a_history_further_out_leaves_what_it_enters_again(events: tuple[str, ...]) -> None:
    talk = play(OUTER_HISTORY, *events)
    assert talk.variables["seen"] == ["in", "out", "in", "out", "in"]
    assert [timer.id for timer in talk.frame.timers] == ["shop.aisle.1h"]


def test_an_internal_transition_to_its_own_history_stays_inside() -> None:
    assert seen("""
        flow: x
        states:
          a:
            enter: +in
            exit: +out
            transitions: [{event: back, target: h, internal: true}]
            history: {h: {transitions: [{target: a2}]}}
            states: {a1: {exit: +out1}, a2: {enter: +in2}}
    """, "back") == ["in", "out1", "in2"]  # fmt: skip
