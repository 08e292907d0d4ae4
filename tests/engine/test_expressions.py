import timeit
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from wabot.core.money import Money
from wabot.engine.expressions import Sandbox
from wabot.engine.problems import Place
from wabot.errors import ExpressionError

SANDBOX = Sandbox()


def inr(amount: str) -> Money:
    return Money.of(amount, "INR")


SCOPE: dict[str, Any] = {
    "_locale": "en",
    "_currency": "INR",
    "In": lambda state: state in ("summary", "cart.open"),
    "x": 5,
    "v": 2,
    "flag": False,
    "none_yet": None,
    "name": "Zoë",
    "total": inr("1180"),
    "rate": Decimal("0.18"),
    "today": date(2026, 11, 22),
    "now": datetime(2026, 11, 22, 15, 5, 30, tzinfo=UTC),
    "order": {
        "id": 7,
        "lines": [
            {"name": "Sand", "quantity": 3, "price": inr("50"), "unit": {"code": "t"}},
            {"name": "Cement", "quantity": 10, "price": inr("400"), "gift": True},
        ],
    },
    "by_number": {"3": "three"},
    "event": {"name": "go", "data": {"n": 1}},
    "_event": {"name": "go", "data": {"n": 1}},
}


def evaluate(source: str, **more: Any) -> Any:
    return SANDBOX.expression(source).evaluate({**SCOPE, **more})


