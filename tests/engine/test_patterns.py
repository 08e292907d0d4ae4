import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.engine.patterns import Pattern, compiled
from wabot.errors import ExpressionError


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("abc", ["abc"], ["ab", "abcd", "ABC", ""]),
        ("", [""], ["a"]),
        ("^[A-Z]{5}[0-9]{4}[A-Z]$", ["ABCDE1234F"], ["ABCDE1234", "abcde1234f"]),
        (r"\d{6}", ["110001", "११०००१"], ["1100011", "11000a"]),
        (r"[+]?\d{2,3}-?\d+", ["+91-98", "123"], ["1-", "+-1"]),
        ("(?i)gst|pan", ["GST", "pan", "Pan"], ["gs", "gstpan"]),
        ("(?i)[^a]b", ["xB"], ["AB"]),
        ("(?i)[A-C]+", ["abC"], ["d"]),
        ("a(b|c)*d", ["ad", "abcbd"], ["abce"]),
        ("(?:ab)+", ["abab"], ["aba"]),
        ("a{2,}", ["aa", "aaaa"], ["a"]),
        ("a{0}b", ["b"], ["ab"]),
        ("a?b+", ["b", "abb"], ["a"]),
        ("(a|)b", ["ab", "b"], ["a"]),
        ("()*a", ["a"], [""]),
        ("a|$", ["a", ""], ["b"]),
        (".", ["x", "ह"], ["\n", "xx"]),
        (r"[\w.]+@[\w-]+\.com", ["a.b@c-d.com"], ["a@.com"]),
        (r"[^\d\s]+", ["abc"], ["a1", "a b"]),
        (r"\D\W\S\s", ["a b\t"], ["1 b\t"]),
        (r"\.\*\\\$", [".*\\$"], ["a*\\$"]),
        (r"a\$", ["a$"], ["a"]),
        (r"a\n\t", ["a\n\t"], ["ant"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        (r"[\]\-x]", ["]", "-", "x"], ["y"]),
        (r"[!-\.]", ["-"], ["/"]),
        ("हाँ|नहीं", ["हाँ", "नहीं"], ["हा"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], other: list[str]) -> None:
    for text in matching:
        assert Pattern(pattern).matches(text), text
    for text in other:
        assert not Pattern(pattern).matches(text), text


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "a group isn't closed (add the bracket ))"),
        (")", '")" closes nothing'),
        ("[a", "a class isn't closed"),
        ("[", "a class isn't closed"),
        ("[a-", "a class isn't closed"),
        ("*a", '"*" repeats nothing'),
        ("a**", "a repetition stands behind a repetition"),
        ("a+?", "a repetition stands behind a repetition"),
        ("a{x}", 'a "{" that begins no repetition'),
        ("a{1", 'a "{" that begins no repetition'),
        ("a{3,1}", "it can't repeat {3,1}"),
        ("a{999}", "it can't repeat {999}"),
        ("((a{99}){99}){99}", "it has more than 1,000 parts"),
        ("a^b", '"^" stands inside'),
        ("(a$)b", '"$" stands inside'),
        ("(?=a)", "groups are (…) or (?:…) only"),
        ("(?P<n>a)", "groups are (…) or (?:…) only"),
        (r"\ba", '"\\b" is not known'),
        (r"(a)\1", '"\\1" is not known'),
        ("a\\", "it ends with a backslash"),
        ("[z-a]", '"z-a" is no range'),
        ("(" * 30 + ")" * 30, "nested too deeply"),
    ],
)
def test_what_is_not_taken_is_said(pattern: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Pattern(pattern)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+b", "(a?){99}b", "a*a*a*a*a*a*b", "(.*)*=", "((a{9}){9})*b"],
)
def test_no_pattern_explodes(pattern: str) -> None:
    started = time.perf_counter()
    assert not Pattern(pattern).matches("a" * 1000)
    assert time.perf_counter() - started < 2


def test_a_very_long_text_never_matches() -> None:
    assert Pattern("a*").matches("a" * 1000)
    assert not Pattern("a*").matches("a" * 1001)


def test_a_pattern_is_compiled_once() -> None:
    assert compiled("ab?") is compiled("ab?")


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "(a|b)", "(?:ab)", "(b|)", "-"])
REPEATS = st.sampled_from(["", "?", "*", "+", "{2}", "{1,2}", "{1,}"])
PATTERNS = st.lists(st.tuples(ATOMS, REPEATS).map("".join), max_size=4).map("".join)


@given(PATTERNS, st.text("ab1-", max_size=6))
def test_it_agrees_with_pythons_own(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text) == (re.fullmatch(pattern, text) is not None)


@given(st.text("()[]{}|*+?.^$\\-,ab1", max_size=12))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    try:
        Pattern(pattern).matches("ab")
    except ExpressionError as error:
        assert "the pattern" in error.message  # noqa: PT017
