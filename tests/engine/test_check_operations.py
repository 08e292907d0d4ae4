"""What the checker finds in operations, against what they do in a turn."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.test_check_good import found
from wabot.core.messages import Inbound
from wabot.core.module import Contact
from wabot.core.money import Money
from wabot.engine.check import CheckOptions, check
from wabot.engine.expressions import FILTERS, Sandbox
from wabot.engine.loader import load_flow
from wabot.engine.occurrence import Occurrence
from wabot.engine.run import message_data
from wabot.engine.variables import FIELDS
from wabot.errors import ExpressionError
from wabot.pipeline.world import contact_data

HEAD = """\
flow: f
datamodel:
  n: {type: integer, default: 1}
  t: {type: text}
  d: {type: object}
  total: {type: money, default: 5}
"""


def of(body: str, **options: Any) -> list[str]:
    """The codes of what is found, in a flow that conversations begin with."""
    lines = found(f"{HEAD}{body}", **{"starts": ["f"], **options})
    return [line.rpartition("[")[2].rstrip("]") for line in lines]


def said(template: str, **options: Any) -> list[str]:
    return of(f'states: {{a: {{enter: [{{say: "{template}"}}], final: true}}}}', **options)


def asked(condition: str) -> list[str]:
    return of(f"""\
states:
  a: {{transitions: [{{event: message, cond: "{condition}", target: b}}]}}
  b: {{final: true}}
""")


@pytest.mark.parametrize("expression", ["t|upper", "t|length", "d.x.y", "d['x']", "n + d.x", "t|first"])
def test_what_fails_without_a_value_is_found_where_nothing_ever_sets_it(expression: str) -> None:
    assert said(f"{{{{ {expression} }}}}") == ["unset-variable"]
    assert asked(expression) == ["unset-variable"]


@pytest.mark.parametrize(
    "expression", ["n + t", "t + 1", "n|upper", "n * d", "-t", "'a' in n", "n < t", "t|date"]
)
def test_what_fails_with_the_declared_types_is_found(expression: str) -> None:
    assert said(f"{{{{ {expression} }}}}") == ["type-mismatch"]
    assert asked(expression) == ["type-mismatch"]


@pytest.mark.parametrize(
    "expression", ["n.foo", "contact.nme", "message.foo", "event.nme", "t.upper", "total.amont"]
)
def test_a_field_that_is_never_there_is_found(expression: str) -> None:
    assert asked(expression) == ["unknown-field"]


@pytest.mark.parametrize(
    "expression",
    ["t", "t|default('x')|upper", "(t or 'x')|upper", "t|upper if t else ''", "t ~ 1", "t == 1", "t is none",
     "n + 1", "n * 'ab'", "total > 100", "total + 1", "total.amount", "d.x|default('')", "d.x is defined",
     "t and t|upper == 'A'", "today.year", "today - today", "now.hour", "contact.id", "contact['phone']",
     "message.media.id", "message.raw.x", "business.foo", "event.data.x", "event.sendid", "t|int('') ~ ''",
     "message.text|upper", "n is even", "n|money", "t|string|upper", "n|string|upper", "d|default({})|length",
     "n.foo|default(1)", "n + (1 if n else 'a')", "n if n is string else n"],
)  # fmt: skip
def test_what_may_go_well_is_not_found(expression: str) -> None:
    assert asked(expression) == []


def test_names_that_a_template_sets_are_its_own() -> None:
    assert said("{% for n in ['a'] %}{{ n|upper }}{% endfor %}") == []
    assert said("{% set t = 'a' %}{{ t|upper }}") == []
    assert said("{% for x in d.lines %}{{ x }}{% endfor %}") == ["unset-variable"]
    assert said("{% for x in n %}{{ x }}{% endfor %}") == ["type-mismatch"]


def test_a_list_that_is_never_there_is_found() -> None:
    head = "datamodel: {lines: {type: list}}\n"
    loop = "{foreach: {array: lines, item: line, do: []}}"
    buttons = "{say: {text: Choose, buttons: {for: lines, id: '{{ item }}', title: '{{ item }}'}}}"
    for action in (loop, buttons):
        [line] = found(f"flow: f\n{head}states: {{a: {{enter: [{action}], final: true}}}}", starts=["f"])
        assert line.endswith("[unset-variable]")


def test_values_inside_of_arguments_are_looked_at() -> None:
    enter = "demo.quote: {lines: [{name: '{{ contact.nme }}', quantity: '{{ n }}'}]}"
    assert of(f"states: {{a: {{enter: [{{{enter}}}], final: true}}}}") == ["unknown-field"]


def test_a_plurals_count_is_not_the_variable_of_that_name() -> None:
    texts = {"en": {"lines": {"count": "2", "one": "one", "other": "{{ count + 1 }}"}}}
    head = "datamodel: {count: {type: text, default: x}}\n"
    assert found(f"{head}states: {{a: {{enter: [{{say: lines}}], final: true}}}}", texts) == []


def test_a_flow_that_others_may_give_values_to_is_left_alone() -> None:
    assert said("{{ t|upper }}", starts=[]) == []
    caller = "states: {a: {invoke: {srcexpr: \"'f'\"}, transitions: {event: done, target: a}}}"
    body = "states: {a: {enter: [{say: '{{ t|upper }}'}], final: true}}"
    sources = [load_flow(f"{HEAD}{body}", "f.yaml"), load_flow(caller, "g.yaml")]
    options = CheckOptions(starts=["f"])
    assert [problem.code for problem in check(sources[:1], options=options)] == ["unset-variable"]
    assert [problem.code for problem in check(sources, options=options)] == []


@pytest.mark.parametrize(
    "setting",
    ["enter: [{send: {event: x, delay: 1h, idlocation: t}}]", "invoke: {id: i, agent: {}, idlocation: t}",
     "enter: [{foreach: {array: '[1]', item: t, do: []}}]", "enter: [{assign: {t: x}}]"],
)  # fmt: skip
def test_whatever_sets_a_variable_counts(setting: str) -> None:
    assert "unset-variable" not in of(f"""\
