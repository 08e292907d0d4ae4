"""The Cloud API's JSON, as `FakeMeta` reads and writes it."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from wabot.core.limits import (
    BUTTON_ID,
    BUTTON_TITLE,
    BUTTONS,
    BUTTONS_BODY,
    FOOTER,
    HEADER,
    LIST_BUTTON,
    LIST_ROWS,
    LIST_SECTIONS,
    META_CAPTION,
    META_TEXT,
    ROW_DESCRIPTION,
    ROW_ID,
    ROW_TITLE,
    SECTION_TITLE,
)
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template

INVALID, MISSING, VALUE = 100, 131008, 131009
_MEDIA = ("image", "audio", "video", "document", "sticker")
_REFERENCE = 512
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]+")


class Refused(Exception):
    """A request that Meta answers with an error of its own."""

    def __init__(self, code: int, details: str, status: int = 400) -> None:
        self.code, self.details, self.status = code, details, status
        super().__init__(details)

    def as_json(self) -> dict[str, Any]:
        return {
            "error": {
                "message": f"(#{self.code}) {self.details}",
                "type": "OAuthException",
                "code": self.code,
                "error_data": {"messaging_product": "whatsapp", "details": self.details},
                "fbtrace_id": "fake",
            }
        }


def sign(app_secret: str, body: bytes) -> str:
    """`X-Hub-Signature-256` of a body."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def recipient(payload: Mapping[str, Any]) -> str:
    """Whom it is for. Raises Refused."""
    _hold(payload.get("messaging_product") == "whatsapp", INVALID, "messaging_product must be whatsapp")
    to = payload.get("to") or payload.get("recipient")
    _hold(bool(to), MISSING, "to or recipient is missing")
    known = _NUMBER if "to" in payload else _USER_ID
    _hold(bool(known.fullmatch(str(to))), VALUE, "Recipient is not a valid WhatsApp user")
    reference = payload.get("biz_opaque_callback_data", "")
    _hold(len(reference) <= _REFERENCE, INVALID, "biz_opaque_callback_data is too long")
    return str(to)


def outbound(payload: Mapping[str, Any]) -> Outbound:
    """What a contact sees of it. Raises Refused for what Meta refuses."""
    kind = payload.get("type")
    content = payload.get(str(kind))
    if not isinstance(content, dict):
        raise Refused(MISSING, f"{kind} is missing")
    if kind in _MEDIA:
        return _media(str(kind), content)
    match kind:
        case "text":
            _words(content.get("body"), META_TEXT, "text.body")
            return Outbound(text=content["body"])
        case "location":
            return Outbound(location=Location.model_validate(content))
        case "interactive":
            return _interactive(content)
        case "template":
            return _template(content)
        case _:
            raise Refused(INVALID, f"type {kind} is not one that may be sent")


def _media(kind: str, content: Mapping[str, Any]) -> Outbound:
    caption = content.get("caption", "")
    _hold(not caption or kind in ("image", "video", "document"), INVALID, f"{kind} takes no caption")
    _hold(len(caption) <= META_CAPTION, INVALID, "caption is too long")
    return Outbound(text=caption, media=_file(kind, content))


def _file(kind: str, content: Any) -> Media:
    given = content if isinstance(content, dict) else {}
    where = given.get("id") or given.get("link")
    _hold(bool(where), MISSING, f"{kind} needs an id or a link")
    return Media.model_validate({"kind": kind, "url": where, "filename": given.get("filename", "")})


def _interactive(content: Mapping[str, Any]) -> Outbound:
    kind, action = content.get("type"), content.get("action") or {}
    body = (content.get("body") or {}).get("text")
    _words(body, BUTTONS_BODY, "interactive.body.text")
    footer = (content.get("footer") or {}).get("text", "")
    _hold(len(footer) <= FOOTER, INVALID, "footer is too long")
    header, media = _header(content.get("header"), listed=kind == "list")
    shown = Outbound(text=str(body), header=header, footer=footer, media=media)
    match kind:
        case "button":
            return shown.model_copy(update={"buttons": _buttons(action.get("buttons") or [])})
        case "list":
            return shown.model_copy(update={"choices": _choices(action)})
        case _:
            raise Refused(INVALID, f"interactive type {kind} is not one of ours")