def render(source: str, **more: Any) -> str:
    return SANDBOX.template(source).render({**SCOPE, **more})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x", 5),
        ("order.id", 7),
        ("order['lines'][0].name", "Sand"),
        ("order.lines[-1].name", "Cement"),
        ("order.lines[0:1]|length", 1),
        ("name[:1]", "Z"),
        ("by_number[3]", "three"),
        ("total.amount", Decimal("1180.00")),
        ("total.currency", "INR"),
        ("[today.year, today.month, today.day, today.weekday]", [2026, 11, 22, 7]),
        ("now.hour * 100 + now.minute", 1505),
        ("_event.name", "go"),
        ("event.data.n == 1", True),
        ("[1, (2, 3), {'a': {'b': 1}}]", [1, [2, 3], {"a": {"b": 1}}]),
        ("1 < x < 10", True),
        ("1 < x < 3 < boom", False),
        ("x in [1, 5]", True),
        ("'x' not in 'abc'", True),
        ("'id' in order", True),
        ("'_id' in order", False),
        ("'big' if x > 3 else 'small'", "big"),
        ("'big' if x > 9", None),
        ("x or boom", 5),
        ("flag and boom", False),
        ("not flag", True),
        ("-x + +x", 0),
        ("7 // 2 + 7 % 2", 4),
        ("7 / 2", 3.5),
        ("name ~ ' ' ~ x", "Zoë 5"),
        ("'ab' + 'c'", "abc"),
        ("[1] + [2]", [1, 2]),
        ("'ab' * 2", "abab"),
        ("2 * [1]", [1, 1]),
    ],
)
def test_expressions(source: str, value: object) -> None:
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("None", None),
        ("True", True),
        ("False", False),
        ("null", None),
        ("none_yet is None", True),
        ("x is not None", True),
        ("x is none", False),
        ("none_yet == null", True),
        ("In('summary')", True),
        ("In('cart.open', 'summary')", True),
        ("In('summary', 'other')", False),
        ("in('summary')", True),
        ("not in('summary')", False),
        ("x == 5 and in('summary')", True),
        ("flag || x === 5", True),
        ("!flag && x !== 6", True),
        ("!flag&&!none_yet", True),
        ("flag ^ x", False),
        ("flag v x == 5", True),
        ("v == 2 v flag", True),
        ("v + v", 4),
        ("not v", False),
        ("x == v", False),
        ("name != 'a && b || !c === v'", True),
        ("'a\\' && b'", "a' && b"),
    ],
)
def test_dialects_of_plain_statecharts(source: str, value: object) -> None:
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("total > 1000", True),
        ("1000 >= total", False),
        ("total == 1180", True),
        ("total != 1180.5", True),
        ("total + 20", inr("1200")),
        ("20.5 + total", inr("1200.50")),
        ("total - total", inr("0")),
        ("1200 - total", inr("20")),
        ("total * 0.18", inr("212.40")),
        ("3 * total", inr("3540")),
        ("total * rate", inr("212.40")),
        ("total / 3", inr("393.33")),
        ("total / total", Decimal(1)),
        ("-total", inr("-1180")),
        ("+total", inr("1180")),
        ("total|abs == total", True),
        ("rate + 0.02", Decimal("0.20")),
        ("rate * 100 == 18", True),
        ("rate == 0.18", True),
        ("0.18 == rate", True),
        ("order.lines|sum(attribute='price')", inr("450")),
        ("total|round", inr("1180")),
        ("today + 10 > today", True),
        ("(1 + today) - today", 1),
        ("today - 22 < today", True),
        ("now - 1 < now", True),
    ],
)
def test_money_decimals_and_days(source: str, value: object) -> None:
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("name|upper", "ZOË"),
        ("'ABC'|lower", "abc"),
        ("'anna o\\'neil'|title", "Anna O'neil"),
        ("'anna bell'|capitalize", "Anna bell"),
        ("'  a '|trim", "a"),
        ("'a-b'|replace('-', '+')", "a+b"),
        ("'abcdef'|truncate(4)", "abc…"),
        ("'abc'|truncate(4)", "abc"),
        ("'abcdef'|truncate(4, '...')", "a..."),
        ("order.lines|length", 2),
        ("order.lines|count", 2),
        ("order.lines|map(attribute='name')|join(', ')", "Sand, Cement"),
        ("order.lines|join('/', attribute='quantity')", "3/10"),
        ("order.lines|map(attribute='unit.code', default='-')|list", ["t", "-"]),
        ("order.lines|map('name')|first", "Sand"),
        ("order.lines|map('name')|last", "Cement"),
        ("'abc'|first ~ 'abc'|last", "ac"),
        ("2.5|round", 3),
        ("2.345|round(2)", 2.35),
        ("-2.5|round", -3),
        ("7|round(-1)", 10),
        ("2.1|round(method='ceil')", 3),
        ("2.9|round(0, 'floor')", 2),
        ("rate|round(1)", Decimal("0.2")),
        ("-3|abs", 3),
        ("(-3)|abs", 3),
        ("3|abs", 3),
        ("'12'|int", 12),
        ("'1,200.7'|int", 1200),
        ("12.9|int", 12),
        ("total|int", 1180),
        ("'x'|int(0)", 0),
        ("none_yet|int(1)", 1),
        ("'2.5'|float", 2.5),
        ("'2.50'|decimal", Decimal("2.50")),
        ("x|string", "5"),
        ("'abc'|list", ["a", "b", "c"]),
        ("order|list", ["id", "lines"]),
        ("by_number|items", [["3", "three"]]),
        ("[1, 2]|reverse", [2, 1]),
        ("'ab'|reverse", "ba"),
        ("[3, 1, 2]|sort", [1, 2, 3]),
        ("['b', 'A', 'c']|sort", ["A", "b", "c"]),
        ("['b', 'A']|sort(case_sensitive=true, reverse=true)", ["b", "A"]),
        ("order.lines|sort(attribute='name')|map(attribute='quantity')", [10, 3]),
        ("[3, 1]|min", 1),
        ("[3, 1, 5]|max", 5),
        ("(order.lines|max(attribute='quantity')).name", "Cement"),
        ("[1, 2]|sum", 3),
        ("[]|sum", 0),
        ("[1]|sum(start=10)", 11),
        ("[1, 1.0, 2, 'a', 'a', [1], [1]]|unique", [1, 1.0, 2, "a", [1]]),
        ("order.lines|unique(attribute='price')|length", 2),
        ("order.lines|selectattr('gift')|map(attribute='name')", ["Cement"]),
        ("order.lines|rejectattr('gift')|map(attribute='name')", ["Sand"]),
        ("order.lines|selectattr('quantity', 'gt', 5)|length", 1),
        ("order.lines|rejectattr('gift', 'none')|length", 1),
        ("order.lines|selectattr('name', '==', 'Sand')|length", 1),
        ("{'a': [total, rate, today, true, none]}|tojson",
         '{"a": [{"amount": "1180.00", "currency": "INR"}, "0.18", "2026-11-22", true, null]}'),
        ("boom|default('-')", "-"),
        ("boom|default", ""),
        ("order.boom.bang|default(0)", 0),
        ("none_yet|default('friend')", "friend"),
        ("''|default('-')", ""),
        ("''|d('-', true)", "-"),
        ("''|default('-', boolean=true)", "-"),
        ("[]|first|default('-')", "-"),
        ("[]|max|default(0)", 0),
    ],
)  # fmt: skip
def test_filters(source: str, value: object) -> None:
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("total|money", "₹1,180.00"),
        ("100000|money", "₹1,00,000.00"),
        ("5|money('eur')", "€5.00"),
        ("1234567.5|number", "1,234,567.5"),
        ("2|number(2)", "2.00"),
        ("0.185|percent", "18.5%"),
        ("0.18|percent(1)", "18.0%"),
        ("today|date", "Nov 22, 2026"),
        ("today|date('short')", "11/22/26"),
        ("now|time", "3:05\u202fPM"),
        ("now|datetime", "Nov 22, 2026, 3:05\u202fPM"),
        ("now|date('long')", "November 22, 2026"),
    ],
)
def test_formatting_filters(source: str, text: str) -> None:
    assert evaluate(source).replace("\u202f", " ") == text.replace("\u202f", " ")


