"""Numbers and amounts of money, with the separators, digits and signs of the contact's locale."""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from babel import numbers
from babel.numbers import get_currency_precision

from wabot.core.money import Money
from wabot.engine import formats

_LONGEST = 40
_SPACES = re.compile(r"(?<=\d)[\s'’_](?=\d)")
_GROUPED = re.compile(r"[1-9]\d{0,2}(,\d{3})+|[1-9]\d?(,\d\d)*,\d{3}")
_PLAIN = {"٫": ".", "٬": ",", "−": "-", "–": "-"}
_SHAPE = re.compile(r"([+-]?)(\d[\d.,]*|[.,]\d+)")
_INDIAN = frozenset({"rs", "rs.", "re", "re.", "rupee", "rupees", "रु", "रु.", "रुपये", "रुपए", "रुपया", "₹"})


def plain_digits(text: str) -> str:
    """`text` with every script's digits as ASCII and every minus as a hyphen."""
    folded = unicodedata.normalize("NFKC", text)
    signs = (
        str(unicodedata.decimal(sign)) if sign.isdecimal() else _PLAIN.get(sign, sign)
        for sign in folded
        if unicodedata.category(sign) != "Cf"
    )
    return "".join(signs)


def number(text: str, locale: str) -> Decimal | None:
    """The number that all of `text` is; None where it isn't one, or could be two."""
    digits = plain_digits(text).strip().rstrip(".!")
    if len(digits) > _LONGEST:
        return None
    shape = _SHAPE.fullmatch(_joined(digits))
    if shape is None:
        return None
    sign, figure = shape.groups()
    unsigned = _unsigned(figure, _decimal_sign(locale))
    return unsigned if unsigned is None or sign != "-" else -unsigned


def integer(text: str, locale: str) -> int | None:
    """The whole number that all of `text` is. Three digits after a sign are thousands here: `1.000`."""
    digits = _joined(plain_digits(text).strip().rstrip(".!"))
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", digits):
        return int(digits.replace(".", ""))
    value = number(text, locale)
    return int(value) if value is not None and value == value.to_integral_value() else None


def _joined(digits: str) -> str:
    """Without the spaces and apostrophes that some write between thousands, where they can be that."""
    marked = _SPACES.sub(" ", digits)
    if " " not in marked:
        return marked
    whole, point, rest = re.match(r"([^.,]*)([.,]?)(.*)", marked, re.DOTALL).groups()  # type: ignore[union-attr]
    if _GROUPED.fullmatch(whole.lstrip("+-").replace(" ", ",")):
        return f"{whole.replace(' ', '')}{point}{rest}"
    return marked


def _unsigned(figure: str, usual: str) -> Decimal | None:
    point = _point(figure, usual)
    group = "," if point == "." else "."
    whole, _, fraction = figure.partition(point) if figure.count(point) == 1 else (figure, "", "")
    if group in whole:
        if not _GROUPED.fullmatch(whole.replace(group, ",")):
            return None
        whole = whole.replace(group, "")
    if not (whole + fraction).isdigit():
        return None
    return Decimal(f"{whole or '0'}.{fraction or '0'}") if fraction else Decimal(whole)


def _point(figure: str, usual: str) -> str:
    """The decimal sign of this figure, where `usual` is the locale's."""
    kinds = {sign for sign in figure if sign in ".,"}
    if len(kinds) == 2:
        # Whichever comes last, wherever the contact learned to write.
        return max(".,", key=figure.rfind)
    (sign,) = kinds or {usual}
    grouped = _GROUPED.fullmatch(figure.replace(sign, ",")) is not None
    # A comma is a decimal sign only where it is the locale's; a dot is one everywhere.
    if figure.count(sign) > 1 or (sign != usual and (grouped or sign == ",")):
        return "," if sign == "." else "."
    return sign


@lru_cache(maxsize=256)
def _decimal_sign(locale: str) -> str:
    """A comma or, as for every other sign, a dot."""
    return "," if numbers.get_decimal_symbol(formats.babel_locale(locale)) == "," else "."


def money(text: str, locale: str, currency: str) -> Money | None:
    """The amount that all of `text` is, in `currency`: `₹500`, `500 rs`, `Rs. 1,500.50`, `500/-`.

    None for another currency's sign, and for more digits than the currency has.
    """
    said = plain_digits(text).strip().casefold()
    # A dot right behind a word is the word's: Rs.500
    figure = re.search(r"[+-]?(?:(?<!\S)[.,])?\d[\d.,\s'’]*", said)
    if figure is None or len(said) > _LONGEST:
        return None
    before, after = said[: figure.start()].strip(), said[figure.end() :].strip()
    if not _is_mark(before, locale, currency) or not _is_mark(_without_dash(after), locale, currency):
        return None
    value = number(figure.group().strip().rstrip(",."), locale)
    # 10.500 is ten and a half to one contact and ten thousand to the next.
    if value is None or len(format(value, "f").partition(".")[2]) > get_currency_precision(currency):
        return None
    return Money.of(value, currency)


def _without_dash(after: str) -> str:
    """`500/-` is how amounts are closed on Indian paper."""
    return after.removeprefix("/-").removeprefix("/=").strip(" .!")


def _is_mark(mark: str, locale: str, currency: str) -> bool:
    return not mark or mark in _marks(locale, currency)


@lru_cache(maxsize=256)
def _marks(locale: str, currency: str) -> frozenset[str]:
    """What stands beside an amount in this currency: its code, its signs, its names."""
    marks = {currency.casefold()}
    for name in {formats.babel_locale(locale), formats.babel_locale(formats.FALLBACK)}:
        marks.add(numbers.get_currency_symbol(currency, name).casefold())
        for count in (1, 2):
            words = numbers.get_currency_name(currency, count, name).casefold()
            marks |= {words, words.split()[-1]}
    return frozenset(marks | _INDIAN) if currency == "INR" else frozenset(marks)
