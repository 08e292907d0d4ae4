from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from wabot.core.money import Money
from wabot.engine import formats

INDIA = timezone(timedelta(hours=5.5))


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


@pytest.mark.parametrize(
    ("locale", "more", "tried"),
    [
        ("hi-IN", ["en"], ["hi-IN", "hi", "en"]),
        ("zh_Hant_TW", [], ["zh-Hant-TW", "zh-Hant", "zh"]),
        ("en", ["en-GB", ""], ["en", "en-GB"]),
        ("", ["en"], ["en"]),
    ],
)
def test_locales_are_tried_from_near_to_far(locale: str, more: list[str], tried: list[str]) -> None:
    assert formats.chain(locale, *more) == tried


@pytest.mark.parametrize(
    ("locale", "found"),
    [("hi-IN", "hi_IN"), ("hi-US", "hi"), ("xx", "en"), ("", "en"), ("not a locale", "en"), ("de", "de")],
)
def test_an_unknown_locale_falls_back_to_its_language_and_english(locale: str, found: str) -> None:
    assert str(formats.babel_locale(locale)) == found


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "text"),
    [
        ("100000", "INR", "en", "₹1,00,000.00"),
        ("100000", "INR", "en-IN", "₹1,00,000.00"),
        ("100000", "INR", "hi", "₹1,00,000.00"),
        ("100000", "INR", "en-US", "₹100,000.00"),
        ("100000", "EUR", "en", "€100,000.00"),
        ("1234.5", "EUR", "de", "1.234,50 €"),
        ("1234", "JPY", "en", "¥1,234"),
        ("-5", "INR", "en", "-₹5.00"),
    ],
)
def test_money(amount: str, currency: str, locale: str, text: str) -> None:
    assert plain(formats.money(Money.of(amount, currency), locale)) == text


@pytest.mark.parametrize(
    ("value", "locale", "digits", "text"),
    [
        (1234567, "en", None, "1,234,567"),
        (1234567, "hi", None, "12,34,567"),
        (Decimal("1234.567"), "de", 1, "1.234,6"),
        (0.1, "en", None, "0.1"),
        (2, "en", 2, "2.00"),
        (2.6, "en", 0, "3"),
    ],
)
def test_number(value: formats.Number, locale: str, digits: int | None, text: str) -> None:
    assert formats.number(value, locale, digits) == text


@pytest.mark.parametrize(
    ("value", "locale", "digits", "text"),
    [(0.18, "en", None, "18%"), (Decimal("0.125"), "de", None, "12,5 %"), (0.5, "hi", 1, "50.0%")],
)
def test_percent(value: formats.Number, locale: str, digits: int | None, text: str) -> None:
    assert plain(formats.percent(value, locale, digits)) == text


def test_dates_and_times() -> None:
    moment = datetime(2026, 11, 22, 15, 5, tzinfo=INDIA)
    assert formats.date_(moment, "en", "long") == "November 22, 2026"
    assert formats.date_(date(2026, 11, 22), "hi-IN") == "22 नव॰ 2026"
    assert plain(formats.time_(moment, "en")) == "3:05 PM"
    assert formats.time_(time(9, 5), "de") == "09:05"
    assert plain(formats.datetime_(moment, "en")) == "Nov 22, 2026, 3:05 PM"
    assert plain(formats.datetime_(moment, "en", "short")) == "11/22/26, 3:05 PM"
    assert formats.datetime_(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "de") == "02.01.2026, 03:04"


def test_the_time_is_that_of_the_values_own_zone() -> None:
    assert formats.time_(datetime(2026, 1, 1, 23, 30, tzinfo=INDIA), "de") == "23:30"


@pytest.mark.parametrize(
    ("count", "locale", "category"),
    [
        (1, "en", "one"),
        (0, "en", "other"),
        (-1, "en", "one"),
        (2, "pl", "few"),
        (0, "hi", "one"),
        (1.5, "en", "other"),
    ],
)
def test_plural_categories(count: formats.Number, locale: str, category: str) -> None:
    assert formats.plural(count, locale) == category
