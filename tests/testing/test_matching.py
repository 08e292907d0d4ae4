from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template
from wabot.core.money import Money
from wabot.testing.files import Bubble
from wabot.testing.matching import as_expected, described, differences, mismatches, shown

LIST = Choices(
    button="Open", sections=(Section(rows=(Row(id="a", title="Apples"), Row(id="b", title="Beans"))),)
)
PLAIN = Outbound(text="Hello Asha")
BUTTONS = Outbound(
    text="Go on?",
    header="Order",
    footer="Bye",
    buttons=(Button(id="yes", title="Yes"), Button(id="no", title="No")),
)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("118.00 INR", Money(Decimal("118.00"), "INR")),
        ("118", Money(Decimal("118.00"), "INR")),
        (118, Money(Decimal("118.00"), "INR")),
        ("2026-11-22", date(2026, 11, 22)),
        ("2026-11-22T10:00:00+00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        (1, Decimal("1.00")),
        ("1.5", Decimal("1.50")),
        (2.5, Decimal("2.5")),
        (True, True),
        (None, None),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([{"a": 1}], ({"a": 1, "b": 2},)),
        ({"latitude": 1}, Location(latitude=1, longitude=2)),
    ],
)
def test_what_means_the_same(expected: Any, actual: Any) -> None:
    assert differences(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        (1, 2, ["value: expected 1, got 2"]),
        (1, True, ["value: expected 1, got true"]),
        (True, 1, ["value: expected true, got 1"]),
        ("x", None, ['value: expected "x", got null']),
        ("many", Decimal(2), ['value: expected "many", got 2']),
        ("118.00 USD", Money(Decimal("118.00"), "INR"), ['value: expected "118.00 USD", got 118.00 INR']),
        ({"a": 1}, {"b": 2}, ["a: expected 1, there is none (there is b)"]),
        ({"a": 1}, {}, ["a: expected 1, there is none (there is nothing)"]),
        ({"a": 1}, 5, ["value: expected {a: 1}, got 5"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["a.b[1]: expected 2, got 3"]),
        ([1], [1, 2], ["value: expected 1 items, got 2: [1, 2]"]),
        ([1], "x", ['value: expected [1], got "x"']),
    ],
)
def test_what_differs(expected: Any, actual: Any, found: list[str]) -> None:
    assert differences(expected, actual) == found


@pytest.mark.parametrize(
    ("bubble", "message"),
    [
        (Bubble(text=" Hello Asha\n"), PLAIN),
        (Bubble(contains=["Hello", "Asha"], lacks=["Ravi"]), PLAIN),
        (Bubble(matches=r"^Hello \w+$"), PLAIN),
        (Bubble(header="Order", footer="Bye", buttons=["Yes", "No"]), BUTTONS),
        (Bubble(buttons={"yes": "Yes", "no": "No"}, options=["Yes", "No"]), BUTTONS),
        (Bubble(list=["Apples", "Beans"], options={"a": "Apples", "b": "Beans"}), Outbound(choices=LIST)),
        (Bubble(media="x.jpg"), Outbound(media=Media(kind="image", url="x.jpg"))),
        (Bubble(media={"kind": "image"}), Outbound(media=Media(kind="image", url="x.jpg"))),
        (Bubble(location={"latitude": 1}), Outbound(location=Location(latitude=1, longitude=2))),
        (Bubble(template="hello"), Outbound(template=Template(name="hello"))),
        (
            Bubble(template={"variables": {"1": "Asha"}}),
            Outbound(template=Template(name="h", variables={"1": "Asha"})),
        ),
    ],
)
def test_a_message_that_fits(bubble: Bubble, message: Outbound) -> None:
    assert mismatches(bubble, message) == []


@pytest.mark.parametrize(
    ("bubble", "message", "found"),
    [
        (Bubble(text="Hello\nRavi"), PLAIN, ["text:\n- Hello\n- Ravi\n+ Hello Asha"]),
        (Bubble(text=""), PLAIN, ["text:\n- \n+ Hello Asha"]),
        (
            Bubble(contains=["Ravi"], lacks=["Asha"]),
            PLAIN,
            ['text: "Ravi" is not in it', 'text: "Asha" is in it'],
        ),
        (Bubble(matches="^Asha"), PLAIN, ["text: /^Asha/ is not found in it"]),
        (Bubble(header="x"), BUTTONS, ['header: expected "x", got "Order"']),
        (Bubble(buttons=["Yes"]), BUTTONS, ['buttons: expected ["Yes"], got ["Yes", "No"]']),
        (
            Bubble(buttons={"no": "No", "yes": "Yes"}),
            BUTTONS,
            ['buttons: expected {no: "No", yes: "Yes"}, got {yes: "Yes", no: "No"}'],
        ),
        (Bubble(list=["Yes", "No"]), BUTTONS, ['list: expected ["Yes", "No"], got []']),
        (Bubble(media="x"), PLAIN, ["media: there is none"]),
        (
            Bubble(template="x"),
            Outbound(template=Template(name="y")),
            ['template.name: expected "x", got "y"'],
        ),
    ],
)
def test_a_message_that_does_not_fit(bubble: Bubble, message: Outbound, found: list[str]) -> None:
    assert mismatches(bubble, message) == found


def test_what_is_written_fits_the_message_it_was_written_from() -> None:
    for message in (
        PLAIN,
        BUTTONS,
        Outbound(text="Pick", choices=LIST),
        Outbound(media=Media(kind="image", url="x.jpg")),
        Outbound(location=Location(latitude=1, longitude=2)),
        Outbound(template=Template(name="t", variables={"1": "x"})),
        Outbound(),
    ):
        written = as_expected(message)
        bubble = Bubble(text=written) if isinstance(written, str) else Bubble.model_validate(written)
        assert mismatches(bubble, message) == []
    assert as_expected(PLAIN) == "Hello Asha"
    assert as_expected(Outbound()) == {"any": True}


def test_how_a_message_is_shown() -> None:
    assert described(BUTTONS) == "Order\nGo on?\nBye\n[Yes] [No]"
    assert described(Outbound(media=Media(kind="image", url="x.jpg"))) == "(image x.jpg)"
    assert described(Outbound(location=Location(latitude=1, longitude=2))) == "(location 1.0, 2.0)"
    assert described(Outbound(template=Template(name="t"))) == "(template t)"
    assert shown({"a": [None, True, "x", 1.5]}) == '{a: [null, true, "x", 1.5]}'
