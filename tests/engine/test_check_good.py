"""Flows that are right: the checker says nothing, or not what it would be wrong to say."""

from textwrap import dedent
from typing import Any

import pytest

from tests.engine import wrongs
from wabot.engine.check import CheckOptions, check
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts


def found(text: str, texts: dict[str, Any] | None = None, **options: Any) -> list[str]:
    source = load_flow(dedent(text), "flow.yaml")
    problems = check([source], Texts(texts or {}), wrongs.demo.commands, options=CheckOptions(**options))
    return [str(problem) for problem in problems]


def state(body: str) -> str:
    return f"states: {{a: {{{body}, final: true}}}}"


def way(transition: str, head: str = "") -> str:
    return f"{head}\nstates:\n  a: {{transitions: [{transition}]}}\n  b: {{final: true}}\n"


def test_without_texts_commands_and_options() -> None:
    assert check([load_flow("states: {a: {final: true}}", "f.yaml")]) == []


PLAIN = """\
    name: trafficlight
    datamodel:
      - {id: cycles, expr: "0"}
      - {id: last}
    states:
      red:
        initial: true
        transitions: [{event: tick, target: work}]
      work:
        history: {h: {type: deep, transitions: [{target: green}]}}
        states:
          green:
            enter: [{assign: {location: cycles, expr: cycles + 1}}, {raise: noted}]
            transitions:
              - {event: tick, cond: "cycles < 3 && In('green')", target: red}
              - {event: noted}
              - {event: error.execution, target: off}
              - {event: p.back, target: h}
              - {event: tick, target: pair}
        transitions:
          - {event: "*", target: off}
      pair:
        parallel: true
        states:
          l: {states: {l1: {transitions: [{event: x, target: l2}]}, l2: {final: true}}}
          r: {states: {r1: {transitions: [{event: y, target: r2}]}, r2: {final: true}}}
        transitions:
          - {event: done.state.pair, target: off}
          - {event: both, target: l2 r2}
      off:
        final: true
        donedata: {params: [{name: n, expr: cycles}], content: cycles}
    """


def test_a_plain_statechart() -> None:
    assert found(PLAIN) == []


@pytest.mark.parametrize(
    "event",
    ["message", "message.*", "message.text", "message.button", "message.list.", "reply", "time.out",
     "orders.confirmed", "*", "unhandled", "stale", "stale.button.x", "error", "error.command",
     "error.command.demo", "error.command.demo.find", "done", "done.state", "done.invoke", "timer", "msg"],
)  # fmt: skip
def test_events_that_may_come(event: str) -> None:
    head = "intents: {x: [x]}"
    assert found(way(f'{{event: "{event}", target: b}}', head)) == []


def test_an_event_that_the_flow_raises_itself_may_have_any_name() -> None:
    assert found("""\
        states:
          a:
            enter: [{say: Hello there}, {raise: mesage.text}, {send: {eventexpr: "'x'"}}]
            transitions: {event: mesage.text, target: b}
          b: {final: true}
        """) == []  # fmt: skip


def test_buttons_that_are_not_known_beforehand() -> None:
    assert found("""\
        datamodel: {names: {type: list, default: [x]}}
        states:
          a:
            enter:
              - say: {text: Choose, buttons: {for: names, id: "{{ item }}", title: "{{ item }}"}}
              - say: {text: Choose this, list: {rows: [{id: "{{ names[0] }}", title: One}]}}
            transitions:
              - {event: message.button.any, target: b}
              - {event: message.list.any, target: b}
          b: {final: true}
        """) == []  # fmt: skip
    assert found("""\
        states:
          a:
            enter: {say: {text: Your parcel is here., template: {name: parcel}}}
            transitions: {event: message.button.ok, target: b}
          b: {final: true}
        """) == []  # fmt: skip


