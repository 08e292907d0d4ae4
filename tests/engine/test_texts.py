from datetime import date
from pathlib import Path
from typing import Any

import pytest

from wabot.core.limits import BUTTON_TITLE, LIST_BUTTON
from wabot.core.money import Money
from wabot.engine.document import AnswerType
from wabot.engine.problems import Place
from wabot.engine.texts import Texts, builtin_keys, builtin_locales, is_key
from wabot.errors import ExpressionError, UnknownName

SOURCES: dict[str, Any] = {
    "en": {
        "welcome": "Hi {{ name }}",
        "only_en": "English",
        "cart": {
            "title": "Your cart",
            "lines": {
                "count": "lines|length",
                "0": "nothing",
                "one": "one thing: {{ lines[0] }}",
                "other": "{{ count }} things for {{ name|default('you') }}",
            },
        },
    },
    "hi": {"welcome": "नमस्ते {{ name }}", "total": "कुल {{ total }}"},
    "hi-IN": {"only_in": "भारत"},
}


def texts(**more: Any) -> Texts:
    return Texts({**SOURCES, **more})


def write(directory: Path, name: str, content: str | bytes) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("welcome", True),
        ("order_summary", True),
        ("wabot.invalid.integer", True),
        ("cart.2", True),
        ("Welcome", False),
        ("welcome!", False),
        ("two words", False),
        ("_x", False),
        ("a..b", False),
        ("a.", False),
        ("नमस्ते", False),
        ("welcome\n", False),
        ("", False),
    ],
)
def test_a_key_is_one_lower_case_word(source: str, expected: bool) -> None:
    assert is_key(source) is expected


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("hi", "नमस्ते Asha"),
        ("hi-IN", "नमस्ते Asha"),
        ("hi_IN", "नमस्ते Asha"),
        ("en-GB", "Hi Asha"),
        ("fr", "Hi Asha"),
    ],
)
def test_the_contacts_locale_then_its_language_then_the_default(locale: str, text: str) -> None:
    assert texts().render("welcome", {"name": "Asha"}, locale) == text


def test_the_default_locale_is_the_projects() -> None:
    found = Texts(SOURCES, default="hi")
    assert found.render("welcome", {"name": "Asha"}, "fr") == "नमस्ते Asha"


def test_builtin_texts_come_last_and_can_be_replaced() -> None:
    assert texts().render("wabot.yes", {}, "hi-IN") == "हाँ"
    assert texts().render("wabot.yes", {}, "fr") == "Yes"
    own = texts(hi={"wabot": {"yes": "जी"}})
    assert own.render("wabot.yes", {}, "hi") == "जी"
    assert own.render("wabot.yes", {}, "en") == "Yes"


def test_a_key_that_is_nowhere_is_named_with_what_was_meant() -> None:
    with pytest.raises(UnknownName, match=r'no text "welcom" for hi \(did you mean "welcome"\?\)'):
        texts().render("welcom", {}, "hi")
    with pytest.raises(UnknownName, match='no text "only_in" for en'):
        texts().render("only_in", {}, "en")
    assert texts().get("nothing_like_it", "en") is None


def test_literal_text_is_a_template() -> None:
    assert texts().render("Dear {{ name }}, welcome!", {"name": "welcome"}, "en") == "Dear welcome, welcome!"
    with pytest.raises(ExpressionError):
        texts().render("Dear {{ name", {}, "en")


@pytest.mark.parametrize(
    ("lines", "text"),
    [([], "nothing"), (["sand"], "one thing: sand"), (["a", "b"], "2 things for Asha")],
)
def test_plurals(lines: list[str], text: str) -> None:
    assert texts().render("cart.lines", {"lines": lines, "name": "Asha"}, "en") == text


def test_plurals_follow_the_language() -> None:
    forms = {"count": "n", "one": "1", "few": "few", "many": "many", "other": "other"}
    found = Texts({"pl": {"n": forms}, "en": {"n": forms}})
    assert [found.render("n", {"n": n}, "pl") for n in (1, 3, 5)] == ["1", "few", "many"]
    assert [found.render("n", {"n": n}, "en") for n in (1, 3, -1)] == ["1", "other", "1"]


@pytest.mark.parametrize("count", ["many", None, True])
def test_a_count_must_be_a_number(count: object) -> None:
    found = Texts({"en": {"n": {"count": "n", "other": "x"}}})
    with pytest.raises(ExpressionError, match='the count of "n" is no number'):
        found.render("n", {"n": count}, "en")


def test_money_and_dates_are_written_for_the_reader() -> None:
    scope = {"total": Money.of(100000, "INR"), "_locale": "en"}
    assert texts().render("total", scope, "hi") == "कुल ₹1,00,000.00"
    assert texts().render("{{ day }}", {"day": date(2026, 11, 22)}, "hi") == "22 नव॰ 2026"


def test_what_a_text_uses() -> None:
    found = texts()
    assert found.names("welcome") == {"name"}
    assert found.names("cart.lines", "en") == {"lines", "name"}
    assert found.names("nothing", "en") == frozenset()
    assert "currency" in found.names("wabot.invalid.money")
    text = found.get("cart.lines", "en")
    assert text is not None
    assert text.required == {"lines"}
    assert text.known_length == len(" things for ")
    assert text.place == Place("en.yaml")
    assert found.line("welcome").names == {"name"}
    assert found.line("welcome").key == "welcome"
    literal = found.line("Dear {{ you }}", Place("f.yaml", 3))
    assert literal.key == ""
    assert literal.names == {"you"}