def _header(header: Any, *, listed: bool) -> tuple[str, Media | None]:
    if header is None:
        return "", None
    kind = header.get("type")
    if kind == "text":
        _words(header.get("text"), HEADER, "header.text")
        return header["text"], None
    _hold(not listed and kind in ("image", "video", "document"), INVALID, f"no {kind} header here")
    return "", _file(kind, header.get(kind))


def _buttons(given: list[Any]) -> tuple[Button, ...]:
    _hold(1 <= len(given) <= BUTTONS, VALUE, f"between 1 and {BUTTONS} buttons")
    replies = [button.get("reply") or {} for button in given]
    for reply in replies:
        _words(reply.get("title"), BUTTON_TITLE, "button title")
        _words(reply.get("id"), BUTTON_ID, "button id")
    _unique([reply["title"] for reply in replies], "button titles")
    return tuple(Button(id=reply["id"], title=reply["title"]) for reply in replies)


def _choices(action: Mapping[str, Any]) -> Choices:
    _words(action.get("button"), LIST_BUTTON, "list button")
    sections = action.get("sections") or []
    rows = [row for section in sections for row in section.get("rows") or []]
    _hold(1 <= len(sections) <= LIST_SECTIONS, VALUE, f"between 1 and {LIST_SECTIONS} sections")
    _hold(1 <= len(rows) <= LIST_ROWS, VALUE, f"between 1 and {LIST_ROWS} rows in all")
    for section in sections:
        titled = 1 <= len(section.get("title", "")) <= SECTION_TITLE
        _hold(titled or (len(sections) == 1 and "title" not in section), VALUE, "section title")
    for row in rows:
        _words(row.get("title"), ROW_TITLE, "row title")
        _words(row.get("id"), ROW_ID, "row id")
        _hold(len(row.get("description", "")) <= ROW_DESCRIPTION, VALUE, "row description")
    _unique([row["id"] for row in rows], "row ids")
    return Choices(
        button=action["button"],
        sections=tuple(
            Section(title=each.get("title", ""), rows=tuple(Row.model_validate(row) for row in each["rows"]))
            for each in sections
        ),
    )


def _template(content: Mapping[str, Any]) -> Outbound:
    language = (content.get("language") or {}).get("code", "")
    _hold(bool(content.get("name")) and bool(language), MISSING, "a template has a name and a language")
    _hold("-" not in language, 132001, "Template name does not exist in the translation")
    variables: dict[str, str] = {}
    media: Media | None = None
    for component in content.get("components") or []:
        parameters = component.get("parameters") or []
        if component.get("type") == "header":
            media = _file(parameters[0]["type"], parameters[0].get(parameters[0]["type"]))
            continue
        for place, parameter in enumerate(parameters, 1):
            text = parameter.get("text")
            _hold(bool(text), MISSING, "a parameter has no text")
            _hold(not re.search(r"[\n\t]| {5}", text), INVALID, "Param text cannot have new-line characters")
            variables[parameter.get("parameter_name") or str(place)] = text
    template = Template(name=content["name"], language=language, variables=variables)
    return Outbound(template=template, media=media)


def _words(value: Any, most: int, what: str) -> None:
    _hold(isinstance(value, str) and bool(value.strip()), MISSING, f"{what} is missing")
    _hold(len(value) <= most, VALUE, f"{what} is longer than {most} characters")


def _unique(values: list[str], what: str) -> None:
    _hold(len(set(values)) == len(values), VALUE, f"{what} are not unique")


def _hold(holds: bool, code: int, details: str) -> None:
    if not holds:
        raise Refused(code, details)