def test_options_of_questions_are_buttons_and_rows() -> None:
    assert found("""\
        states:
          a:
            ask: {text: Choose, list: {sections: [{title: S, rows: {x: X}}]}}
            transitions: [{event: message.list.x, target: b}, {event: answered exhausted, target: b}]
          b:
            ask: {text: Choose, type: yesno, choices: {maybe: Maybe}}
            transitions:
              - {event: message.button.maybe message.button.yes, target: c}
              - {event: answered, cond: "answer in ['maybe', 'no']", target: c}
              - {event: answered exhausted, target: c}
          c: {final: true}
        """) == []  # fmt: skip


def test_answers_reach_states_around_beside_and_below() -> None:
    assert found("""\
        states:
          both:
            parallel: true
            states:
              left:
                ask: {text: How are you?}
                states:
                  l1: {transitions: {event: answered, target: l2}}
                  l2: {transitions: {event: exhausted.left, target: l1}}
              right:
                states:
                  r1: {transitions: {event: answered.both, target: r2}}
                  r2: {transitions: {event: answered.left, target: r1}}
            transitions: {event: end, target: end}
          end: {final: true}
        """) == []  # fmt: skip


def test_a_guard_before_the_loop_ends_it() -> None:
    assert found("""\
        datamodel: {n: {type: integer, default: 0}}
        states:
          a:
            enter: {assign: {n: "{{ n + 1 }}"}}
            transitions: [{cond: n > 3, target: b}, {target: a}]
          b: {final: true}
        """) == []  # fmt: skip


def test_a_loop_of_the_whole_flow_or_of_no_target_is_found() -> None:
    whole = found("transitions: {target: a}\nstates: {a: {transitions: {event: x, target: a}}}")
    assert any(
        'the flow → the flow" goes' in line or "the flow → the flow goes round" in line for line in whole
    )
    [line] = found(way("{on: {log: 1}}, {event: x, target: b}"))
    assert '"a" → "a" goes round for ever' in line
    assert not found(way("{cond: false}, {event: x, target: b}"))


def test_transitions_that_differ_do_not_shadow() -> None:
    head = "datamodel: {n: {default: 1}}\nintents: {x: [x], y: [y]}"
    for pair in (
        "{event: message.text, intent: x, target: b}, {event: message.text, intent: y, target: b}",
        "{event: message.text, cond: n, target: b}, {event: message.text, target: b}",
        "{event: message.text, target: b}, {event: message, target: b}",
        "{event: message.text, unless: n, target: b}, {event: message.text, cond: n, target: b}",
        "{cond: n, target: b}, {event: message, target: b}",
    ):
        assert found(way(pair, head)) == []
    assert found(way("{event: message, cond: true, target: b}, {event: message, target: b}", head))
    assert found(way("{event: message, unless: false, target: b}, {event: message.text, target: b}", head))


def test_arguments_that_are_known_only_at_run_time() -> None:
    for arguments in (
        '{lines: "{{ lines }}"}',
        '{lines: [{name: "{{ name }}", quantity: "{{ n }}"}], discount: "{% if n %}1{% endif %}"}',
        "\"{{ {'lines': lines} }}\"",
    ):
        head = "datamodel: {lines: {type: list, default: []}, name: {default: x}, n: {default: 1}}\n"
        assert found(head + state(f"enter: [{{demo.quote: {arguments}}}]")) == []


def test_results_and_answers_go_into_variables_that_take_them() -> None:
    assert found("""\
        datamodel:
          found: {type: list}
          total: {type: object}
          anything: {}
          many: {type: number}
          name: {type: text}
        states:
          a:
            enter:
              - demo.find: {text: x}
                into: found
              - demo.quote: {lines: []}
                into: total
              - demo.quote: {lines: []}
                into: anything.part
            ask: {text: How many?, type: integer, into: many}
            transitions: {event: answered exhausted, target: b}
          b:
            ask: {text: Your phone?, type: phone, into: name}
            transitions: {event: answered exhausted, target: c}
          c: {final: true}
        """) == []  # fmt: skip


