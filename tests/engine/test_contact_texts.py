"""What contacts really send stays what they sent: in conditions, in texts, in stored values."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.core.json import dumps, loads
from wabot.engine.expressions import Sandbox
from wabot.engine.texts import Texts

SANDBOX = Sandbox()
EN = {"en": {"greeting": "Hello {{ name }}, thank you!"}}

UNTOUCHED = [
    "D'Souza",
    'Ravi "Bunty" Kumar',
    "O’Brien “the builder”",
    "`rm -rf /`",
    "{{ 7 * 7 }}",
    "{{ contact.phone }}",
    "{% for x in range(9) %}",
    "{# hidden #}",
    "{name} {0} %s %(name)s ${name} #{name}",
    "<b>bold</b> & <script>alert(1)</script>",
    "'; DROP TABLE orders; --",
    "100% cotton \\ back\\slash \\n",
    "=SUM(A1:A9)",
    "अनुष्का शर्मा",
    "हाँ जी, ५० बोरी",
    "ज़ोया क़ुरैशी",
    "محمد العربي",
    "شارع ١٢، الرياض (قرب المسجد)",
    "יוסי כהן",
    "Zoë Łukasiewicz-Nuñez",
    "Nguyễn Thị Hồng",
    "李小龍",
    "김철수",
    "สมชาย",
    "👍🏽",
    "👨‍👩‍👧‍👦 family",
    "🇮🇳🏏",
    "1️⃣",
    "❤️",
    "*bold* _italic_ ~gone~ ```code```",
    "line one\nline two\n\tindented",
    "no-break\u00a0space",
    "क्‍ष and क्‌ष",
    "مع\u200fعلامة\u200e",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_it_reads_the_same_in_a_text(text: str) -> None:
    assert SANDBOX.template("You wrote: {{ text }}.").render({"text": text}) == f"You wrote: {text}."
    assert Texts(EN).render("greeting", {"name": text}, "en") == f"Hello {text}, thank you!"


@pytest.mark.parametrize("text", UNTOUCHED)
def test_it_is_the_same_as_a_value(text: str) -> None:
    scope = {"message": {"text": text}, "names": [text], text: 1}
    assert SANDBOX.value({"a": ["{{ message.text }}"]}).evaluate(scope) == {"a": [text]}
    assert SANDBOX.expression("message.text").evaluate(scope) == text
    assert SANDBOX.expression("message.text == names[0] and message.text in names").evaluate(scope) is True
    assert loads(dumps({"text": text})) == {"text": text}


@pytest.mark.parametrize("text", UNTOUCHED)
def test_an_author_can_write_it_in_an_expression(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    assert SANDBOX.expression(f"text == '{quoted}'").evaluate({"text": text}) is True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bell\x07 escape\x1b[31m nul\x00", "bell escape[31m nul"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("one\u2028two", "one\ntwo"),
        ("\u202eevil\u202c name", "evil name"),
        ("\u2066isolated\u2069", "isolated"),
        ("half \ud83d emoji", "half  emoji"),
        ("\ufeffmarked", "marked"),
        ("\x85next", "next"),
    ],
)
def test_what_could_harm_the_rest_of_the_message_is_taken_out(text: str, shown: str) -> None:
    rendered = SANDBOX.template("<{{ text }}>").render({"text": text})
    assert rendered == f"<{shown}>"
    assert SANDBOX.template("<{{ list }}>").render({"list": [text]}) == f"<{shown}>"
    rendered.encode()


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    shown = SANDBOX.template("{{ text }}").render({"text": text})
    shown.encode()
    assert all(sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs") for sign in shown)
    assert SANDBOX.template("{{ text }}").render({"text": shown}) == shown


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=30))
def test_letters_signs_and_emoji_are_never_lost(text: str) -> None:
    assert SANDBOX.template("{{ text }}").render({"text": text}) == text


@pytest.mark.parametrize("key", ["_x", "__class__", "items", "{{ x }}", "", "ё"])
def test_a_look_up_with_a_contacts_text_is_at_worst_not_there(key: str) -> None:
    expression = SANDBOX.expression("prices[message]|default('none')")
    assert expression.evaluate({"prices": {"cement": 1}, "message": key}) == "none"
