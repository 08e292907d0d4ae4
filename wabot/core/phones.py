"""Phone numbers as they are kept: E.164, `+919876543210`."""

import re

import phonenumbers

_WRITTEN = re.compile(r"(?:tel:)?\+?[\d\s().\-/\u2010-\u2015\u2011\u2060]+", re.IGNORECASE)
_LENGTH = 40
# ITU-T E.164: at most 15 digits, of which the country's code is one at least.
_DIGITS = re.compile(r"[1-9][0-9]{5,14}")
# WhatsApp still has the 1 of Mexican mobile numbers that the numbering plan dropped in 2019.
_MEXICAN_MOBILE = re.compile(r"\+521[0-9]{10}")


def e164(text: str, region: str | None = None) -> str:
    """The phone number that `text` is, as somebody wrote it: `+91 98765 43210`, or `098765 43210` with a
    `region` (ISO 3166, `IN`) that says its country.

    Numbers of a length that the country has are taken, in use or not. Raises ValueError with a sentence.
    """
    written = text.strip()
    if len(written) > _LENGTH or not _WRITTEN.fullmatch(written):
        raise ValueError(f'"{written[:_LENGTH]}" is no phone number')
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException as error:
        if error.error_type == error.INVALID_COUNTRY_CODE:
            raise ValueError(
                f'"{written}" has no country code that is known: write it like +919876543210'
            ) from None
        raise ValueError(f'"{written}" is no phone number') from None
    found = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if phonenumbers.is_possible_number(number) or _MEXICAN_MOBILE.fullmatch(found):
        return found
    raise ValueError(f'"{written}" is too short or too long for a phone number of its country')


def address(text: str) -> str:
    """A WhatsApp address as a provider gives it, with or without its `+`.

    Not held against numbering plans, and never rewritten: an answer goes to what the platform said.
    Raises ValueError for anything but the digits of a number.
    """
    digits = text.strip().removeprefix("+")
    if not _DIGITS.fullmatch(digits):
        raise ValueError(f'"{text[:_LENGTH]}" is no address on WhatsApp')
    return f"+{digits}"