@pytest.mark.parametrize(
    "value",
    ['"{{ message.text|int }}"', '"{{ n + 1 }}"', "5", '"5"', '"{{ n if n else 2 }}"',
     '"{{ event.data if event else 2 }}"', '"{{ lines|length }}"', "null"],
)  # fmt: skip
def test_values_that_fit_an_integer(value: str) -> None:
    head = "datamodel: {n: {type: integer, default: 0}, lines: {type: list, default: []}}\n"
    assert found(head + state(f"enter: [{{assign: {{n: {value}}}}}]")) == []


@pytest.mark.parametrize(
    "value",
    ['"{{ message.text }}"', '"number {{ n }}"', '"{{ n > 1 }}"', "[1]", '"{{ lines }}"', '"{{ {} }}"',
     "many", '"{{ \'a\' ~ n }}"', '"{{ name if n else name }}"'],
)  # fmt: skip
def test_values_that_fit_no_integer(value: str) -> None:
    head = (
        "datamodel: {n: {type: integer, default: 0}, lines: {default: [], type: list}, name: {type: text}}\n"
    )
    [line] = found(head + state(f"enter: [{{assign: {{n: {value}}}}}]"))
    assert line.endswith("[type-mismatch]")


def test_a_variable_that_another_flow_gives_is_set() -> None:
    sub = """\
        flow: sub
        datamodel: {order: {type: object}}
        states:
          a: {enter: [{say: "That is {{ order.total }}"}, {assign: {order: {total: 1}}}], final: true}
        """
    assert len(found(sub)) == 1
    main = (
        "states: {a: {invoke: {flow: sub, with: {order: {total: 5}}}, transitions: {event: done, target: a}}}"
    )
    sources = [load_flow(dedent(text), name) for text, name in ((sub, "sub.yaml"), (main, "main.yaml"))]
    assert check(sources) == []


def test_a_variable_that_nothing_in_the_flow_sets_is_a_parameter() -> None:
    body = state('enter: {say: "That is {{ order.total }}"}')
    assert found(f"datamodel: {{order: {{}}}}\n{body}") == []


def test_what_is_set_on_the_way_is_set() -> None:
    assert found("""\
        datamodel: {order: {type: object}, name: {type: text}, sum: {type: object}, weather: {type: object}}
        states:
          a:
            ask: {text: Your name?, into: name}
            transitions:
              - event: answered
                on:
                  - say: "Hello {{ name }}"
                  - assign: {order: "{{ {'total': 1} }}"}
                  - say: "That is {{ order.total }}"
                target: b
              - event: exhausted
                on: {if: {cond: order, then: {say: "{{ order.total }}"}, else: {assign: {order: {total: 2}}}}}
                target: c
          b:
            enter: {say: "That is {{ order.total }} for {{ name }}"}
            invoke: {id: w, http: {url: "https://example.com"}, into: weather}
            transitions: {event: done.invoke.w, on: {say: "It is {{ weather.now }}"}, target: c}
          c:
            parallel: true
            states:
              l:
                states:
                  l1: {transitions: {event: x, target: l2}}
                  l2:
                    enter: {assign: {sum: {total: 5}}}
                    transitions: {event: x, target: l1}
              r: {states: {r1: {transitions: {event: y, cond: sum.total > 4, target: r1}}}}
            transitions: {event: end, cond: [order, order.total > 4], target: d}
          d:
            enter: {foreach: {array: "[1]", item: n, do: [{assign: {name: "{{ n }}"}}, {say: "{{ name }}"}]}}
            final: true
        """) == []  # fmt: skip


def test_a_targetless_transition_sets_variables_too() -> None:
    assert found("""\
        datamodel: {order: {type: object}}
        states:
          shop:
            transitions: {event: order, on: {assign: {order: {total: 5}}}}
            states:
              a: {transitions: {event: pay, on: {say: "That is {{ order.total }}"}, target: b}}
              b: {final: true}
        """) == []  # fmt: skip


