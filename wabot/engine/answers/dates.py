"""Days as people write them: `22/11/2026`, `22 Nov`, `tomorrow`, `सोमवार`."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from babel import Locale, UnknownLocaleError

from wabot.engine import formats
from wabot.engine.answers.quantities import plain_digits
from wabot.engine.intents import fold

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_NUMERIC = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{1,2})(?:\s*[-/.]\s*(\d{4}|\d\d))?\.?")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|º|ª)?")
_LONGEST = 40

_RELATIVE: dict[str, dict[int, tuple[str, ...]]] = {
    "en": {0: ("today",), 1: ("tomorrow", "tmrw", "tomorow"), -1: ("yesterday",), 2: ("day after tomorrow",)},
    "hi": {0: ("आज", "aaj"), 1: ("कल", "kal"), -1: ("कल", "kal"), 2: ("परसों", "parso", "parson")},
    "de": {0: ("heute",), 1: ("morgen",), -1: ("gestern",), 2: ("übermorgen",)},
    "es": {0: ("hoy",), 1: ("mañana",), -1: ("ayer",), 2: ("pasado mañana",)},
    "fr": {0: ("aujourd'hui",), 1: ("demain",), -1: ("hier",), 2: ("après-demain",)},
    "pt": {0: ("hoje",), 1: ("amanhã",), -1: ("ontem",), 2: ("depois de amanhã",)},
}

_ALSO = {"months": {"sept": 9}, "days": {"tues": 1, "thurs": 3}}
"""Short English names that CLDR hasn't."""


def day(
    text: str,
    locale: str,
    today: date,
    *,
    region: str = "",
    minimum: date | None = None,
    maximum: date | None = None,
) -> date | None:
    """The day that all of `text` is; None where it isn't one.

    `region` (ISO 3166) settles the order of day and month where the locale has no country. Without
    a year the next such day is meant, or the latest where `maximum` lies before it; a weekday is
    the next after today. A Hindi `कल` is tomorrow, yesterday where only that is in the range.
    """
    said = plain_digits(text).strip()
    if not said or len(said) > _LONGEST:
        return None
    candidates = list(_candidates(said, locale, today, region))
    fitting = [one for one in candidates if _within(one, minimum, maximum)]
    return next(iter(fitting or candidates), None)


def _within(value: date, minimum: date | None, maximum: date | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _candidates(said: str, locale: str, today: date, region: str) -> Iterator[date]:
    if match := _ISO.fullmatch(said):
        yield from _real(*(int(part) for part in match.groups()))
        return
    if match := _NUMERIC.fullmatch(said):
        yield from _numeric(match, locale, today, region)
        return
    folded = fold(said)
    yield from _relative(folded, locale, today)
    yield from _weekday(folded, locale, today)
    yield from _worded(folded, locale, today)


def _real(year: int, month: int, day_: int) -> Iterator[date]:
    try:
        yield date(year, month, day_)
    except ValueError:
        return


def _numeric(match: re.Match[str], locale: str, today: date, region: str) -> Iterator[date]:
    first, second, year = match.groups()
    pairs = [(int(first), int(second)), (int(second), int(first))]
    if _month_first(locale, region):
        pairs.reverse()
    for day_, month in pairs:
        found = list(_with_year(month, day_, year, today))
        if found:
            # Only where it can't be read in the locale's order, in the other.
            yield from found
            return


def _with_year(month: int, day_: int, year: str | None, today: date) -> Iterator[date]:
    if year:
        yield from _real(int(year) if len(year) == 4 else 2000 + int(year), month, day_)
        return
    # The 29th of February comes again within eight years.
    coming = [one for ahead in range(9) for one in _real(today.year + ahead, month, day_) if one >= today]
    yield from coming[:1]
    past = [one for back in range(9) for one in _real(today.year - back, month, day_) if one < today]
    yield from past[:1]


@lru_cache(maxsize=256)
def _month_first(locale: str, region: str) -> bool:
    found = formats.babel_locale(locale)
    if found.territory is None and region:
        try:
            found = Locale.parse(f"{found.language}_{region}")
        except (ValueError, UnknownLocaleError):
            return region in ("US", "PH")
    pattern = found.date_formats["short"].pattern
    return pattern.lower().find("m") < pattern.lower().find("d") and not pattern.lower().startswith("y")


def _relative(folded: str, locale: str, today: date) -> Iterator[date]:
    for name in [*formats.chain(locale, formats.FALLBACK), *_RELATIVE]:
        for offset, words in _RELATIVE.get(name, {}).items():
            if folded in {fold(word) for word in words}:
                yield today + timedelta(days=offset)


def _weekday(folded: str, locale: str, today: date) -> Iterator[date]:
    number = _names("days", locale).get(folded)
    if number is not None:
        yield today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)


def _worded(folded: str, locale: str, today: date) -> Iterator[date]:
    """Day, month's name and perhaps year, in any order that puts the year last or first."""
    words = [word for word in folded.split() if word not in ("of", "the", "de", "le")]
    months = _names("months", locale)
    named = [index for index, word in enumerate(words) if word in months]
    if len(named) != 1 or not 2 <= len(words) <= 3:
        return
    month = months[words.pop(named[0])]
    years = [word for word in words if word.isdigit() and len(word) == 4]
    days = [match for word in words if word not in years and (match := _ORDINAL.fullmatch(word))]
    if len(days) == 1 and len(years) == len(words) - 1:
        yield from _with_year(month, int(days[0].group(1)), years[0] if years else None, today)
    elif len(days) == 2 and len(words) == 2 and len(days[1].group(1)) == 2:
        yield from _with_year(month, int(days[0].group(1)), days[1].group(1), today)


@lru_cache(maxsize=256)
def _names(kind: str, locale: str) -> dict[str, int]:
    """The locale's names of months (from 1) or weekdays (Monday is 0), and the English ones."""
    names: dict[str, int] = {}
    for found in (formats.babel_locale(formats.FALLBACK), formats.babel_locale(locale)):
        tables = found.months if kind == "months" else found.days
        for context in ("format", "stand-alone"):
            for width in ("abbreviated", "wide"):
                names |= {fold(name): number for number, name in tables[context][width].items()}
    return names | _ALSO[kind]