states:
  a: {{{setting}, transitions: [{{event: x done, cond: "t|upper == 'A'", target: b}}]}}
  b: {{final: true}}
""")


def test_what_is_reached_only_with_a_value_is_left_alone() -> None:
    assert of("""\
states:
  a:
    enter: {if: {cond: t, then: {say: "{{ t|upper }}"}}}
    transitions:
      - {event: message, cond: [t, "t|upper == 'A'"], target: b}
      - {event: message, target: c}
  b: {enter: {say: "{{ t|upper }}"}, final: true}
  c: {final: true}
""") == []  # fmt: skip


def test_the_fields_are_those_of_a_turn() -> None:
    contact = Contact(1, "919812345678", "Asha", "en")
    message = Inbound(channel="console", event_id="1", sender="a", recipient="b", text="hi")
    occurrence = Occurrence("x", "x").as_data()
    assert set(FIELDS["contact"]) == set(contact_data(contact, "en")) == set(contact_data(None, "en"))
    assert set(FIELDS["message"]) == set(message_data(message))
    assert set(FIELDS["event"]) == set(FIELDS["_event"]) == set(occurrence)


TYPES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["", "a", "12", "2026-11-22"]),
    "integer": st.integers(-3, 3),
    "number": st.sampled_from([0, -1, 1.5, Decimal("2.5")]),
    "boolean": st.booleans(),
    "money": st.sampled_from([Money.of(0, "INR"), Money.of(7, "INR")]),
    "date": st.just(date(2026, 1, 31)),
    "datetime": st.just(datetime(2026, 1, 31, 9, tzinfo=UTC)),
    "list": st.sampled_from([[], [1, 2], ["a"], [{"a": 1}]]),
    "object": st.sampled_from([{}, {"a": 1}, {"b": "x"}]),
}
SANDBOX = Sandbox()
DATA = "".join(f"  {kind}_: {{type: {kind}}}\n" for kind in TYPES)

terms = st.sampled_from([*(f"{kind}_" for kind in TYPES), "1", "0", "'a'", "null", "[1]", "2.5", "any_"])
simple = st.sampled_from(sorted(set(FILTERS) - {"map", "replace", "selectattr", "rejectattr"}))


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/", "//", "%", "<", ">=", "==", "in", "not in", "~"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, signs, inner),
        st.builds("({})|{}".format, inner, simple),
        st.builds("({}).{}".format, inner, st.sampled_from(["a", "year", "hour", "amount", "upper"])),
        st.builds("(-{})".format, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(["even", "none", "odd", "number"])),
    )


expressions = st.recursive(terms, grown, max_leaves=4)


@settings(max_examples=300)
@given(
    expressions,
    st.fixed_dictionaries({f"{kind}_": st.none() | values for kind, values in TYPES.items()}),
    st.one_of(st.none(), *TYPES.values()),
)
def test_what_is_found_fails_whatever_the_values(source: str, scope: dict[str, Any], anything: Any) -> None:
    body = f'states: {{a: {{enter: [{{log: "{source}"}}], final: true}}}}'
    flow = load_flow(f"flow: f\ndatamodel:\n{DATA}  any_: {{}}\n{body}", "f.yaml")
    values = {**scope, "any_": anything, "_currency": "INR", "_locale": "en"}
    for problem in check([flow], options=CheckOptions(starts=["f"])):
        if problem.code == "unset-variable":
            without = {problem.message.split('"')[1]: None}
        elif problem.code in ("type-mismatch", "unknown-field"):
            without = {}
        else:
            continue
        with pytest.raises(ExpressionError):
            SANDBOX.expression(source).evaluate({**values, **without})


def test_a_variable_that_a_loop_sets_and_an_assign_too_may_be_set() -> None:
    assert of("""\
states:
  a:
    enter:
      - foreach: {array: "['x']", item: t, do: []}
      - say: "{{ t|upper }}"
      - assign: {t: later}
    final: true
""") == []  # fmt: skip
