"""Money, numbers, dates and times as a contact of a locale writes and reads them, by CLDR."""

import re
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from babel import Locale, UnknownLocaleError, dates, numbers

from wabot.core.money import Money

FALLBACK = "en"
Style = Literal["full", "long", "medium", "short"]
STYLES: tuple[str, ...] = ("full", "long", "medium", "short")
Number = int | float | Decimal


def chain(locale: str, *more: str) -> list[str]:
    """The locales to try in order, by BCP 47: `hi-IN`, `hi`, then the same for each of `more`."""
    tried: list[str] = []
    for name in (locale, *more):
        parts = name.replace("_", "-").split("-")
        for count in range(len(parts), 0, -1):
            shorter = "-".join(parts[:count])
            if shorter and shorter not in tried:
                tried.append(shorter)
    return tried


@lru_cache(maxsize=256)
def babel_locale(locale: str) -> Locale:
    """CLDR's locale for a BCP 47 name; its language's, else English, where CLDR hasn't that one."""
    for name in chain(locale):
        with suppress(ValueError, UnknownLocaleError):
            return Locale.parse(name, sep="-")
    return Locale(FALLBACK)


def money(value: Money, locale: str) -> str:
    """`₹1,00,000.00`: the currency's own digits, grouped as the locale does."""
    return _money(str(value.amount), value.currency, locale)


@lru_cache(maxsize=4096)
def _money(amount: str, currency: str, locale: str) -> str:
    """Kept: a shop says the same prices again and again, and CLDR's rules take long to apply."""
    return numbers.format_currency(Decimal(amount), currency, locale=_money_locale(locale, currency))


@lru_cache(maxsize=256)
def _money_locale(locale: str, currency: str) -> Locale:
    """English without a country groups rupees by lakh: who pays in rupees reads them so."""
    found = babel_locale(locale)
    if currency == "INR" and found.territory is None and found.language == "en":
        return Locale("en", "IN")
    return found


def number(value: Number, locale: str, digits: int | None = None) -> str:
    """Grouped as the locale does; exactly `digits` after the point, or as many as it has up to 6."""
    found = babel_locale(locale)
    pattern = _with_digits(found.decimal_formats[None].pattern, digits)
    return numbers.format_decimal(value, format=pattern, locale=found)


def percent(value: Number, locale: str, digits: int | None = None) -> str:
    """0.18 as `18%`."""
    found = babel_locale(locale)
    pattern = _with_digits(found.percent_formats[None].pattern, digits)
    return numbers.format_percent(value, format=pattern, locale=found)


_MOST_DIGITS = 6
_DIGITS = re.compile(r"0(\.[0#]+)?")


def _with_digits(pattern: str, digits: int | None) -> str:
    """CLDR's pattern with other digits after the point."""
    fraction = "." + ("#" * _MOST_DIGITS if digits is None else "0" * digits)
    return _DIGITS.sub("0" + fraction.rstrip("."), pattern, count=1)


def plural(count: Number, locale: str) -> str:
    """CLDR's category of a count: `one`, `other`, …"""
    return babel_locale(locale).plural_form(count if count >= 0 else -count)


def date_(value: date, locale: str, style: Style = "medium") -> str:
    return dates.format_date(value, format=style, locale=babel_locale(locale))


def time_(value: datetime | time, locale: str, style: Style = "short") -> str:
    """The time on the clock of the value's own zone."""
    zone = value.tzinfo if isinstance(value, datetime) else None
    return dates.format_time(value, format=style, tzinfo=zone, locale=babel_locale(locale))


def datetime_(value: datetime, locale: str, style: Style = "medium") -> str:
    """Date and time in one style; but a medium one has no seconds, which nobody asks of an appointment."""
    found = babel_locale(locale)
    if style == "medium":
        pattern = str(dates.get_datetime_format(style, locale=found))
        return pattern.replace("{0}", time_(value, locale)).replace("{1}", date_(value, locale))
    return dates.format_datetime(value, format=style, tzinfo=value.tzinfo, locale=found)