def test_keys_and_locales_are_the_projects_own() -> None:
    found = texts()
    assert found.locales == ["en", "hi", "hi-IN"]
    assert found.keys("hi") == {"welcome", "total"}
    assert found.keys("fr") == frozenset()
    assert found.keys() >= {"welcome", "cart.lines", "only_in"}
    assert "wabot.yes" in found.known()
    assert found.own("welcome", "hi-IN") is None
    own = found.own("welcome", "hi")
    assert own is not None
    assert own.locale == "hi"


def test_files_are_read_by_their_locale(tmp_path: Path) -> None:
    write(tmp_path / "a", "en.yaml", "welcome: Hello\nmenu:\n  title: Menu\n")
    write(tmp_path / "a", "hi_IN.yml", "welcome: नमस्ते\n")
    write(tmp_path / "a", "notes.txt", "welcome: [")
    write(tmp_path / "b", "en.yaml", "welcome: Hi there\n")
    found = Texts.load([tmp_path / "a", tmp_path / "b", tmp_path / "missing"], display=lambda path: path.name)
    assert found.problems == []
    assert found.locales == ["en", "hi-IN"]
    assert found.render("welcome", {}, "en") == "Hi there"
    assert found.render("menu.title", {}, "hi-IN") == "Menu"
    title = found.get("menu.title", "en")
    assert title is not None
    assert str(title.place) == "en.yaml:3:10"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "en.yaml",
            "welcome: Hi {{ name\n",
            'en.yaml:1:10: error: the text "welcome": "Hi {{ name", line 1: unexpected end of template',
        ),
        (
            "en.yaml",
            "n: {count: n, one: a}\n",
            'en.yaml:1:4: error: the text "n": the plural has no form "other" — every language needs it',
        ),
        (
            "en.yaml",
            "n: {count: n, on: a, other: b}\n",
            'en.yaml:1:4: error: the text "n": "on" is no form of a plural — did you mean "one"? [bad-text]',
        ),
        (
            "en.yaml",
            "n: {count: n, xyz: a, other: b}\n",
            "— there are zero, one, two, few, many, other, and whole numbers [bad-text]",
        ),
        ("en.yaml", "n: {count: n +, other: b}\n", 'error: the text "n": "n +" is no expression'),
        (
            "english.yaml",
            "a: b\n",
            '"english" is no locale — name the file after one, such as en.yaml or hi-IN.yaml [bad-text]',
        ),
        ("en.yaml", "a: b\na: c\n", "en.yaml:2:1"),
        ("en.yaml", "a: [\n", "en.yaml:"),
        ("en.yaml", b"a: \xff\n", "en.yaml:1:1: error: the file isn't UTF-8 — save it as UTF-8 [bad-text]"),
    ],
)
def test_a_wrong_file_is_a_finding(tmp_path: Path, name: str, content: str | bytes, problem: str) -> None:
    write(tmp_path, name, content)
    found = Texts.load([tmp_path], display=lambda path: path.name)
    assert problem in "\n".join(str(one) for one in found.problems)


def test_a_wrong_text_is_known_but_not_said(tmp_path: Path) -> None:
    write(tmp_path / "a", "en.yaml", "a: fine\nb: fine\n")
    write(tmp_path / "b", "en.yaml", "a: '{{ x'\n")
    found = Texts.load([tmp_path / "a", tmp_path / "b"])
    assert found.keys("en") == {"a", "b"}
    assert found.get("a", "en") is None
    assert found.render("b", {}, "en") == "fine"


def test_one_literal_is_compiled_once_and_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wabot.engine.texts._MOST_COMPILED", 1)
    found = texts()
    for number in range(3):
        assert found.render(f"No {number}: {{{{ n }}}}", {"n": 5}, "en") == f"No {number}: 5"
        assert found.render("only_en", {}, f"en-x{number}") == "English"
    assert len(found._lines) == len(found._chains) == 1


def test_the_builtin_locales_say_the_same() -> None:
    assert builtin_locales() == ["en", "hi"]
    assert builtin_keys("hi") == builtin_keys("en")
    for key in builtin_keys():
        assert Texts().names(key, "hi") == Texts().names(key, "en"), key


TYPES: tuple[AnswerType, ...] = (
    "text", "integer", "number", "money", "date", "phone", "email", "choice", "yesno",
    "location", "contact", "image", "document", "audio", "video",
)  # fmt: skip


def test_every_type_of_question_has_its_retry_text() -> None:
    assert {f"wabot.invalid.{type_}" for type_ in TYPES} | {"wabot.invalid.pattern"} == {
        key for key in builtin_keys() if key.startswith("wabot.invalid.")
    }


@pytest.mark.parametrize("locale", ["en", "hi"])
@pytest.mark.parametrize("limits", [{}, {"min": 2}, {"max": 9}, {"min": 2, "max": 9}])
def test_every_builtin_text_can_be_said(locale: str, limits: dict[str, int]) -> None:
    scope = {"today": date(2026, 11, 22), "currency": "INR", **limits}
    for key in builtin_keys():
        text = Texts().render(key, scope, locale)
        assert text
        assert text == text.strip()
        assert "  " not in text
    assert len(Texts().render("wabot.list_button", {}, locale)) <= LIST_BUTTON
    assert len(Texts().render("wabot.yes", {}, locale)) <= BUTTON_TITLE


def test_a_retry_text_names_the_limits() -> None:
    found = Texts()
    assert found.render("wabot.invalid.integer", {"min": 1, "max": 100000}, "en") == (
        "Please send a whole number from 1 to 100,000."
    )
    assert "₹500.00" in found.render("wabot.invalid.money", {"min": Money.of(500, "INR")}, "hi")
    assert "November 22, 2026" in found.render("wabot.invalid.date", {"today": date(2026, 11, 22)}, "en")
