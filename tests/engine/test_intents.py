import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wabot.engine.intents import YES_NO, Intents, fold


@pytest.mark.parametrize(
    "same",
    [
        ("Yes", "YES!", "  yes.. ", "“yes”", "ｙｅｓ", "yes 👍", "Yés"),
        ("ok", "O.K.", "Ok!", "OK 👌🏽"),
        ("don't", "Dont", "DON’T"),
        ("1", "1.", "1)", "(1)", "#1", "१", "１", "1️⃣", "①", "1 ✅"),
        ("हाँ", "हां", "हा", "हाँ!", "हाँ।"),
        ("नहीं", "नही", "नहीं।"),
        ("ज़रूर", "जरूर", "ज़रूर"),
        ("👍", "👍🏽", "👍️"),
        ("❤", "❤️"),
        ("Straße", "STRASSE", "strasse"),
        ("café", "CAFE", "cafe\u0301"),
        ("yes please", "Yes, please!", "yes-please", "yes\nplease", "yes\u00a0please"),
        ("مُحَمَّد", "محمد"),
        ("क्‍ष", "क्ष"),
    ],
)
def test_what_people_write_alike_is_the_same(same: tuple[str, ...]) -> None:
    assert len({fold(text) for text in same}) == 1, {text: fold(text) for text in same}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("हाँ", "ही"),
        ("हाँ", "हो"),
        ("की", "का"),
        ("कल", "काल"),
        ("दिन", "दीन"),
        ("1.5", "15"),
        ("1.5", "1"),
        ("👍", "👎"),
        ("が", "か"),
        ("yes", "yes please"),
        ("no", "now"),
    ],
)
def test_other_words_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
@example("İ")
@example("ﷺ")
@example("\u0345ͅ")
@example("1\u0301.\u03012")
@example("ß.🏽.ß")
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_a_folded_text_has_no_space_to_spare(text: str) -> None:
    assert fold(text) == " ".join(fold(text).split())


INTENTS = Intents(
    {
        "yes": {"en": ["Yes", "y", "1", "OK"], "hi": ["haan", "हाँ"]},
        "no": {"en": ["no", "n", "2"], "hi": ["nahi", "नहीं"], "pt": ["não"]},
        "menu": ["menu", "मेनू"],
        "first": {"en": ["1"]},
        "in_the": {"pt": ["no"]},
    }
)


@pytest.mark.parametrize(
    ("text", "locale", "found"),
    [
        ("YES!", "en", {"yes"}),
        ("हाँ", "hi", {"yes"}),
        ("हाँ", "hi-IN", {"yes"}),
        ("हाँ", "en", {"yes"}),
        ("yes", "hi", {"yes"}),
        ("Menu.", "fr", {"menu"}),
        ("मेनू", "en", {"menu"}),
        ("1", "en", {"yes", "first"}),
        ("no", "en", {"no"}),
        ("no", "pt", {"in_the"}),
        ("no", "pt-BR", {"in_the"}),
        ("no", "fr", {"no", "in_the"}),
        ("yes I do", "en", set()),
        ("", "en", set()),
        ("!?", "en", set()),
    ],
)
def test_the_whole_message_is_matched(text: str, locale: str, found: set[str]) -> None:
    assert INTENTS.match(text, locale) == found


@pytest.mark.parametrize("sign", ["\u0f71\u0f80", "ﷺ", "e\u0301", "\u1f82", "x"])
def test_a_long_text_is_folded_as_far_as_a_phrase_can_reach(sign: str) -> None:
    folded = fold(sign * 30_000)
    assert len(folded) <= 1024
    assert fold(folded) == folded
    assert Intents({"yes": ["x"]}).match(sign * 30_000, "en") == set()


def test_no_intents_match_nothing() -> None:
    assert Intents().match("yes", "en") == set()
    assert INTENTS.names == {"yes", "no", "menu", "first", "in_the"}


def test_no_word_for_yes_is_also_a_word_for_no_in_one_locale() -> None:
    words = Intents(YES_NO)
    for by_locale in YES_NO.values():
        for locale, phrases in by_locale.items():
            for phrase in phrases:
                assert len(words.match(phrase, locale)) == 1, (locale, phrase)
