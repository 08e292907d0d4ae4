"""Flows on flows, timers, and what happens outside the turn."""

from datetime import timedelta

import pytest

from tests.engine.playing import Talk, through_json
from wabot.engine.effects import CancelInvoke, CancelTimer, Log, StartInvoke, StartTimer
from wabot.engine.step import Event, Limits
from wabot.errors import BudgetExceeded, ExpressionError, StateError, UnknownName

MAIN = """
flow: main
datamodel: {address: {type: object}, tries: {type: integer, default: 0}}
intents: {cancel: [cancel], help: [help]}
transitions:
  - {event: message, intent: cancel, target: cancelled}
  - {event: message, intent: help, on: {digress: {flow: help, with: {about: "{{ tries }}"}}}}
states:
  asking:
    invoke: {id: address, flow: address, with: {country: India}, into: address}
    after: {1h: late}
    transitions:
      - {event: done.invoke.address, target: done, on: {say: "{{ event.data.city }}, {{ address.country }}"}}
      - {event: wrong, on: {assign: {location: tries, expr: tries + 1}}}
  done:
    ask: Anything else?
  late: {}
  cancelled: {enter: [{say: Cancelled}]}
"""
ADDRESS = """
flow: address
datamodel: {country: {type: text, default: Nowhere}, city: {}}
states:
  city:
    ask: {text: "City in {{ country }}?", into: city, pattern: "[A-Z].*"}
    after: {10m: wait}
    transitions:
      - {event: answered, cond: "answer == 'Nowhere'", on: {send: {event: wrong, target: "#_parent"}}}
      - {event: answered, target: over}
  wait: {}
  over: {final: true, donedata: {city: "{{ city }}", country: "{{ country }}"}}
"""
HELP = """
flow: help
datamodel: {about: {type: integer}}
states:
  a:
    enter: [{say: "Help {{ about }}"}]
    ask: More?
    transitions:
      - {event: answered, cond: "answer == 'no'", target: b}
  b: {final: true}
"""


def talk() -> Talk:
    return Talk(MAIN, ADDRESS, HELP).start()


def test_a_sub_flow_gets_values_and_returns_data() -> None:
    conversation = talk()
    assert conversation.said == ["City in India?"]
    assert [frame.flow for frame in conversation.state.frames] == ["main", "address"]
    assert conversation.at == ["city"]

    conversation.say("Pune")

    assert conversation.said == ["Pune, India", "Anything else?"]
    assert conversation.variables["address"] == {"city": "Pune", "country": "India"}
    assert [frame.flow for frame in conversation.state.frames] == ["main"]


def test_an_interrupt_of_the_outer_flow_comes_before_the_answer_and_drops_the_inner() -> None:
    conversation = talk().say("Cancel")

    assert conversation.said == ["Cancelled"]
    assert [frame.flow for frame in conversation.state.frames] == ["main"]
    assert {effect.key for effect in conversation.step.effects if isinstance(effect, CancelTimer)} == {
        "asking.1h#1",
        "city.10m#3",
    }


def test_what_is_no_answer_to_the_inner_flow_is_asked_again_there() -> None:
    conversation = talk().say("pune")

    assert conversation.said == ["That doesn't look right. Please check it and send it again."]


def test_a_timer_of_the_outer_flow_fires_under_the_inner() -> None:
    conversation = talk().fire("asking.1h")

    assert conversation.at == ["late"]
    assert conversation.step.handled
    assert len(conversation.state.frames) == 1


def test_the_inner_flow_sends_to_the_outer() -> None:
    conversation = talk().say("Nowhere").say("Nowhere")

    assert conversation.state.frames[0].variables["tries"] == 2
    assert conversation.at == ["city"]


def test_a_digression_comes_back_to_the_open_question() -> None:
    conversation = talk().say("help")
    assert conversation.said == ["Help 0", "More?"]
    assert conversation.at == ["a"]

    conversation.say("no")

    assert conversation.said == ["City in India?"]
    assert conversation.at == ["city"]
    assert conversation.say("Pune").at == ["done"]


def test_the_question_keeps_its_number_and_attempts_over_a_digression() -> None:
    conversation = talk().say("pune")
    before = conversation.frame.sent["city"]

    conversation.say("help").say("no")

    assert conversation.frame.sent["city"] == before
    assert before.attempts == 1


