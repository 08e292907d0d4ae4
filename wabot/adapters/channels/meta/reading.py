"""What Meta's webhook tells: messages as `Inbound`, statuses as `Receipt`. Nothing in it is trusted to have
the form that it should have."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, cast

from pydantic import ValidationError

from wabot.adapters.channels.meta.channel import told
from wabot.adapters.channels.meta.codes import refusal_of
from wabot.core.messages import Inbound, Kind, Location, Media
from wabot.core.phones import address
from wabot.runtime.receipts import Receipt, ReceiptStatus

_MESSAGES = "messages"
_STATUSES = {
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.READ,
    # A voice message was listened to.
    "played": ReceiptStatus.READ,
    "failed": ReceiptStatus.FAILED,
}
_EVENT_ID = 255
_NAME = 255
_CODE = 32
# `IN.13491208655302741918`; ours is a column of 64 characters, theirs has seldom more than 30.
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,60}")
_MEDIA_ID = re.compile(r"[0-9]{1,64}")
_MediaKind = Literal["image", "audio", "video", "document", "sticker"]

Found = dict[str, Any]
Reader = Callable[[Mapping[str, Any], str], Found]


class Unreadable(Exception):
    """Not of the form that its kind has: it is kept as it came."""


def read(body: Any, channel: str, media_url: str, numbers: Mapping[str, str]) -> Iterator[Inbound | Receipt]:
    """All that a webhook's JSON has for us, in its order. `media_url` stands before a file's id; `numbers`
    are ours by Meta's id of each, where they are known."""
    for entry in _objects(_get(body, "entry")):
        for change in _objects(entry.get("changes")):
            if change.get("field", _MESSAGES) == _MESSAGES:
                yield from _value(_object(change.get("value")), channel, media_url, numbers)


def _value(
    value: Mapping[str, Any], channel: str, media_url: str, numbers: Mapping[str, str]
) -> Iterator[Inbound | Receipt]:
    ours = _ours(_object(value.get("metadata")), numbers)
    people = list(_objects(value.get("contacts")))
    for message in _objects(value.get("messages")):
        inbound = _inbound(message, ours, people, channel, media_url)
        if inbound is not None:
            yield inbound
    for status in _objects(value.get("statuses")):
        receipt = _receipt(status, channel)
        if receipt is not None:
            yield receipt


def _ours(metadata: Mapping[str, Any], numbers: Mapping[str, str]) -> str:
    """Our number, by its id; else as Meta shows it, with or without spaces; or the empty string."""
    shown = re.sub(r"[\s().-]", "", _text(metadata, "display_phone_number"))
    return numbers.get(_text(metadata, "phone_number_id")) or _address(shown)


def _inbound(
    message: Mapping[str, Any], ours: str, people: list[Mapping[str, Any]], channel: str, media_url: str
) -> Inbound | None:
    """None for one that can't be answered or told apart: without a sender, or without an id."""
    sender = _sender(message, people)
    event_id = _event_id(_text(message, "id"))
    if not (ours and sender and event_id):
        return None
    kind = _text(message, "type")
    common = {
        "channel": channel,
        "event_id": event_id,
        "sender": sender,
        "recipient": ours,
        "name": _name(message, people),
        "sent_at": _time(message.get("timestamp")),
    }
    reader = _READERS.get(kind, _unknown)
    try:
        return Inbound(**common, **_with_referral(message, reader(message, media_url)))
    except (Unreadable, ValidationError):
        return Inbound(**common, **_unknown(message, media_url))


def _sender(message: Mapping[str, Any], people: list[Mapping[str, Any]]) -> str:
    """The contact's number; where WhatsApp hides it, the id that it has for us."""
    number = _address(_text(message, "from"))
    if number:
        return number
    only = people[0] if len(people) == 1 else {}
    number = _address(_text(only, "wa_id"))
    id = _text(message, "from_user_id") or _text(only, "user_id")
    return number or (id if _USER_ID.fullmatch(id) else "")


def _name(message: Mapping[str, Any], people: list[Mapping[str, Any]]) -> str:
    ids = {_text(message, "from"), _text(message, "from_user_id")} - {""}
    for person in people:
        if ids & {_text(person, "wa_id"), _text(person, "user_id")}:
            return _text(_object(person.get("profile")), "name")[:_NAME]
    return ""


def _event_id(id: str) -> str:
    return id if len(id) <= _EVENT_ID else hashlib.sha256(id.encode()).hexdigest()


def _with_referral(message: Mapping[str, Any], found: Found) -> Found:
    """Which advertisement led the contact here."""
    referral = message.get("referral")
    if isinstance(referral, dict) and "raw" not in found:
        return {**found, "raw": {"referral": referral}}
    return found