def test_texts_of_a_language_serve_its_regions() -> None:
    texts = {"en": {"hello": "Hello"}, "hi-IN": {"hello": "नमस्ते"}}
    body = state("enter: {say: hello}")
    assert found(body, texts) == []
    assert found(body, texts, locales=["en-IN", "en_GB"]) == []
    [line] = found(body, texts, locales=["en", "ta"])
    assert 'the text "hello" is missing for ta' in line


def test_the_flows_own_locales_come_before_the_projects() -> None:
    texts = {"en": {"hello": "Hello"}}
    assert found("locales: [en]\n" + state("enter: {say: hello}"), texts, locales=["en", "hi"]) == []


def test_built_in_texts_may_be_said() -> None:
    assert found(state("enter: [{say: wabot.apology}, {say: wabot.invalid.integer}]")) == []
    assert len(found(state("enter: [{say: wabot.apologies}]"))) == 1


def test_plurals_with_every_form_of_their_language() -> None:
    forms = {"count": "n", "0": "none", "one": "x", "other": "x"}
    polish = forms | {"few": "x", "many": "x"}
    french = dict(forms)
    head = "datamodel: {n: {default: 1}}\n"
    texts = {
        "en": {"n": forms},
        "pl": {"n": polish},
        "fr": {"n": french},
        "ja": {"n": {"count": "n", "other": "x"}},
    }
    assert found(head + state("enter: {say: n}"), texts) == []


def test_a_flow_written_in_an_invoke_is_checked_in_place() -> None:
    lines = found("""\
        states:
          a:
            invoke:
              id: sub
              params: [{name: n, expr: "1"}]
              content:
                datamodel: {n: {type: integer}}
                states:
                  b: {transitions: {event: go, target: d}}
                  c: {final: true}
            transitions: {event: done.invoke.sub, target: a}
        """)
    assert [line.split(": ", 1)[0] for line in lines] == ["flow.yaml:9:48"]


def test_a_cancel_of_a_send_whose_id_is_made_at_run_time() -> None:
    assert found("""\
        datamodel: {id: {type: text}}
        states:
          a:
            enter: [{send: {event: x, delay: 1h, idlocation: id}}, {send: {event: x, delayexpr: "'1h'"}}]
            exit: [{cancel: whatever}, {cancel: {sendidexpr: id}}]
            transitions: {event: x, target: b}
          b: {final: true}
        """) == []  # fmt: skip


def test_digressions_and_locales() -> None:
    assert found("""\
        flow: f
        intents: {h: [help], e: {en: [english]}}
        transitions:
          - {event: message, intent: h, on: {digress: {flow: f, with: {x: 1}}}}
          - {event: message, intent: e, on: {locale: en}}
        states: {a: {final: true}}
        """) == []  # fmt: skip


def test_messages_at_the_very_limits() -> None:
    body, buttons = "B" * 1023 + " ", f"{{a: {'T' * 20}, b: Two, c: Three}}"
    rows = f"[{{id: x, title: {'R' * 24}, description: {'D' * 72}}}]"
    for said in (
        f'{{text: "{body}", footer: {"F" * 60}, header: {"H" * 60}, buttons: {buttons}}}',
        f'{{text: "{body}", list: {{button: {"L" * 20}, rows: {rows}}}}}',
        f'"{"S" * 1599} "',
    ):
        assert found(state(f"enter: [{{say: {said}}}]")) == []


def test_named_and_numbered_variables_of_templates() -> None:
    for variables in ("{1: A, 2: B}", "{name: Asha, day: Monday}", "{}"):
        assert found(state(f"enter: {{say: {{template: {{name: offer, variables: {variables}}}}}}}")) == []


def test_a_text_key_is_looked_at_too_where_a_template_has_a_preview() -> None:
    texts = {"en": {"offer": "{{ contact.name }}, look!"}, "hi": {"offer": "Look, {{ contact.name }}!"}}
    [line] = found(state("enter: {say: {text: offer, template: {name: offer}}}"), texts)
    assert line.endswith("[bad-template]")