def test_a_digression_goes_when_the_flow_below_moves_on() -> None:
    conversation = talk().say("help").fire("city.10m")

    assert [frame.flow for frame in conversation.state.frames] == ["main", "address"]
    assert conversation.at == ["wait"]


def test_the_outer_flow_drops_all_above_it() -> None:
    conversation = talk().say("help").say("cancel")

    assert conversation.at == ["cancelled"]
    assert len(conversation.state.frames) == 1


def test_a_digression_that_ends_at_once_asks_again_too() -> None:
    once = "{flow: help, datamodel: {about: {}}, states: {a: {enter: [{say: Help}], final: true}}}"
    conversation = Talk(MAIN, ADDRESS, once).start().say("help")

    assert conversation.said == ["Help", "City in India?"]


def test_a_tap_on_a_question_below_a_digression_answers_it() -> None:
    below = """
    flow: below
    intents: {help: [help]}
    transitions: [{event: message, intent: help, on: {digress: help}}]
    states:
      a:
        ask: {text: Well?, buttons: {y: Fine, n: Bad}}
        transitions: [{event: answered, target: b}]
      b: {enter: [{say: Good}]}
    """
    conversation = Talk(below, HELP).start().say("help").tap("Fine")

    assert conversation.said == ["Good"]
    assert len(conversation.state.frames) == 1


def test_a_sub_flow_needs_declared_variables() -> None:
    flow = "{flow: main, states: {a: {invoke: {flow: address, with: {counrty: India}}}}}"

    with pytest.raises(ExpressionError, match='"address" has no variable "counrty"') as error:
        Talk(flow, ADDRESS).start()
    assert error.value.hint == 'did you mean "country"?'


def test_a_sub_flow_must_be_there() -> None:
    flow = "{flow: main, states: {a: {invoke: {flow: adress}}}}"

    with pytest.raises(UnknownName, match='there is no flow "adress"'):
        Talk(flow, ADDRESS).start()


def test_an_inline_machine_runs_as_a_plain_statechart_has_it() -> None:
    flow = """
    name: outer
    datamodel: [{id: got, expr: "0"}, {id: x, expr: "20"}]
    states:
      a:
        invoke:
          - id: inner
            type: scxml
            params: [{name: n, expr: "x + 1"}, {name: unknown, expr: "1"}]
            content:
              datamodel: [{id: n, expr: "5"}]
              states:
                wait:
                  transitions: [{event: go, target: over}]
                over:
                  final: true
                  donedata: {params: [{name: sum, expr: n + 1}]}
        transitions:
          - {event: ping, on: [{send: {event: go, target: "#_inner"}}]}
          - event: done.invoke.inner
            target: b
            on: [{assign: {location: got, expr: "_event.data.sum"}}]
      b: {}
    """
    conversation = Talk(flow).start()
    assert [frame.flow for frame in conversation.state.frames] == ["outer", "outer#a.0"]

    conversation.event("ping")

    assert conversation.at == ["b"]
    assert conversation.variables["got"] == 22


def test_a_plain_statechart_names_another_by_src() -> None:
    flow = """
    name: outer
    states:
      a:
        invoke: [{src: inner}]
        transitions: [{event: done.invoke, target: b}]
      b: {}
    """
    assert Talk(flow, "{flow: inner, states: {x: {final: true}}}").start().at == ["b"]


def test_an_inline_flow_that_is_gone_is_a_clear_error() -> None:
    conversation = Talk("{flow: a, states: {x: {}}}").start()
    state = conversation.state
    state.frames[0].flow = "a#x.0"

    with pytest.raises(StateError, match=r'no flow "a#x\.0"'):
        conversation.engine.handle(state, Event("t"), conversation.context)