def _unknown(message: Mapping[str, Any], _media_url: str) -> Found:
    return {"kind": Kind.UNKNOWN, "raw": dict(message)}


def _text_message(message: Mapping[str, Any], _media_url: str) -> Found:
    return {"kind": Kind.TEXT, "text": _needed(_part(message, "text"), "body")}


def _button(message: Mapping[str, Any], _media_url: str) -> Found:
    """The quick reply of a template."""
    button = _part(message, "button")
    return {"kind": Kind.BUTTON, "payload": _text(button, "payload"), "title": _needed(button, "text")}


def _interactive(message: Mapping[str, Any], _media_url: str) -> Found:
    interactive = _part(message, "interactive")
    kinds = {"button_reply": Kind.BUTTON, "list_reply": Kind.LIST}
    kind = _text(interactive, "type")
    if kind not in kinds:
        raise Unreadable
    reply = _part(interactive, kind)
    return {"kind": kinds[kind], "payload": _needed(reply, "id"), "title": _text(reply, "title")}


def _file(message: Mapping[str, Any], media_url: str) -> Found:
    kind = cast("_MediaKind", _text(message, "type"))
    file = _part(message, kind)
    id = _needed(file, "id")
    if not _MEDIA_ID.fullmatch(id):
        raise Unreadable
    media = Media(
        kind=kind,
        url=f"{media_url}/{id}",
        mime_type=_text(file, "mime_type"),
        filename=_text(file, "filename"),
    )
    return {"kind": Kind(kind), "media": media, "text": _text(file, "caption")}


def _location(message: Mapping[str, Any], _media_url: str) -> Found:
    place = _part(message, "location")
    location = Location(
        latitude=place.get("latitude"),
        longitude=place.get("longitude"),
        name=_text(place, "name"),
        address=_text(place, "address"),
    )
    return {"kind": Kind.LOCATION, "location": location}


def _contacts(message: Mapping[str, Any], _media_url: str) -> Found:
    """The first card as questions of a flow want it, and all of them as they came."""
    cards = list(_objects(message.get("contacts")))
    if not cards:
        raise Unreadable
    numbers = [_text(phone, "phone") or _text(phone, "wa_id") for phone in _objects(cards[0].get("phones"))]
    name = _text(_object(cards[0].get("name")), "formatted_name")
    phones = [number for number in numbers if number]
    return {"kind": Kind.CONTACT, "raw": {"name": name, "phones": phones, "contacts": cards}}


def _reaction(message: Mapping[str, Any], _media_url: str) -> Found:
    """Without an emoji where it was taken back."""
    reaction = _part(message, "reaction")
    raw = {"message_id": _text(reaction, "message_id")}
    return {"kind": Kind.REACTION, "text": _text(reaction, "emoji"), "raw": raw}


def _order(message: Mapping[str, Any], _media_url: str) -> Found:
    order = _part(message, "order")
    return {"kind": Kind.ORDER, "text": _text(order, "text"), "raw": dict(order)}


_READERS: Mapping[str, Reader] = {
    "text": _text_message,
    "button": _button,
    "interactive": _interactive,
    "image": _file,
    "audio": _file,
    "video": _file,
    "document": _file,
    "sticker": _file,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "order": _order,
}


def _receipt(status: Mapping[str, Any], channel: str) -> Receipt | None:
    """None for a status that says nothing of how far a message got, and for one that names no message."""
    found = _STATUSES.get(_text(status, "status"))
    reference, provider_id = _text(status, "biz_opaque_callback_data"), _text(status, "id")
    if found is None or not (reference or provider_id) or _text(status, "type") == "call":
        return None
    code, reason = "", ""
    if found is ReceiptStatus.FAILED:
        code, reason = _error(next(iter(_objects(status.get("errors"))), {}))
    return Receipt(
        channel=channel,
        status=found,
        reference=reference,
        provider_id=provider_id,
        code=code,
        reason=reason,
        refusal=refusal_of(code) if found is ReceiptStatus.FAILED else None,
        at=_time(status.get("timestamp")),
    )


def _error(error: Mapping[str, Any]) -> tuple[str, str]:
    code = error.get("code")
    details = _text(_object(error.get("error_data")), "details")
    words = details or _text(error, "message") or _text(error, "title")
    return ("" if isinstance(code, bool) or not isinstance(code, int | str) else str(code)[:_CODE]), told(
        words
    )


def _time(value: Any) -> datetime | None:
    """Seconds since 1970, as text or as a number."""
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _address(text: str) -> str:
    try:
        return address(text)
    except ValueError:
        return ""


def _part(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = message.get(name)
    if not isinstance(part, dict):
        raise Unreadable
    return part


def _needed(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise Unreadable
    return value


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
