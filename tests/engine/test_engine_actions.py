"""Variables, commands, errors, budgets and the trace."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.engine.playing import NOW, Table, Talk
from wabot.core.money import Money
from wabot.engine.effects import Log
from wabot.engine.step import Limits
from wabot.errors import BudgetExceeded, ExpressionError, Rejected, TurnError, UnknownName


def entering(*actions: str, datamodel: str = "{}", more: str = "") -> str:
    listed = "\n".join(f"          - {action}" for action in actions)
    return f"""
    flow: acts
    datamodel: {datamodel}
    states:
      a:
        enter:
{listed}
{more}
    """


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("any", "{{ [1, {}] }}", [1, {}]),
        ("text", "{{ 5 }}", "5"),
        ("integer", "{{ '12' }}", 12),
        ("integer", "{{ 12.0 }}", 12),
        ("number", "{{ '1.50' }}", Decimal("1.50")),
        ("number", "{{ 2.5 }}", 2.5),
        ("boolean", "true", True),
        ("boolean", "{{ 1 == 2 }}", False),
        ("money", "12.345", Money(Decimal("12.35"), "INR")),
        ("money", "{{ 7 }}", Money(Decimal("7.00"), "INR")),
        ("date", "2026-11-22", date(2026, 11, 22)),
        ("date", "{{ now }}", date(2026, 11, 22)),
        ("datetime", "{{ now }}", NOW),
        ("datetime", "2026-11-22T10:00:00+00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("list", "{{ [1] }}", [1]),
        ("object", "{{ {'a': 1} }}", {"a": 1}),
        ("integer", "{{ null }}", None),
    ],
)
def test_variables_take_what_their_type_takes(kind: str, value: str, stored: Any) -> None:
    flow = entering(f'assign: {{x: "{value}"}}', datamodel=f"{{x: {{type: {kind}}}}}")
    talk = Talk(flow).start()

    assert talk.variables["x"] == stored
    assert type(talk.variables["x"]) is type(stored)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("integer", "abc", "a whole number is wanted, not 'abc'"),
        ("integer", "{{ 1.5 }}", "a whole number is wanted, not 1.5"),
        ("integer", "{{ true }}", "a whole number is wanted, not True"),
        ("number", "abc", "a number is wanted, not 'abc'"),
        ("number", "NaN", "a number is wanted, not 'NaN'"),
        ("number", "{{ [] }}", "a number is wanted, not []"),
        ("text", "{{ [1] }}", "a text is wanted, not [1]"),
        ("boolean", "{{ 1 }}", "true or false is wanted, not 1"),
        ("money", "much", "an amount of money is wanted, not 'much'"),
        ("money", "{{ true }}", "an amount of money is wanted, not True"),
        ("date", "today", "a date (2026-11-22) is wanted, not 'today'"),
        ("date", "{{ 5 }}", "a date (2026-11-22) is wanted, not 5"),
        ("datetime", "{{ 5 }}", "a date with time"),
        ("list", "{{ 'ab' }}", "a list is wanted, not 'ab'"),
        ("object", "{{ [1] }}", "an object is wanted, not [1]"),
    ],
)
def test_variables_refuse_the_rest_and_say_where(kind: str, value: str, wanted: str) -> None:
    flow = entering(f'assign: {{x: "{value}"}}', datamodel=f"{{x: {{type: {kind}}}}}")

    with pytest.raises(ExpressionError) as error:
        Talk(flow).start()
    assert str(error.value).startswith("flow0.yaml:7:")
    assert f'"x": {wanted}' in str(error.value)


def test_parts_of_variables_are_set() -> None:
    flow = entering(
        "assign: {location: order.total, expr: 5 + 5}",
        'assign: {order.lines.1.n: "{{ 3 }}", copy: "{{ order }}"}',
        "assign: {location: copy.total, expr: 0}",
        datamodel="{order: {type: object, default: {lines: [{n: 1}, {n: 2}]}}, copy: {}}",
    )
    variables = Talk(flow).start().variables

    assert variables["order"] == {"lines": [{"n": 1}, {"n": 3}], "total": 10}
    assert variables["copy"]["total"] == 0


@pytest.mark.parametrize("path", ["order.lines.7", "order.lines.x", "order.id.x", "order.none.x"])
def test_a_part_that_is_not_there_is_an_error(path: str) -> None:
    flow = entering(
        f"assign: {{location: {path}, expr: 1}}",
        datamodel="{order: {default: {lines: [1], id: 5}}}",
    )
    with pytest.raises(ExpressionError, match="there is no"):
        Talk(flow).start()


def test_only_declared_variables_are_set() -> None:
    with pytest.raises(ExpressionError, match='"totl" isn\'t a variable of the flow') as error:
        Talk(entering("assign: {totl: 1}", datamodel="{total: {}}")).start()
    assert error.value.hint == 'did you mean "total"?'


def test_first_values_are_each_conversations_own() -> None:
    flow = """
    flow: firsts
    datamodel:
      base: 10
      twice: {expr: base * 2}
      due: {type: date, default: "2026-12-01"}
      cart: {type: list, default: []}
    states: {a: {}}
    """
    talk = Talk(flow).start()

    assert talk.variables == {"base": 10, "twice": 20, "due": date(2026, 12, 1), "cart": []}


def test_a_first_value_that_fails_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="whole number"):
        Talk("{flow: x, datamodel: {n: {type: integer, default: abc}}, states: {a: {}}}").start()


def test_values_can_be_given_at_the_start() -> None:
    flow = "{flow: x, datamodel: {n: {type: integer, default: 1}}, states: {a: {}}}"

    assert Talk(flow).start(data={"n": "5"}).variables == {"n": 5}
    with pytest.raises(ExpressionError, match='has no variable "m"'):
        Talk(flow).start(data={"m": 5})


def test_conditions_and_loops() -> None:
    flow = entering(
        "foreach: {array: items, item: it, index: i, do: [{assign: {location: sum, expr: sum + it * i}}]}",
        "foreach: {array: items, item: last, do: []}",
        "if: {cond: sum == 8, then: [{log: eight}], elif: [{cond: sum > 8, then: [{log: more}]}]}",
        "if: {cond: sum == 9, then: [], elif: {cond: sum == 8, then: [{log: sum}]}}",
        "if: {cond: sum == 9, then: [], else: [{log: last}]}",
        datamodel="{items: [1, 2, 3], sum: {default: 0}, last: {}, eight: 8, more: 9}",
    )
    talk = Talk(flow).start()

    assert talk.variables["sum"] == 8
    assert talk.variables["last"] == 3
    assert (talk.variables["it"], talk.variables["i"]) == (3, 2)
    assert [effect.value for effect in talk.step.effects if isinstance(effect, Log)] == [8, 8, 3]


def test_a_loop_declares_its_variables_for_good() -> None:
    flow = entering(
        "foreach: {array: '[4, 5]', item: it, index: i, do: []}",
        "log: it",
        "assign: {location: it, expr: it + i}",
        "foreach: {array: '[]', item: none, do: []}",
        "log: none",
        datamodel="{}",
    )
    talk = Talk(flow).start()

    assert [effect.value for effect in talk.step.effects if isinstance(effect, Log)] == [5, None]
    assert talk.variables == {"it": 6, "i": 1, "none": None}


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("{array: '5', item: it, do: []}", "foreach goes through a list"),
        ("{array: '[1]', item: _it, do: []}", "can't be the name of a variable"),
        ("{array: '[1]', item: message, do: []}", "can't be the name of a variable"),
        ("{array: '[1]', item: 2b, do: []}", "can't be the name of a variable"),
    ],
)
def test_loops_that_cannot_be(loop: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        Talk(entering(f"foreach: {loop}")).start()


def test_a_condition_that_fails_counts_as_false() -> None:
    flow = """
    flow: x
    states:
      a:
        enter: [{if: {cond: "1 + 'x'", then: [{raise: wrong}], else: [{raise: right}]}}]
        transitions: [{event: error, target: b}]
      b: {transitions: [{event: right, target: c}]}
      c: {}
    """
    assert Talk(flow).start().at == ["c"]


def test_raised_events_go_before_sent_ones() -> None:
    flow = """
    flow: order
    datamodel: {seen: {type: list, default: []}}
    transitions: [{event: "one two three", on: {assign: {location: seen, expr: "seen + [event.name]"}}}]
    states:
      a: {enter: [{send: one}, {raise: two}, {send: {event: three, target: "#_internal"}}]}
    """
    assert Talk(flow).start().variables["seen"] == ["two", "three", "one"]


def test_sent_events_carry_data() -> None:
    flow = """
    flow: data
    datamodel: {a: {default: 1}, b: {default: 2}, got: {type: list, default: []}, id: {}}
    transitions: [{event: x, on: {assign: {location: got, expr: "got + [event.data]"}}}]
    states:
      s:
        enter:
          - send:
              event: x
              namelist: a b
              params: [{name: c, expr: a + b}, {name: d, location: a}, {name: e}]
          - send: {eventexpr: "'x'", content: "[1, 'two']"}
          - send: {event: x, content: plain words}
          - send: {event: x, data: {n: "{{ b }}"}, idlocation: id}
          - send: {event: x, delay: 0s}
          - raise: {event: x, data: "{{ a }}"}
    """
    variables = Talk(flow).start().variables

    assert variables["got"] == [
        1,
        {"a": 1, "b": 2, "c": 3, "d": 1},
        [1, "two"],
        "plain words",
        {"n": 2},
        None,
    ]
    assert variables["id"] == "send.1"


@pytest.mark.parametrize(
    ("send", "message"),
    [
        ("{event: x, target: somewhere}", '"somewhere" is no target'),
        ("{event: x, type: smtp}", 'can\'t be sent by "smtp"'),
        ("{eventexpr: 5}", "the name of an event is text"),
        ("{event: x, delay: soon}", "'soon' is not a length of time"),
        ("{event: x, delayexpr: '[1]'}", "is not a length of time"),
    ],
)
def test_sends_that_cannot_be(send: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        Talk(entering(f"send: {send}")).start()


def test_delays_as_numbers_are_milliseconds() -> None:
    talk = Talk(entering("send: {event: x, delay: 1500}", "send: {event: x, delayexpr: 2s}")).start()

    assert [effect.as_json()["seconds"] for effect in talk.step.effects] == [1.5, 2.0]


def test_commands_run_in_the_turn() -> None:
    table = Table(orders__quote=lambda lines, **rest: {"total": len(lines), **rest})
    flow = entering(
        'orders.quote: {lines: "{{ [1, 2] }}", note: "for {{ contact.name }}", deep: [{n: "{{ 1 }}"}]}\n'
        "            into: order",
        "say: '{{ order.total }}'",
        "orders.quote: {lines: []}",
        datamodel="{order: {type: object}}",
    )
    talk = Talk(flow, commands=table).start()

    assert talk.said == ["2"]
    assert table.calls[0] == (
        "orders.quote",
        {"lines": [1, 2], "note": "for Asha", "deep": [{"n": 1}]},
    )


def test_a_commands_arguments_are_an_object() -> None:
    with pytest.raises(ExpressionError, match=r"orders\.quote takes an object"):
        Talk(entering("orders.quote: [1]"), commands=Table(orders__quote=lambda: None)).start()


def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UnknownName, match=r"orders\.qoute"):
        Talk(entering("orders.qoute: {}")).start()


def refuse(**_arguments: Any) -> None:
    raise Rejected("Only 3 left", code="out_of_stock", details={"left": 3})


def broken(**_arguments: Any) -> None:
    raise TurnError("orders.confirm: order: missing")


ORDERING = """
flow: ordering
datamodel: {left: {}}
states:
  a:
    transitions: [{event: buy, target: b, on: [{orders.confirm: {}}, {assign: {left: unreached}}]}]
  b:
    transitions:
      - event: "HANDLER"
        target: c
        on:
          - assign: {location: left, expr: "event.data.details.left"}
          - say: "{{ event.name }}: {{ event.data.message }}"
  c: {}
