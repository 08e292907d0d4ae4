"""A text beside the template that it leaves as outside of the 24-hour window."""

from pathlib import Path
from typing import Any

import pytest

from tests.engine.playing import Talk
from wabot.core.messages import Outbound, Template
from wabot.engine.check import check
from wabot.engine.effects import Say
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.errors import ExpressionError

PARCEL = """
parcel:
  today:
    text: "Your parcel {{ number }} arrives today."
    template: {name: parcel_today, variables: ["{{ number }}", "{{ contact.name|default('you') }}"]}
  lost: "Parcel {{ number }} is lost."
"""
FLOW = """
flow: parcels
datamodel: {number: {type: integer, default: 7}, n: {type: integer, default: 2}}
states:
  start:
    enter: {say: parcel.today}
    transitions:
      - {event: message.text, on: {say: WHAT}}
"""


def read(folder: Path, **locales: str) -> Texts:
    for locale, text in locales.items():
        (folder / f"{locale}.yaml").write_text(text, "utf-8")
    return Texts.load([folder], display=lambda path: path.name)


def say(what: str, texts: dict[str, Any]) -> Outbound:
    talk = Talk(FLOW.replace("parcel.today", "Hello").replace("WHAT", what), texts=texts)
    talk.start("hi").say("hi")
    said = [effect.message for effect in talk.step.effects if isinstance(effect, Say)]
    return said[-1]


def test_it_is_a_text_like_others_and_names_a_template(tmp_path: Path) -> None:
    texts = read(tmp_path, en=PARCEL, hi="parcel: {lost: खो गया}")
    assert texts.problems == []
    assert texts.keys("en") == {"parcel.today", "parcel.lost"}
    text = texts.find("parcel.today", "en")
    assert text.render({"number": 7}) == "Your parcel 7 arrives today."
    assert text.fill({"number": 7}) == Template(
        name="parcel_today", language="en", variables={"1": "7", "2": "you"}
    )
    assert texts.find("parcel.lost", "en").fill({"number": 7}) is None
    assert text.names == {"number", "contact"}
    assert text.required == {"number"}
    assert [texts.names_template(key) for key in ("parcel.today", "parcel.lost", "other")] == [
        True,
        False,
        False,
    ]
    assert texts.line("parcel.today").fill({"number": 7}, "en") == text.fill({"number": 7})


def test_the_language_is_that_of_the_file_unless_it_says_another(tmp_path: Path) -> None:
    texts = read(
        tmp_path,
        hi="a: {text: हाँ, template: {name: a}}\nb: {text: हाँ, template: {name: b, language: hi_IN}}",
    )
    found = [texts.find(key, "hi-IN").fill({}) for key in ("a", "b")]
    assert [each.language for each in found if each] == ["hi", "hi_IN"]


def test_a_plural_has_one_too(tmp_path: Path) -> None:
    plural = """
boxes:
  count: n
  one: One box
  other: "{{ count }} boxes"
  template: {name: boxes, variables: {1: "{{ count }} of {{ total }}"}}
"""
    text = read(tmp_path, en=plural).find("boxes", "en")
    assert text.render({"n": 2}) == "2 boxes"
    filled = text.fill({"n": 2, "total": 5})
    assert filled is not None
    assert filled.variables == {"1": "2 of 5"}
    assert text.required == {"n", "total"}
    with pytest.raises(ExpressionError, match='the count of "boxes" is no number'):
        text.fill({"n": "two", "total": 5})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: {text: Hi, template: {nam: x}}",
            'en.yaml:1:26: error: unknown key "nam" — did you mean "name"? [unknown-key]',
        ),
        (
            "a: {text: Hi, template: {name: x, variables: [yes, {a: b}]}}",
            'en.yaml:1:52: error: "variables" must be text, not a mapping [bad-value]',
        ),
        (
            "a: {text: Hi, template: {name: x}, footer: Bye}",
            'en.yaml:1:36: error: unknown key "footer" — known here: template, text [unknown-key]',
        ),
        (
            "a: {text: true, template: {name: x}}",
            'en.yaml:1:4: error: "a" must be text, not true — put it in quotes [bad-value]',
        ),
        (
            'a: {text: Hi, template: {name: x, variables: ["{{ b"]}}',
            'en.yaml:1:4: error: the text "a": ',
        ),
    ],
)
def test_what_is_wrong_in_one_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    found = [str(each) for each in read(tmp_path, en=text).problems]
    assert any(each.startswith(problem) for each in found), found


def test_keys_that_only_look_like_one_are_keys(tmp_path: Path) -> None:
    texts = read(tmp_path, en="a: {text: Hi, template: Hello}\nb: {template: {name: Ben}}")
    assert texts.keys("en") == {"a.text", "a.template", "b.template.name"}


def test_what_is_said_by_its_key_carries_the_template() -> None:
    texts = {
        "en": {
            "parcel": {
                "text": "Your parcel {{ number }} arrives today.",
                "template": {"name": "parcel_today", "variables": ["{{ number }}", "{{ message.text }}"]},
            }
        }
    }
    template = Template(name="parcel_today", language="en", variables={"1": "7", "2": "hi"})
    assert say("parcel", texts) == Outbound(text="Your parcel 7 arrives today.", template=template)
    own = "{text: parcel, template: {name: other, variables: [Asha, parcel]}}"
    assert say(own, texts).template == Template(
        name="other", language="en", variables={"1": "Asha", "2": "Your parcel 7 arrives today."}
    ), "the message's own comes first"
    assert say("parcel", {"en": {"parcel": "Hi"}, "hi": texts["en"]}).template is None


def test_the_variables_of_a_template_are_checked_like_the_text() -> None:
    parcel: Any = {"text": "Hi", "template": {"name": "p", "variables": ["{{ nubmer }}"]}}
    source = load_flow(FLOW.replace("parcel.today", "parcel").replace("WHAT", "Hello"), "f.yaml")
    found = [str(problem) for problem in check([source], Texts({"en": {"parcel": parcel}}))]
    said = 'f.yaml:6:18: error: the text "parcel" uses "nubmer", and there is no such variable'
    assert [each for each in found if each.startswith(said)]