def test_flows_in_parallel_regions_end_by_themselves() -> None:
    flow = """
    flow: both
    datamodel: {left: {}, right: {}}
    states:
      p:
        parallel: true
        states:
          l:
            states:
              run: {invoke: {flow: one, into: left}, transitions: [{event: done.invoke, target: end}]}
              end: {final: true}
          r:
            states:
              run: {invoke: {flow: one, into: right}, transitions: [{event: done.invoke, target: end}]}
              end: {final: true}
        transitions: [{event: done.state.p, target: over}]
      over: {}
    """
    one = """
    flow: one
    states:
      a: {transitions: [{event: message, target: b}]}
      b: {final: true, donedata: {said: "{{ message.text }}"}}
    """
    conversation = Talk(flow, one).start()
    assert len(conversation.state.frames) == 3

    # done.invoke of either is taken where it belongs: the events' names carry the invokes' ids.
    conversation.say("first")
    assert conversation.state.frames[0].variables["right"] == {"said": "first"}


def test_the_stack_has_a_bottom() -> None:
    flow = "{flow: deep, states: {a: {invoke: {flow: deep}}}}"

    with pytest.raises(BudgetExceeded, match="8 flows on the stack"):
        Talk(flow).start()


def test_invokes_have_a_budget() -> None:
    flow = """
    flow: loop
    states:
      a: {invoke: {flow: nothing}, transitions: [{event: done.invoke, target: a}]}
    """
    with pytest.raises(BudgetExceeded, match="50 invokes"):
        Talk(flow, "{flow: nothing, states: {a: {final: true}}}").start()


AGENT = """
flow: desk
intents: {menu: [menu]}
transitions: [{event: message, intent: menu, target: menu}]
states:
  agent:
    invoke: {id: person, agent: {queue: "{{ contact.name }}"}, into: note}
    transitions: [{event: done.invoke.person, target: menu}]
  menu: {enter: [{say: "Back: {{ note }}"}]}
datamodel: {note: {}}
"""


def test_the_bot_is_silent_while_a_person_has_the_conversation() -> None:
    conversation = Talk(AGENT).start()
    assert conversation.step.effects == [
        StartInvoke("person", "person#1", "agent", {"queue": "Asha"}),
    ]

    conversation.say("menu")
    assert conversation.step.handled
    assert conversation.step.effects == []
    assert conversation.at == ["agent"]

    assert conversation.done("person", "solved").said == ["Back: solved"]


@pytest.mark.parametrize(("written", "arguments"), [("true", {}), ("sales", {"to": "sales"}), ("null", {})])
def test_an_agent_is_asked_for_in_a_word(written: str, arguments: dict[str, str]) -> None:
    conversation = Talk(f"{{flow: x, states: {{a: {{invoke: {{agent: {written}}}}}}}}}").start()

    assert conversation.step.effects == [StartInvoke("a", "a#1", "agent", arguments)]


HTTP = """
flow: web
datamodel: {rate: {type: object}}
states:
  fetch:
    invoke:
      - id: rate
        http: {method: POST, url: "https://example.com/{{ contact.phone }}", json: {n: "{{ 1 + 1 }}"}}
        into: rate
      - {call: catalog.sync, with: {all: true}}
    transitions:
      - {event: done.invoke.rate, target: shown}
      - {event: error.invoke.rate, target: failed}
      - {event: leave, target: failed}
  shown: {enter: [{say: "{{ rate.value }}"}]}
  failed: {enter: [{say: "Failed: {{ event.data.status if event.data else 'left' }}"}]}
"""


def test_work_outside_is_asked_for_and_comes_back() -> None:
    conversation = Talk(HTTP).start()
    assert conversation.step.effects == [
        StartInvoke(
            "rate",
            "rate#1",
            "http",
            {"method": "POST", "url": "https://example.com/+919876543210", "json": {"n": 2}},
        ),
        StartInvoke("fetch.1", "fetch.1#2", "catalog.sync", {"all": True}),
    ]

    conversation.done("rate", {"value": 83.5})

    assert conversation.said == ["83.5"]
    assert [e for e in conversation.step.effects if isinstance(e, CancelInvoke)] == [
        CancelInvoke("fetch.1#2")
    ]


def test_work_outside_may_fail() -> None:
    assert Talk(HTTP).start().failed("rate", {"status": 500}).said == ["Failed: 500"]


def test_leaving_the_state_cancels_what_it_started() -> None:
    conversation = Talk(HTTP).start().event("leave")

    assert {e.key for e in conversation.step.effects if isinstance(e, CancelInvoke)} == {
        "rate#1",
        "fetch.1#2",
    }
    assert conversation.frame.invokes == []