"""


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        ("error.command.orders.confirm", "error.command.orders.confirm"),
        ("error.command", "error.command.orders.confirm"),
        ("error.*", "error.command.orders.confirm"),
        ("error.execution", "error.execution"),
    ],
)
def test_a_refused_command_is_an_event_where_the_flow_takes_it(handler: str, name: str) -> None:
    flow = ORDERING.replace("HANDLER", handler)
    talk = Talk(flow, commands=Table(orders__confirm=refuse)).start().event("buy")

    assert talk.at == ["c"]
    assert talk.said == [f"{name}: Only 3 left"]
    assert talk.variables["left"] == 3
    assert talk.log[0] == f"{name}: Only 3 left"


@pytest.mark.parametrize("handler", ["*", "other"])
def test_a_refused_command_fails_the_turn_where_nothing_takes_it(handler: str) -> None:
    talk = Talk(ORDERING.replace("HANDLER", handler), commands=Table(orders__confirm=refuse)).start()
    before = talk.text

    with pytest.raises(Rejected, match="Only 3 left"):
        talk.event("buy")
    assert talk.text == before
    talk.context.commands.commands["orders.confirm"] = lambda: None  # type: ignore[attr-defined]
    assert talk.event("buy").at == ["b"]


def test_other_errors_of_a_command_always_fail_the_turn() -> None:
    talk = Talk(ORDERING.replace("HANDLER", "error"), commands=Table(orders__confirm=broken)).start()

    with pytest.raises(TurnError, match="order: missing"):
        talk.event("buy")


FAILING = """
flow: failing
datamodel: {n: {type: integer, default: 0}, seen: {}}
states:
  a:
    transitions:
      - {event: action, target: b, on: [{assign: {n: abc}}]}
      - {event: guard, cond: "1 + 'x'", target: b}
      - {event: leaving, target: c}
      - {event: "HANDLER", on: [{assign: {location: seen, expr: event.data.message}}]}
    exit: [{if: {cond: "event.name == 'leaving'", then: [{assign: {n: abc}}]}}, {assign: {seen: unreached}}]
  b: {transitions: [{event: "HANDLER", on: [{assign: {seen: in b}}]}]}
  c: {transitions: [{event: "HANDLER", target: d}]}
  d: {}
