from pathlib import Path

import pytest

from wabot.errors import FlowInvalid, FlowSyntaxError
from wabot.testing.files import Bubble, Case, Tap, read_cases

UNKNOWN_KIND = (
    '1:24: error: unknown key "picture" — known are audio, card, document, image, location, sticker, text, '
    "video [test-file]"
)
DURATION = "'soon' is not a length of time: write it like 90s, 30m, 1h, 1h30m or 2d [test-file]"
BEGINNING = (
    "1:1: error: a test file begins with conversations: — conversations: {a name: [steps]} [test-file]"
)


def read(text: str) -> list[Case]:
    return read_cases("tests/order.yaml", text)


def findings(text: str) -> list[str]:
    with pytest.raises(FlowInvalid) as caught:
        read(text)
    return [str(problem).removeprefix("tests/order.yaml:") for problem in caught.value.problems]


def test_one_conversation_is_called_by_its_file() -> None:
    [case] = read("conversation:\n  - contact: Hi\n")
    assert (case.name, str(case)) == ("order", "tests/order.yaml: order")
    assert case.steps[0].contact == "Hi"


def test_conversations_come_in_order_and_take_the_defaults() -> None:
    first, second = read("""
defaults: {locale: hi, contact: {name: Ravi}}
conversations:
  one: [{contact: Hi}]
  two:
    locale: en
    skip: not yet
    now: 2026-03-31T23:30:00+05:30
    steps: [{contact: Hi}]
""")
    assert (first.name, first.settings.locale, first.settings.contact.name) == ("one", "hi", "Ravi")
    assert (second.settings.locale, second.settings.contact.name) == ("en", "Ravi")
    assert (second.settings.skip, second.settings.now) == ("not yet", "2026-03-31T23:30:00+05:30")
    assert (first.start.line, second.start.line) == (4, 9)


def test_a_step_keeps_the_order_of_its_checks_and_their_places() -> None:
    [case] = read("conversation:\n  - state: a\n    contact: Hi\n    bot: [x,\n      y]\n")
    assert case.orders == (("state", "contact", "bot"),)
    assert str(case.place(0, "bot", 1)) == "tests/order.yaml:5:7"


def test_short_forms() -> None:
    [case] = read("""
conversation:
  - contact: 1
    bot: {contains: x, buttons: [a, 2]}
    state: a
    timers: t
  - tap: yes
  - pick: {option: 2, message: -1}
  - bot:
  - bot: []
""")
    first, tap, pick, empty, silent = case.steps
    assert first.contact == "1"
    assert first.bot == [Bubble(contains=["x"], buttons=["a", "2"])]
    assert (first.state, first.timers) == (["a"], ["t"])
    assert tap.tap == Tap(option="yes")
    assert pick.pick == Tap(option="2", message=-1)
    assert empty.bot is None
    assert silent.bot == []


def test_stubs_are_one_answer_or_several() -> None:
    [case] = read("""
conversation:
  stubs:
    one: {complete: {status: 200}}
    two: [{fail: down}, {complete: null}]
  steps: [{contact: Hi}]
""")
    assert [stub.fail for stub in case.settings.stubs["two"]] == ["down", None]
    assert case.settings.stubs["one"][0].complete == {"status": 200}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "conversation: [{contcat: Hi}]",
            ['1:17: error: unknown key "contcat" — did you mean "contact"? [test-file]'],
        ),
        (
            "conversation: [{bot: {contain: x}}]",
            ['1:23: error: unknown key "contain" — did you mean "contains"? [test-file]'],
        ),
        (
            "conversation: [{send: {picture: x}}]",
            [UNKNOWN_KIND],
        ),
        (
            "conversation: [{tap: {option: a, massage: 1}}]",
            ['1:34: error: unknown key "massage" — did you mean "message"? [test-file]'],
        ),
        (
            "conversation: {contact: {nam: x}, steps: [{contact: Hi}]}",
            ['1:26: error: unknown key "nam" — did you mean "name"? [test-file]'],
        ),
        (
            "conversation: [{contact: Hi, tap: yes}]",
            ["1:16: error: a step has one act, here are 2: contact, tap [test-file]"],
        ),
        (
            "conversation: [{contact: true}]",
            ["1:26: error: put quotes around it: YAML reads it as something else than a text [test-file]"],
        ),
        (
            "conversation: [{wait: soon}]",
            ["1:23: error: " + DURATION],
        ),
        (
            "conversation: [{send: {text: hi}}]",
            ["1:23: error: send one of image, audio, video, document, sticker, location or card [test-file]"],
        ),
        (
            "conversation: [{send: {location: {latitude: 91, longitude: 0}}}]",
            ["1:45: error: Input should be less than or equal to 90 [test-file]"],
        ),
        (
            "conversation: [{complete: {a: 1, b: 2}}]",
            ["1:16: error: complete names one thing, here are 2 [test-file]"],
        ),
        (
            "conversation: [{contact: a, result: 1}]",
            ["1:16: error: result and rejected go with a command in the same step [test-file]"],
        ),
        (
            "conversation: {stubs: {x: {}}, steps: [{contact: a}]}",
            ["1:27: error: a stub has one of complete and fail [test-file]"],
        ),
        (
            "conversation: [Hi]",
            ["1:16: error: a step is a mapping such as {contact: Hi} [test-file]"],
        ),
        (
            "conversations: {a: []}",
            ['1:20: error: the conversation "a" has no steps — write a list of steps [test-file]'],
        ),
        ("conversations: [a]", ["1:16: error: conversations is a mapping [test-file]"]),
        (
            "flow: order",
            [BEGINNING],
        ),
        (
            "convresations: {}\nconversation: [{contact: Hi}]",
            ['1:1: error: unknown key "convresations" — did you mean "conversations"? [test-file]'],
        ),
        (
            "defaults: {local: hi}\nconversation: [{contact: Hi}]",
            ['1:12: error: unknown key "local" — did you mean "locale"? [test-file]'],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, found: list[str]) -> None:
    assert findings(text) == found


def test_every_finding_is_told() -> None:
    assert len(findings("conversation:\n  - {contcat: Hi}\n  - {wait: soon, bott: x}\n")) == 3


def test_not_yaml() -> None:
    with pytest.raises(FlowSyntaxError):
        read("conversation: [")


def test_a_file_on_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "menu.yaml"
    file.write_text("conversation: [{contact: नमस्ते}]", encoding="utf-8")
    [case] = read_cases(file)
    assert (case.name, case.file, case.steps[0].contact) == ("menu", str(file), "नमस्ते")