def test_initial_transitions_and_deep_history() -> None:
    assert found("""\
        states:
          a:
            history: {h: }
            states:
              x: {states: {deep: {transitions: {event: go, target: b}}}}
            transitions: [{initial: true, target: deep}]
          b:
            transitions: [{event: back, target: h}, {event: end, target: c}]
          c: {final: true}
        """) == []  # fmt: skip


def test_the_same_finding_is_told_once() -> None:
    text = "states: {a: {transitions: [{event: x, target: b}]}}"
    lines = found(text)
    assert len(lines) == len(set(lines)) == 1


def test_a_flow_of_a_thousand_states_is_checked_in_seconds() -> None:
    states = "\n".join(
        f"  s{n}: {{ask: Which way now?, transitions: [{{event: answered, target: s{n + 1}}}, "
        f"{{event: exhausted, target: s{n // 2}}}]}}"
        for n in range(1000)
    )
    assert found(f"states:\n{states}\n  s1000: {{final: true}}") == []


def test_another_region_may_lead_out_of_a_state_that_only_waits() -> None:
    assert found("""\
        states:
          both:
            parallel: true
            states:
              l: {states: {idle: {}}}
              r: {states: {r1: {transitions: {event: x, target: end}}}}
          end: {final: true}
        """) == []  # fmt: skip


def test_a_loop_through_a_state_whose_child_goes_elsewhere_is_none() -> None:
    assert found("""\
        datamodel: {n: {default: 1}}
        states:
          a: {transitions: {target: b}}
          b:
            states: {c: {transitions: {cond: n, target: end}}}
            transitions: [{event: x, target: b}]
          end: {final: true}
        """) == []  # fmt: skip


def test_the_same_intent_twice_is_shadowed() -> None:
    head = "intents: {x: [x]}"
    pair = "{event: message, intent: x, target: b}, {event: message.text, intent: x, target: b}"
    [line] = found(way(pair, head))
    assert line.endswith("[shadowed-transition]")