"""


@pytest.mark.parametrize(("event", "at"), [("action", "b"), ("guard", "a"), ("leaving", "d")])
def test_errors_are_events_where_the_flow_takes_them(event: str, at: str) -> None:
    assert Talk(FAILING.replace("HANDLER", "error")).start().event(event).at == [at]


@pytest.mark.parametrize("event", ["action", "guard", "leaving"])
def test_errors_fail_the_turn_where_the_flow_does_not(event: str) -> None:
    talk = Talk(FAILING.replace("HANDLER", "other")).start()
    before = talk.text

    with pytest.raises(ExpressionError, match=r"flow0\.yaml"):
        talk.event(event)
    assert talk.text == before
    assert talk.event("nothing").at == ["a"]


def test_an_error_in_what_takes_an_error_fails_the_turn() -> None:
    flow = """
    flow: x
    states:
      a: {transitions: [{event: t, on: [{log: "1 + 'x'"}]}, {event: error, on: [{log: "2 + 'x'"}]}]}
    """
    with pytest.raises(ExpressionError, match="2 \\+ 'x'"):
        Talk(flow).start().event("t")


def test_an_error_in_the_state_that_an_error_leads_to_is_another_event() -> None:
    flow = """
    flow: x
    states:
      a: {enter: [{log: "1 + 'x'"}], transitions: [{event: error, target: b}]}
      b: {enter: [{log: "2 + 'x'"}], transitions: [{event: error, target: c}]}
      c: {}
    """
    assert Talk(flow).start().at == ["c"]


def test_an_error_of_a_question_or_an_invoke_is_an_event_too() -> None:
    flow = """
    flow: x
    states:
      a: {ask: "{{ 1 + 'x' }}", transitions: [{event: error.execution, target: b}]}
      b: {invoke: {http: {url: "{{ 1 + 'x' }}"}}, transitions: [{event: error.execution, target: c}]}
      c: {}
    """
    talk = Talk(flow).start()

    assert talk.at == ["c"]
    assert talk.frame.invokes == []


def test_an_error_of_a_first_value_is_an_event_too() -> None:
    flow = """
    flow: x
    datamodel: {n: {expr: "1 + 'x'"}}
    states:
      a: {transitions: [{event: error.execution, target: b}]}
      b: {}
    """
    talk = Talk(flow).start()

    assert talk.at == ["b"]
    assert talk.variables == {"n": None}


def test_donedata_that_fails_is_an_event_and_the_state_is_done() -> None:
    flow = """
    flow: x
    states:
      a:
        states: {f: {final: true, donedata: {n: "{{ 1 + 'x' }}"}}}
        transitions: [{event: error, target: b}]
      b: {transitions: [{event: done.state.a, target: c}]}
      c: {}
    """
    assert Talk(flow).start().at == ["c"]


@pytest.mark.parametrize(
    "states",
    [
        "{a: {transitions: [{target: b}]}, b: {transitions: [{target: a}]}}",
        "{a: {transitions: [{cond: 'true', on: []}]}}",
        "{a: {enter: [{raise: x}], transitions: [{event: x, target: a}]}}",
        "{a: {enter: [{send: x}], transitions: [{event: x, target: a}]}}",
    ],
)
def test_a_loop_ends_in_one_error_that_names_flow_and_state(states: str) -> None:
    with pytest.raises(BudgetExceeded, match=r'the flow "loop" went past 1,000 microsteps .* last in "[ab]"'):
        Talk(f"{{flow: loop, states: {states}}}").start()


@pytest.mark.parametrize(
    ("limits", "actions", "message"),
    [
        (Limits(actions=3), ["log: today"] * 4, "3 actions"),
        (Limits(actions=3), ["foreach: {array: '[1, 2, 3]', item: i, do: []}"], "3 actions"),
        (Limits(messages=2), ["say: Hi"] * 3, "2 messages"),
        (Limits(rendered_bytes=5), ["say: Hello!"], "5 bytes"),
        (Limits(rendered_bytes=5), ["say: नम"], "5 bytes"),
        (Limits(rendered_bytes=5), ["assign: {x: 'Hello!'}"], "5 bytes"),
    ],
)
def test_other_budgets(limits: Limits, actions: list[str], message: str) -> None:
    flow = entering(*actions, datamodel="{x: {}}")

    with pytest.raises(BudgetExceeded, match=message):
        Talk(flow, limits=limits).start()


def test_a_machine_is_usable_after_a_turn_that_failed() -> None:
    flow = """
    flow: x
    states:
      a:
        transitions:
          - {event: loop, target: b}
          - {event: t, target: c}
      b: {enter: [{raise: more}], transitions: [{target: b}]}
      c: {}
    """
    talk = Talk(flow).start()
    with pytest.raises(BudgetExceeded):
        talk.event("loop")

    assert talk.event("t").at == ["c"]


def test_the_world_is_in_scope() -> None:
    flow = entering(
        "say: '{{ contact.name }} at {{ business.name }}, {{ today.day }}, {{ now.hour }} h, {{ _name }}'",
        "log: _sessionid",
        "log: In('a') and in('A') == false",
    )
    with pytest.raises(ExpressionError, match=r'In\("A"\): there is no such state'):
        Talk(flow).start()
    talk = Talk(flow.replace("and in('A') == false", "and not In('b')") + "\n      b: {}").start()
    assert talk.said == ["Asha at Depot, 22, 10 h, acts"]
    assert [effect.value for effect in talk.step.effects if isinstance(effect, Log)] == ["acts.1", True]


def test_the_trace_has_places_in_the_document() -> None:
    flow = """
    flow: traced
    transitions: [{event: top, target: a}]
    states:
      a:
        transitions:
          - {event: t, cond: "1 == 2", target: b}
          - {event: t, target: b, on: [{log: "1"}]}
        exit: [{if: {cond: "1 == 1", then: [{log: "2"}]}}]
      b:
        transitions: [{initial: true, target: c, on: [{log: "3"}]}]
        history: {h: {transitions: [{target: c, on: [{log: "4"}]}]}}
        states:
          c: {enter: [{say: Hi}], ask: Well?, transitions: [{event: answered, target: d}]}
          d: {}
    """
    talk = Talk(flow, trace=True).start().event("t")

    assert [(entry.kind, entry.path, entry.value) for entry in talk.step.trace] == [
        ("event", (), None),
        ("guard", ("states", "a", "transitions", 0), False),
        ("transition", ("states", "a", "transitions", 1), None),
        ("exit", ("states", "a"), None),
        ("action", ("states", "a", "exit", 0), None),
        ("action", ("states", "a", "exit", 0, "if", "then", 0), None),
        ("action", ("states", "a", "transitions", 1, "on", 0), None),
        ("enter", ("states", "b"), None),
        ("transition", ("states", "b", "transitions", 0), None),
        ("action", ("states", "b", "transitions", 0, "on", 0), None),
        ("enter", ("states", "b", "states", "c"), None),
        ("action", ("states", "b", "states", "c", "enter", 0), None),
    ]
    talk.say("yes")
    assert [entry.kind for entry in talk.step.trace] == [
        "event", "answer", "event", "transition", "exit", "enter",
    ]  # fmt: skip
    assert talk.event("top").step.trace[1].path == ("transitions", 0)
    assert Talk(flow).start().step.trace == []


def test_the_trace_of_an_inline_flow_is_in_the_outer_document() -> None:
    flow = """
    flow: outer
    states:
      a: {invoke: [{type: scxml, content: {states: {x: {after: {1h: y}}, y: {}}}}]}
    """
    talk = Talk(flow, trace=True).start().fire("x.1h")

    assert talk.at == ["y"]
    assert {entry.flow for entry in talk.step.trace} == {"outer"}
    assert talk.step.trace[1].path == (
        "states", "a", "invoke", 0, "content", "states", "x", "after", "1h",
    )  # fmt: skip