def test_an_answer_to_what_is_no_longer_open_is_ignored() -> None:
    conversation = Talk(HTTP).start()
    key = conversation.invokes["rate"]
    conversation.event("leave")
    before = conversation.text

    conversation.send(Event("done.invoke.rate", {"value": 1}, key=key))

    assert not conversation.step.handled
    assert conversation.text == before
    assert conversation.step.effects == []


def test_what_is_left_in_the_same_macrostep_is_never_started() -> None:
    flow = """
    flow: quick
    states:
      a: {invoke: {agent: true}, after: {1h: b}, transitions: [{target: b}]}
      b: {}
    """
    assert Talk(flow).start().step.effects == []


def test_what_is_left_later_in_the_same_event_is_taken_back() -> None:
    flow = """
    flow: quick
    states:
      a:
        enter: [{send: go}, {send: {event: later, delay: 1h, id: s}}]
        invoke: {agent: true}
        after: {1h: b}
        transitions: [{event: go, target: b, on: [{cancel: s}]}]
      b: {}
    """
    conversation = Talk(flow).start()
    assert conversation.at == ["b"]
    assert conversation.step.effects == []
    assert conversation.frame.timers == []


def test_an_invoke_needs_a_kind() -> None:
    with pytest.raises(ExpressionError, match="neither flow, http, agent nor call"):
        Talk("{flow: x, states: {a: {invoke: {id: x}}}}").start()


TIMERS = """
flow: timers
datamodel: {n: {type: integer, default: 0}}
states:
  a:
    after:
      30m: {cond: "n > 0", target: b}
      1h: b
      1d: {on: {say: Still there?}}
    transitions:
      - {event: again, target: a, on: {assign: {location: n, expr: n + 1}}}
      - {event: timer, on: {say: "untaken {{ event.name }}"}}
  b: {}
"""


def test_timers_of_a_state_are_asked_for() -> None:
    conversation = Talk(TIMERS).start()

    assert conversation.step.effects == [
        StartTimer("a.30m", "a.30m#1", timedelta(minutes=30)),
        StartTimer("a.1h", "a.1h#2", timedelta(hours=1)),
        StartTimer("a.1d", "a.1d#3", timedelta(days=1)),
    ]


def test_a_timer_fires_its_transition_once() -> None:
    conversation = Talk(TIMERS).start()
    key = conversation.timers["a.1d"]

    conversation.fire("a.1d")
    assert conversation.said == ["Still there?"]
    assert conversation.at == ["a"]

    conversation.send(Event("timer.a.1d", key=key))
    assert conversation.said == []
    assert not conversation.step.handled


def test_a_timer_has_guards() -> None:
    assert Talk(TIMERS).start().fire("a.30m").said == ["untaken timer.a.30m"]
    assert Talk(TIMERS).start().event("again").fire("a.30m").at == ["b"]


def test_entering_again_begins_the_timers_anew() -> None:
    conversation = Talk(TIMERS).start().event("again")

    cancelled = [effect.key for effect in conversation.step.effects if isinstance(effect, CancelTimer)]
    assert cancelled == ["a.30m#1", "a.1h#2", "a.1d#3"]
    assert conversation.timers["a.1h"] == "a.1h#5"
    assert conversation.fire("a.1h").at == ["b"]


def test_a_delayed_send_delivers_the_authors_event() -> None:
    flow = """
    flow: later
    datamodel: {got: {}}
    states:
      a:
        enter:
          - send: {event: remind.now, delay: 2s, data: {n: "{{ 1 + 1 }}"}}
          - send: {event: other, delayexpr: "'1m'", id: o}
        transitions:
          - {event: remind, target: b, on: [{assign: {location: got, expr: event.data.n}}]}
          - {event: stop, on: [{cancel: o}, {cancel: {sendidexpr: "'nothing'"}}]}
      b: {}
    """
    conversation = Talk(flow).start()
    assert conversation.step.effects == [
        StartTimer("send.1", "send.1#2", timedelta(seconds=2)),
        StartTimer("o", "o#3", timedelta(minutes=1)),
    ]
    assert conversation.event("stop").step.effects == [CancelTimer("o#3")]

    conversation.fire("send.1")
    assert conversation.at == ["b"]
    assert conversation.variables["got"] == 2