def test_branches_places_lists_of_names_and_attachments_are_looked_into() -> None:
    lines = found("""\
        states:
          a:
            enter:
              - if:
                  cond: "true"
                  elif: [{cond: x1, then: {say: "{{ x2 }}"}}]
                  else: {say: "{{ x3 }}"}
              - send: {event: e, namelist: x4, params: [{name: p, location: x5}]}
              - say: {location: {latitude: "{{ x6 }}", longitude: 5}}
              - say: {media: {url: "{{ x7 }}", kind: image}}
              - say: {template: {name: t, variables: {1: "{{ x8 }}"}}}
            transitions: {event: e, target: b}
            invoke: {content: x9}
          b:
            final: true
            donedata: {params: [{name: p, expr: y1}], content: "{{ y2 }}"}
        """)
    names = [line.split('"')[1] for line in lines if line.endswith("[unknown-variable]")]
    assert names == ["x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "y1"]
    assert sum(line.endswith("[bad-expression]") for line in lines) == 1


def test_choices_from_data_can_be_any_answer() -> None:
    assert found("""\
        datamodel: {xs: {type: list, default: []}}
        states:
          a:
            ask: {text: Which?, choices: {for: xs, id: "{{ item }}", title: "{{ item }}"}}
            transitions:
              - {event: answered, cond: answer == 'any', target: b}
              - {event: answered exhausted, target: b}
          b:
            ask: {text: "Which, then?"}
            transitions:
              - {event: answered, cond: answer == 'any', target: c}
              - {event: answered exhausted, target: c}
          c: {final: true}
        """) == []  # fmt: skip


def test_choices_in_a_list_are_compared_too() -> None:
    [line] = found("""\
        states:
          a:
            ask: {text: Which?, list: {rows: {x: One}}}
            transitions:
              - {event: answered, cond: answer == 'y' or n is defined, target: b}
              - {event: answered exhausted, target: b}
          b: {final: true}
        datamodel: {n: {default: 1}}
        """)
    assert line.endswith("[unknown-option]")


def test_a_state_named_for_an_answer_that_is_none() -> None:
    lines = found(way("{event: answered.nowhere, target: b}, {event: invalid.b, target: b}"))
    assert [line.rpartition("[")[2] for line in lines] == ["unknown-state]", "no-ask]"]


def test_a_guard_that_fails_whatever_the_data_is_found() -> None:
    [line] = found(way('{event: x, cond: "1 / 0", target: b}'))
    assert line.endswith("[bad-expression]")


def test_a_plural_in_a_locale_that_nobody_has_rules_for_needs_other_alone() -> None:
    forms = {"count": "1", "other": "x"}
    assert found(state("enter: {say: n}"), {"zz-ZZ": {"n": forms}}) == []


def test_a_loops_variables_are_there_after_it() -> None:
    assert found("""\
        states:
          a:
            enter:
              - foreach: {array: "[3, 4]", item: last, index: at, do: []}
              - assign: {location: last, expr: last + at}
              - say: "{{ last }}"
            final: true
        """) == []  # fmt: skip


def test_a_mistyped_target_is_one_finding() -> None:
    """Whatever would have been reached by it might have been reached."""
    (line,) = found("""\
        states:
          a: {transitions: {event: go, target: bb}}
          b: {transitions: {event: go, target: c}}
          c: {final: true}
        """)  # fmt: skip
    assert line.endswith('did you mean "b"? [unknown-state]')


def test_secrets_are_the_projects_to_know() -> None:
    flow = """\
        states:
          a:
            invoke: {id: x, http: {url: "https://example.com", headers: {A: {secret: token}}}}
            transitions: {event: done.invoke.x, target: b}
          b: {final: true}
        """
    assert found(flow) == []
    assert found(flow, secrets=["token"]) == []
    (line,) = found(flow, secrets=[])
    assert line.endswith("add [http.secrets.token] to wabot.toml [unknown-secret]")


@pytest.mark.parametrize(
    ("written", "mend"),
    [
        (
            "ask: {text: q, type: integer, max: sixty}",
            "write a number in digits, or an expression of variables",
        ),
        (
            'ask: {text: q, type: integer, max: "10 kg"}',
            "write a number in digits, or an expression of variables",
        ),
        ('enter: {say: "Hi {{ name }"}', "close what was opened: {{ … }} around a value"),
        ('enter: {say: "Hi { name }}"}', ""),
        ('enter: {say: "Hi {{ }}"}', "write a value between the braces: {{ name }}"),
    ],
)
def test_slips_have_a_mend(written: str, mend: str) -> None:
    lines = found(f"""\
        datamodel: {{name: {{type: text, default: ""}}}}
        states:
          a:
            {written}
            transitions:
              - {{event: answered, target: b}}
              - {{event: exhausted, target: b}}
              - {{event: message, target: b}}
          b: {{final: true}}
        """)
    assert (
        any(mend in line for line in lines) if mend else not any("bad-expression" in line for line in lines)
    )


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        (
            "enter: [oders.quote: {}]",
            "no module in use has actions; modules in wabot.toml says which are in use",
        ),
        (
            "invoke: {call: oders.x}",
            "no module in use has invokes; modules in wabot.toml says which are in use",
        ),
    ],
)
def test_an_action_where_no_module_is_in_use(written: str, hint: str) -> None:
    flow = load_flow(f"states: {{a: {{{written}, transitions: {{event: x, target: a}}}}}}", "flow.yaml")
    assert [problem.hint for problem in check([flow]) if problem.code == "unknown-action"] == [hint]


def test_an_action_of_a_module_that_is_not_in_use() -> None:
    flow = state("enter: [weather.tomorrow: {}]")
    [line] = found(flow)
    assert "there are actions of demo; modules in wabot.toml says which are in use" in line