def test_formats_follow_the_contact() -> None:
    assert evaluate("today|date", _locale="hi") == "22 नव॰ 2026"
    assert evaluate("1234.5|number", _locale="de") == "1.234,5"
    assert render("{{ total * 100 }}", _locale="hi-IN") == "₹1,18,000.00"
    assert SANDBOX.template("{{ t }}").render({"t": inr("5")}) == "₹5.00"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x is defined", True),
        ("boom is defined", False),
        ("boom is undefined", True),
        ("x is undefined", False),
        ("order.boom is defined", False),
        ("none_yet.id is defined", False),
        ("order.lines[9] is defined", False),
        ("x is integer and x is number", True),
        ("true is integer or true is number", False),
        ("true is boolean and true is true and false is false", True),
        ("1.5 is float", True),
        ("name is string", True),
        ("order is mapping", True),
        ("order.lines is sequence and [] is iterable", True),
        ("total is money and today is date", True),
        ("4 is even and 3 is odd", True),
        ("x is divisibleby 5", True),
        ("x is eq 5 and x is gt(3) and x is lt 9", True),
        ("x is in [5]", True),
        ("x is not in [5]", False),
    ],
)
def test_tests(source: str, value: bool) -> None:
    assert evaluate(source) is value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ordr.id", '"ordr.id": there is no variable "ordr" (did you mean "order"?)'),
        ("order.line", '"order.line": there is no "line" in the object (did you mean "lines"?)'),
        (
            "order.lines.length",
            '"order.lines.length": a list has no "length" (length is a filter: write |length)',
        ),
        ("none_yet.id", '"none_yet.id": there is no "id" in nothing (null)'),
        ("x.y", '"x.y": a number has no "y"'),
        ("today.hour", '"today.hour": a date has no "hour" (it has year, month, day, weekday)'),
        ("order.lines[2]", '"order.lines[2]": a list of 2 has no place 2, they count from 0'),
        ("order[none_yet]", '"order[none_yet]": nothing (null) can\'t name a member of an object'),
        ("order.lines['a']", '"order.lines[\'a\']": a list has no "a"'),
        ("1 / 0", '"1 / 0": division by zero'),
        ("1 % 0", '"1 % 0": division by zero'),
        ("rate / 0", '"rate / 0": division by zero'),
        ("total / 0", '"total / 0": division by zero'),
        ("name + 1", '"name + 1": text + a number has no meaning'),
        ("name - 1", '"name - 1": text - a number has no meaning'),
        ("order * 2", '"order * 2": an object * a number has no meaning'),
        ("name / 2", '"name / 2": text / a number has no meaning'),
        ("name // 2", '"name // 2": text // a number has no meaning'),
        ("'%s' % 2", '"\'%s\' % 2": text % a number has no meaning'),
        ("-name", '"-name": text has no negative'),
        ("+name", '"+name": text is no number'),
        ("name > 1", '"name > 1": text > a number has no meaning'),
        ("none_yet < 1", '"none_yet < 1": nothing (null) < a number has no meaning'),
        ("order < order", '"order < order": an object < an object has no meaning'),
        ("1 in 'abc'", '"1 in \'abc\'": a number in text has no meaning'),
        ("1 in x", '"1 in x": a number in a number has no meaning'),
        ("In(x)", '"In(x)": In takes the name of a state, not a number'),
        ("x|upper", '"x|upper": upper takes text, not a number'),
        ("x|sum", '"x|sum": sum takes a list, not a number'),
        ("name|abs", '"name|abs": abs takes a number, not text'),
        ("'x'|int", '"\'x\'|int": "x" is no whole number'),
        ("[]|first", '"[]|first": there is no first in a list that is empty'),
        ("x|last", '"x|last": there is no last in a number'),
        ("[]|min", '"[]|min": there is no min in a list that is empty'),
        ("x|length", '"x|length": a number has no length'),
        ("x|items", '"x|items": items takes an object, not a number'),
        (
            "today|date('huge')",
            '"today|date(\'huge\')": "huge" is no style, there are full, long, medium, short',
        ),
        ("x|date", '"x|date": date takes a date, not a number'),
        ("today|time", '"today|time": time takes a date with time, not a date'),
        ("today|datetime", '"today|datetime": datetime takes a date with time, not a date'),
        ("x|money('rupees')", '"x|money(\'rupees\')": money needs a currency, such as money(\'INR\')'),
        ("x|round(99)", '"x|round(99)": round takes a whole number from -12 to 12 there, not "99"'),
        (
            "x|round(0, 'up')",
            '"x|round(0, \'up\')": "up" is no way to round, there are common, ceil and floor',
        ),
        ("name|is_odd", 'there is no filter "is_odd"'),
        ("name is od", 'there is no test "is od" (did you mean "odd"?)'),
        ("name is odd", '"name is odd": "is odd" takes a whole number, not text'),
        ("name is divisibleby 2", '"name is divisibleby 2": "is divisibleby" takes numbers'),
        ("order.lines|selectattr('a', 'nice')", 'there is no test "nice"'),
        ("order.lines|map(attribute=order)", "an attribute is named with text, not with an object"),
        ("{today: 1}", '"{today: 1}": a date can\'t be a key of an object'),
        ("x[0:1]", '"x[0:1]": a number can\'t be sliced'),
        ("name['a':]", '"name[\'a\':]": a slice takes whole numbers'),
        ("today + 999999999", '"today + 999999999": the date is out of range'),
        ("total + total.of", '"total + total.of": money has no "of"'),
        (
            "today < now.replace",
            "has no \"replace\" (it has year, month, day, weekday, hour, minute, second)",
        ),
    ],
)  # fmt: skip
def test_failures_say_where_and_why(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(source)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "the expression is empty"),
        ("x =  5", "(write == to compare)"),
        ("x +", "is no expression"),
        ("x y", 'has "y" too many'),
        ("{{ x }}", "(this is an expression already: leave the braces out)"),
        ("order.confirm(1)", 'nothing can be called but In("state")'),
        ("order.lines.length()", "(length is a filter: write |length)"),
        ("In", 'In is asked with a state\'s name: In("summary")'),
        ("In()", "In takes names of states"),
        ("In(state='a')", "In takes names of states"),
        ("x ** 2", "there is no power: multiply instead"),
        ("x|upper(1)", '"upper" is used wrongly'),
        ("x|replace('a')", '"replace" is used wrongly'),
        ("x|default(1, 2, 3)", "default takes a value"),
        ("x|default(value=1)", "default takes a value"),
        ("x|upper(*order)", "without * and **"),
        ("x is defined(1)", "takes nothing in brackets"),
        ("x[0:1:2]", "a slice has a start and a stop only"),
        ("x|uper", 'there is no filter "uper" (did you mean "upper"?)'),
        ("9" * 400, "holds a number that is too large"),
        ("1e999", "holds a number that is too large"),
        ("'\\ud800'", "holds half of a character"),
    ],
)
def test_mistakes_are_found_when_compiled(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        SANDBOX.expression(source)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ " + "9" * 5000 + " }}", "holds a number that is too large"),
        ("{{ " + "(" * 300 + "1" + ")" * 300 + " }}", "nested deeper than 40 levels"),
        ("{% if x %}" * 50 + "{% endif %}" * 50, "nested deeper than 40 levels"),
        ("{% else %}", "Encountered unknown tag 'else'"),
        ("x" * 17000, "the text is longer than 16,384 characters"),
    ],
)
def test_mistakes_in_templates_are_found_when_compiled(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        SANDBOX.template(source)
    assert message in str(caught.value)


def test_the_place_comes_first() -> None:
    place = Place("flows/order.yaml", 12, 9)
    with pytest.raises(ExpressionError, match=r'^flows/order\.yaml:12:9: "boom \+ 1": there is no variable'):
        SANDBOX.expression("boom + 1", place).evaluate({})
    with pytest.raises(ExpressionError, match=r"^flows/order\.yaml:12:9: "):
        SANDBOX.expression("boom(", place)
    with pytest.raises(ExpressionError, match=r"^flows/order\.yaml:12:9: .*line 2"):
        SANDBOX.template("a\n{{ boom", place)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("big * big * big", "the number is out of range"),
        ("endless + 1", "the number is out of range"),
        ("huge - total", "not an amount"),
        ("total * huge", "the amount is out of range"),
        ("huge|money", '"a number" is no amount of money'),
        ("1.5|truncate", "truncate takes text, not a number"),
        ("order.lines|selectattr('name', 'odd', 1)", 'the test "odd" takes another number of values'),
    ],
)
def test_numbers_that_are_too_large(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(source, big=2**500, huge=Decimal("1e200"), endless=Decimal("1e600"))
    assert message in str(caught.value)


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ExpressionError, match="different currencies"):
        evaluate("total + other", other=Money.of(1, "EUR"))
    with pytest.raises(ExpressionError, match="can't be compared"):
        evaluate("total > other", other=Money.of(1, "EUR"))
    assert evaluate("total == other", other=Money.of(1180, "EUR")) is False