def test_a_delayed_send_outlives_the_state_but_not_the_flow() -> None:
    flow = """
    flow: later
    states:
      a: {enter: [{send: {event: x, delay: 1h, id: s}}], transitions: [{event: t, target: b}]}
      b: {transitions: [{event: t, target: c}]}
      c: {final: true}
    """
    conversation = Talk(flow).start().event("t")
    assert "s" in conversation.timers

    conversation.event("t")
    assert conversation.ended
    assert conversation.timers == {}


def test_ends() -> None:
    flow = "{flow: x, states: {a: {transitions: [{event: t, target: b}]}, b: {final: true}}}"
    conversation = Talk(flow).start().event("t")
    assert conversation.ended
    assert conversation.at == ["b"]

    conversation.event("t")
    assert not conversation.step.handled
    assert conversation.step.effects == []


def test_a_conversation_that_begins_again_numbers_on() -> None:
    conversation = Talk(TIMERS).start()
    counter = conversation.state.counter

    step = conversation.engine.start("timers", conversation.context, counter=counter)

    assert [effect.key for effect in step.effects if isinstance(effect, StartTimer)] == [
        "a.30m#4",
        "a.1h#5",
        "a.1d#6",
    ]
    assert through_json(step.state).counter == 6


def test_versions_run_side_by_side() -> None:
    first = "{flow: x, version: 1, states: {a: {transitions: [{event: t, target: old}]}, old: {}}}"
    second = "{flow: x, version: 2, states: {a: {transitions: [{event: t, target: new}]}, new: {}}}"
    begun = Talk(first).start()

    conversation = Talk(second, first).start()
    assert conversation.frame.version == 2
    step = conversation.engine.handle(begun.state, Event("t"), conversation.context)
    assert conversation.engine.configuration(step.state) == ["old"]


def test_a_version_that_is_gone_is_a_clear_error() -> None:
    begun = Talk("{flow: x, version: 1, states: {a: {}}}").start()
    later = Talk("{flow: x, version: 3, states: {a: {}}}")

    with pytest.raises(StateError, match='no version 1 of the flow "x", only 3'):
        later.engine.handle(begun.state, Event("t"), later.context)


def test_a_state_that_is_gone_is_a_clear_error() -> None:
    begun = Talk("{flow: x, states: {summary: {}}}").start()
    later = Talk("{flow: x, states: {summery: {}}}")

    with pytest.raises(StateError, match=r'is in "summary".*did you mean "summery"'):
        later.engine.handle(begun.state, Event("t"), later.context)


def test_budgets_can_be_set() -> None:
    with pytest.raises(BudgetExceeded, match="1 flows"):
        Talk(MAIN, ADDRESS, limits=Limits(depth=1)).start()


def test_sending_up_from_the_outermost_flow_is_an_error_event() -> None:
    flow = """
    flow: x
    states:
      a:
        enter: [{send: {event: up, target: "#_parent"}}, {send: {event: x, target: "#_nobody"}}]
        transitions: [{event: error.communication, target: b}]
      b: {}
    """
    assert Talk(flow).start().at == ["b"]


def test_a_line_for_the_operators_log() -> None:
    flow = "{flow: x, states: {a: {enter: [{log: {label: sum, expr: 1 + 1}}, {log: {label: only}}]}}}"

    assert Talk(flow).start().step.effects == [Log("sum", 2), Log("only", None)]


def test_a_failure_outside_that_nothing_takes_is_logged() -> None:
    conversation = Talk("{flow: x, states: {a: {invoke: {id: web, http: {url: u}}}}}").start()

    conversation.failed("web", {"status": 500})

    assert conversation.step.effects == [Log("error.invoke.web", {"status": 500})]
    assert not conversation.step.handled


def test_a_digression_that_asks_and_ends_in_one_event_leads_back_too() -> None:
    quick = """
    flow: help
    datamodel: {about: {}}
    states:
      a: {enter: [{send: go}], ask: Never mind?, transitions: [{event: go, target: b}]}
      b: {final: true}
    """
    conversation = Talk(MAIN, ADDRESS, quick).start().say("help")

    assert conversation.said == ["Never mind?", "City in India?"]


