"""Phone numbers, e-mail addresses, contact cards and places."""

import re
from functools import lru_cache
from typing import Any

import phonenumbers

from wabot.core.messages import Inbound
from wabot.engine import formats

_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[^\W_]|-){0,62}\.){1,8}[^\W\d_](?:[^\W_]|-){0,61}[^\W_]"
)
_EMAIL_LENGTH = 254
_TEXT_LENGTH = 500
_POINT = re.compile(r"(-?\d{1,2}\.\d{1,10})\s*(?:,|%2C|\s)\s*(-?\d{1,3}\.\d{1,10})", re.IGNORECASE)


def phone(text: str, regions: "list[str]") -> str | None:
    """The one phone number in `text` as E.164; the regions (ISO 3166) say what it lacks of a country."""
    if len(text) > _TEXT_LENGTH:
        return None
    for region in [*regions, None]:
        found = {
            phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
            for match in phonenumbers.PhoneNumberMatcher(text, region)
        }
        if found:
            return found.pop() if len(found) == 1 else None
    return None


@lru_cache(maxsize=1024)
def region_of(number: str) -> str:
    """The country (ISO 3166) of an E.164 number, or the empty string."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


def territory(locale: str) -> str:
    """The locale's country, or the empty string."""
    return formats.babel_locale(locale).territory or ""


def email(text: str) -> str | None:
    """The one address in `text`, its domain in lower case."""
    if len(text) > _TEXT_LENGTH:
        return None
    found = {_lowered(match) for match in _EMAIL.findall(text)}
    address = found.pop() if len(found) == 1 else ""
    user = address.partition("@")[0]
    if not address or len(address) > _EMAIL_LENGTH or ".." in user or user[0] == "." or user[-1] == ".":
        return None
    return address


def _lowered(address: str) -> str:
    user, _, domain = address.rpartition("@")
    return f"{user}@{domain.lower()}"


def location(message: Inbound) -> dict[str, Any] | None:
    """`{latitude, longitude, name, address}`: shared, or written as two numbers or a link to a map."""
    if message.location is not None:
        return message.location.model_dump()
    points = _POINT.findall(message.text[:_TEXT_LENGTH])
    if not points:
        return None
    latitude, longitude = float(points[0][0]), float(points[0][1])
    if abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return {"latitude": latitude, "longitude": longitude, "name": "", "address": ""}


def card(message: Inbound, regions: "list[str]") -> dict[str, Any] | None:
    """`{name, phone, phones}` of a contact card, whose `raw` is `{"name": …, "phones": […]}`."""
    name, listed = message.raw.get("name", ""), message.raw.get("phones", [])
    if not isinstance(name, str) or not isinstance(listed, list):
        return None
    phones = [phone(str(entry), regions) or str(entry) for entry in listed]
    return {"name": name, "phone": phones[0] if phones else "", "phones": phones}
