"""Twilio's forms and JSON, as `FakeTwilio` reads and writes them."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wabot.core.limits import BUTTONS, BUTTONS_IN_TEMPLATE, LIST_ROWS, TWILIO_BODY, TWILIO_VARIABLE
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template

WHATSAPP = "whatsapp:"
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_PLACE = re.compile(r"geo:(-?[\d.]+),(-?[\d.]+)(?:\|(.*))?", re.DOTALL)
_NUMBER = re.compile(r"whatsapp:(\+\d{6,15}|[A-Z]{2}\.\w+|ID\.\w+)")
_KINDS = {"jpg": "image", "jpeg": "image", "png": "image", "mp4": "video", "ogg": "audio", "webp": "sticker"}


class Refused(Exception):
    """A request that Twilio answers with an error of its own."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Content:
    """A content of the account. `approved` ones are templates, and may leave outside the window."""

    sid: str
    name: str
    language: str
    types: Mapping[str, Any]
    samples: Mapping[str, str]
    approved: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "friendly_name": self.name,
            "language": self.language,
            "types": self.types,
            "variables": self.samples,
            "url": f"https://content.twilio.com/v1/Content/{self.sid}",
        }


def sign(auth_token: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """`X-Twilio-Signature` of a form posted to `url`: the URL and the sorted pairs, HMAC-SHA1, base64."""
    text = url + "".join(name + value for name, value in sorted(set(parameters)))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def checked(types: Any) -> Mapping[str, Any]:
    """The types of a content that is to be made. Raises Refused for what Twilio wouldn't make."""
    if not isinstance(types, dict) or not types:
        raise Refused(92001, "a content needs types")
    actions = types.get("twilio/quick-reply", {}).get("actions", [])
    items = types.get("twilio/list-picker", {}).get("items", [])
    if len(actions) > BUTTONS_IN_TEMPLATE or len(items) > LIST_ROWS:
        raise Refused(92003, "a content has too many choices")
    return types


def outbound(form: Mapping[str, str], contents: Mapping[str, Content]) -> Outbound:
    """What the contact would see of this message. Raises Refused as Twilio's API would."""
    for name, code in (("To", 21211), ("From", 63007)):
        if not _NUMBER.fullmatch(form.get(name, "")):
            raise Refused(code, f"The '{name}' number {form.get(name, '')} is not a valid phone number.")
    if "ContentSid" in form:
        if "Body" in form or "MediaUrl" in form:
            raise Refused(21619, "A content goes without Body and MediaUrl.")
        return _filled(form, contents)
    body = form.get("Body", "")
    if len(body) > TWILIO_BODY:
        raise Refused(21617, "The concatenated message body exceeds the 1600 character limit.")
    if not body and "MediaUrl" not in form:
        raise Refused(21619, "A text message body or media urls must be specified.")
    media = _media(form["MediaUrl"]) if "MediaUrl" in form else None
    return Outbound(text=body, media=media, location=_place(form.get("PersistentAction", ""), body))


def _filled(form: Mapping[str, str], contents: Mapping[str, Content]) -> Outbound:
    content = contents.get(form["ContentSid"])
    if content is None:
        raise Refused(21655, "The ContentSid is invalid.")
    variables = _variables(form.get("ContentVariables", ""))
    values = {**content.samples, **variables}
    types = _fill(content.types, values)
    if len(types.get("twilio/quick-reply", {}).get("actions", [])) > BUTTONS and not content.approved:
        raise Refused(63021, "Only an approved template may have more than three buttons.")
    message = _seen(types)
    if not content.approved:
        return message
    template = Template(name=content.name, language=content.language, variables=variables)
    return message.model_copy(update={"template": template})


def _variables(given: str) -> dict[str, str]:
    """Raises Refused for a variable that is empty, too long, or has what Twilio's reader stumbles over."""
    wrong = Refused(21656, "The Content Variables parameter is invalid.")
    try:
        values = json.loads(given) if given else {}
    except ValueError:
        raise wrong from None
    if not isinstance(values, dict) or "'" in given:
        raise wrong
    for value in values.values():
        if not isinstance(value, str) or not value or "{{" in value:
            raise wrong
        if len(value) > TWILIO_VARIABLE:
            raise Refused(21658, "A Content Variable exceeds the size limit.")
    return values


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _fill(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, values) for each in value]
    return _SLOT.sub(lambda slot: values.get(slot[1], slot[0]), value) if isinstance(value, str) else value


def _seen(types: Mapping[str, Any]) -> Outbound:
    if "twilio/list-picker" in types:
        picker = types["twilio/list-picker"]
        rows = tuple(
            Row(
                id=item["id"], title=item["item"], description=item.get("description", ""), payload=item["id"]
            )
            for item in picker["items"]
        )
        return Outbound(
            text=picker["body"], choices=Choices(button=picker["button"], sections=(Section(rows=rows),))
        )
    replies = types.get("twilio/quick-reply")
    if replies is not None:
        buttons = tuple(
            Button(id=each["id"], title=each["title"], payload=each["id"]) for each in replies["actions"]
        )
        return Outbound(text=replies["body"], buttons=buttons)
    return Outbound(text=next((each["body"] for each in types.values() if "body" in each), ""))


def _media(url: str) -> Media:
    kind = _KINDS.get(url.rpartition(".")[2].lower(), "document")
    return Media.model_validate({"kind": kind, "url": url})


def _place(action: str, body: str) -> Location | None:
    found = _PLACE.fullmatch(action)
    if found is None:
        return None
    latitude, longitude, label = found.groups()
    return Location(latitude=float(latitude), longitude=float(longitude), name=body, address=label or "")