def test_a_flow_that_ends_leaves_its_siblings() -> None:
    flow = """
    flow: both
    datamodel: {left: {}, right: {}}
    states:
      p:
        parallel: true
        states:
          l: {invoke: {id: left, flow: one, with: {name: left}, into: left}}
          r: {invoke: {id: right, flow: one, with: {name: right}, into: right}}
    """
    one = """
    flow: one
    datamodel: {name: {}}
    states:
      a: {transitions: [{event: end, cond: event.data == name, target: b}]}
      b: {final: true, donedata: {said: "{{ name }}"}}
    """
    conversation = Talk(flow, one).start().event("end", "left")

    assert conversation.state.frames[0].variables == {"left": {"said": "left"}, "right": None}
    assert [frame.flow for frame in conversation.state.frames] == ["both", "one"]
    assert conversation.event("end", "right").state.frames[0].variables["right"] == {"said": "right"}


CALLED = """
flow: called
states:
  outer:
    exit: [{log: outer}, {raise: nothing}, {send: {event: bye, target: "#_parent", data: "'gone'"}}]
    states:
      inner: {exit: {log: inner}, transitions: [{event: finish, target: end}]}
  end: {final: true, exit: {log: end}}
datamodel: {outer: {default: outer}, inner: {default: inner}, end: {default: end}}
"""

CALLING = """
flow: calling
states:
  a:
    exit: {log: a}
    invoke: {id: sub, flow: called}
    transitions: [{event: leave, target: b}, {event: done.invoke.sub, target: b}]
  b: {transitions: [{event: bye, target: c}]}
  c: {}
datamodel: {a: {default: a}}
"""


def test_a_called_flow_that_is_dropped_runs_its_exit_actions() -> None:
    talk = Talk(CALLING, CALLED).start().event("leave")
    assert talk.log == [": a", ": inner", ": outer"]
    assert talk.at == ["b"], "what it sends then reaches its caller no more"


def test_a_flow_that_ends_runs_the_exit_actions_of_its_final_state() -> None:
    talk = Talk(CALLING, CALLED).start().event("finish")
    assert talk.log == [": inner", ": outer", ": end", ": a"]


def test_a_wildcard_does_not_take_the_timer_of_a_state_around() -> None:
    talk = Talk("""
        flow: x
        states:
          waiting:
            after: {1h: late}
            states:
              talking: {transitions: [{event: "* timer", on: {log: "event.name"}}]}
          late: {}
    """).start()  # fmt: skip
    talk.event("anything").fire("waiting.1h")
    assert talk.log == [": anything"]
    assert talk.at == ["late"]


FAILING = "{flow: third, states: {a: {invoke: {id: z, http: {url: '{{ 1 / 0 }}'}}}}}"


@pytest.mark.parametrize(
    "inner",
    [
        "{flow: inner, datamodel: {n: {}}, states: {a: {}}}",
        "{flow: inner, datamodel: {m: {}}, states: {a: {after: {1h: b}, enter: {log: 1 / m}}, b: {}}}",
        """
        flow: inner
        datamodel: {m: {}}
        states:
          a:
            enter: {send: {event: x, delay: 1h}}
            invoke: [{id: x, http: {url: "https://example.com"}}, {id: y, flow: third}]
        """,
    ],
)
def test_a_called_flow_that_cannot_begin_is_gone(inner: str) -> None:
    outer = """
    flow: outer
    states:
      a:
        invoke: {id: sub, flow: inner, with: {m: 0}}
        transitions: [{event: error.execution, on: {say: Failed!}}, {event: go, target: b}]
      b: {}
    """
    talk = Talk(outer, inner, FAILING).start()

    assert talk.said == ["Failed!"]
    assert [frame.flow for frame in talk.state.frames] == ["outer"]
    assert not talk.frame.invokes
    assert not talk.timers
    assert not talk.invokes
    assert talk.event("go").at == ["b"]


def test_a_result_that_its_variable_refuses_is_an_error_event() -> None:
    flow = """
    flow: x
    datamodel: {n: {type: integer}}
    states:
      a:
        invoke: {id: w, http: {url: "https://example.com"}, into: n}
        transitions: [{event: error.execution, target: b}, {event: done.invoke.w, target: c}]
      b: {}
      c: {}
    """
    assert Talk(flow).start().done("w", {"no": "number"}).at == ["b"]
    assert Talk(flow).start().done("w", 5).at == ["c"]
