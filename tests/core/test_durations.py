from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.core.durations import LONGEST, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1H 30M", 5400),
        ("1.5h", 5400),
        (".5m", 30),
        ("500ms", 0.5),
        ("2d", 172800),
        ("1w", 604800),
        ("0s", 0),
    ],
)
def test_lengths_as_authors_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "1", "-1h", "1e5s", "soon", "1h later", "٣h", "1 year"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 90s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["521w5d", "99999999999999999999w", "9" * 500 + "s"])
def test_ten_years_are_the_most(text: str) -> None:
    with pytest.raises(ValueError, match="longer than 3650 days"):
        parse_duration(text)


@given(st.timedeltas(timedelta(0), LONGEST))
def test_what_is_formatted_can_be_read(value: timedelta) -> None:
    whole = value // timedelta(milliseconds=1) * timedelta(milliseconds=1)
    assert abs(parse_duration(format_duration(value)) - whole) < timedelta(microseconds=2)


def test_the_formatted_length_is_short() -> None:
    assert format_duration(timedelta(hours=1, minutes=30)) == "1h30m"
    assert format_duration(timedelta(days=1, milliseconds=5)) == "1d5ms"
    assert format_duration(timedelta(0)) == format_duration(timedelta(seconds=-1)) == "0s"