def test_days_with_and_without_zone_do_not_compare() -> None:
    with pytest.raises(ExpressionError, match="can't be compared"):
        evaluate("now > other", other=datetime(2026, 1, 1))  # noqa: DTZ001


def test_an_expression_tells_what_it_uses() -> None:
    expression = SANDBOX.expression(
        "order.total > limit|default(5) and In('summary') and _event.data['n'] == 1"
    )
    assert expression.names == {"order", "limit", "_event"}
    assert expression.required == {"order", "_event"}
    assert expression.paths == {"order", "order.total", "limit", "_event", "_event.data", "_event.data.n"}
    assert expression.states == {"summary"}
    assert not expression.constant
    assert SANDBOX.expression("1 + 1 == 2").constant
    assert not SANDBOX.expression("In('a')").constant
    assert not SANDBOX.expression("5|money").constant


def test_in_needs_a_statechart() -> None:
    with pytest.raises(ExpressionError, match="In can't be asked here"):
        SANDBOX.expression("In('a')").evaluate({})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ name }}!", "Hi Zoë!"),
        ("no braces", "no braces"),
        ("{{ none_yet }}{{ true }}{{ 3.0 }}{{ 2.5 }}{{ rate }}", "true32.50.18"),
        ("{{ [1, 'a', [today]] }}", "1, a, Nov 22, 2026"),
        ("{{ {'a': 1} }}", '{"a": 1}'),
        ("{{ 1e20 }} {{ 10000000000000000000000 * 1.0 }}", "1e+20 1e+22"),
        ("{% if x > 3 %}big{% elif x %}small{% else %}none{% endif %}", "big"),
        ("{% if flag %}a{% elif x %}b{% endif %}", "b"),
        ("{% if flag %}a{% else %}c{% endif %}", "c"),
        (
            "{% for line in order.lines %}\n{{ loop.index }}. {{ line.name }}\n{% endfor %}end",
            "1. Sand\n2. Cement\nend",
        ),
        ("{% for l in order.lines if l.quantity > 5 %}{{ l.name }}{% endfor %}", "Cement"),
        ("{% for l in [] %}x{% else %}nothing{% endfor %}", "nothing"),
        ("{% for k, n in by_number|items %}{{ k }}={{ n }}{% endfor %}", "3=three"),
        ("{% for k in by_number %}{{ k }}{{ loop.last }}{% endfor %}", "3true"),
        ("{% set y = x + 1 %}{{ y }}", "6"),
        ("{% set y = 1 %}{% for i in [1, 2] %}{% set y = i %}{{ y }}{% endfor %}{{ y }}", "121"),
        ("{% if flag %}{% set name = 'b' %}{% endif %}{{ name }}", "Zoë"),
        ("{# a remark #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ now }}", "Nov 22, 2026, 3:05\u202fPM"),
        ("{{ t }}", "9:05\u202fAM"),
        ("one\r\ntwo", "one\ntwo"),
    ],
)  # fmt: skip
def test_templates(source: str, text: str) -> None:
    assert render(source, t=time(9, 5)).replace("\u202f", " ") == text.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ boom }}", 'there is no variable "boom"'),
        ("{% for a in name %}{% endfor %}", "for goes over a list, not over text"),
        ("{% for a, b in [1] %}{% endfor %}", "a number can't be taken apart into a, b"),
        ("{% for a in [1] %}{% endfor %}{{ a }}", 'there is no variable "a"'),
        ("{{ thing }}", "a object can't be written as text"),
        ("{{ [thing]|tojson }}", "a object can't be written as JSON"),
        ("{{ big }}", "the number is too large to be written"),
    ],
)
def test_templates_fail_with_a_reason(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(source, thing=object(), big=Decimal("1e9999"))
    assert message in str(caught.value)


def test_a_template_tells_what_it_uses() -> None:
    template = SANDBOX.template(
        "{% for l in order.lines %}{{ l.name }}{{ unit|default('') }}{% endfor %}{% set y = x %}{{ y }}"
    )
    assert template.names == {"order", "unit", "x"}
    assert template.required == {"order", "x"}
    assert template.paths == {"order", "order.lines", "unit", "x"}
    assert SANDBOX.template("plain").constant


def test_a_name_set_in_one_branch_counts_as_set_after_it() -> None:
    template = SANDBOX.template("{% if a %}{% set y = 1 %}{% else %}{{ y }}{% endif %}{{ y }}")
    assert template.names == {"a", "y"}


def test_the_known_length_takes_the_longest_branch() -> None:
    template = SANDBOX.template("Hi {{ name }}{% if x %}long{% elif y %}no{% else %}-{% endif %}{{ 'ab' }}!")
    assert template.known_length == len("Hi long" + "ab" + "!")


def test_a_value_keeps_types_and_walks_containers() -> None:
    value = SANDBOX.value(
        {
            "a": ["{{ total }}", "for {{ name }}", 3, None],
            "b": {"c": " {{ order.id }}\n"},
            "d": "{{ x }}{{ x }}",
        }
    )
    assert value.names == {"total", "name", "order", "x"}
    assert value.paths >= {"order.id"}
    assert not value.constant
    assert value.evaluate(SCOPE) == {
        "a": [inr("1180"), "for Zoë", 3, None],
        "b": {"c": 7},
        "d": "55",
    }


def test_a_constant_value_comes_back_new_each_time() -> None:
    value = SANDBOX.value({"lines": []})
    assert value.constant
    value.evaluate({})["lines"].append(1)
    assert value.evaluate({}) == {"lines": []}


def test_a_lone_value_in_braces_can_ask_for_states() -> None:
    value = SANDBOX.value("{{ In('summary') }}")
    assert value.states == {"summary"}
    assert value.evaluate(SCOPE) is True


def test_a_value_with_a_wrong_template_is_refused() -> None:
    with pytest.raises(ExpressionError, match="line 1"):
        SANDBOX.value([{"a": "{{ x"}])
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested deeper than 40"):
        SANDBOX.value(deep)


def test_one_compiled_expression_serves_many_scopes() -> None:
    expression = SANDBOX.expression("n * 2")
    assert [expression.evaluate({"n": n}) for n in range(3)] == [0, 2, 4]


def test_evaluating_is_cheap() -> None:
    expression = SANDBOX.expression("total > 1000 and name == 'Zoë'")
    best = min(timeit.repeat(lambda: expression.evaluate(SCOPE), number=1000, repeat=5)) / 1000
    assert best < 100e-6, f"{best * 1e6:.0f} µs where about 3 are usual"
