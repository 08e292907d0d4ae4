"""A neutral message as the Cloud API's messages endpoint takes it, without its recipient."""

import re
from typing import Any
from urllib.parse import urlsplit

from wabot.core.fallback import numbered
from wabot.core.limits import (
    BUTTON_ID,
    BUTTON_TITLE,
    BUTTONS,
    BUTTONS_BODY,
    FOOTER,
    HEADER,
    LIST_BODY,
    LIST_BUTTON,
    LIST_ROWS,
    META_CAPTION,
    META_TEXT,
    ROW_DESCRIPTION,
    ROW_ID,
    ROW_TITLE,
    SECTION_TITLE,
)
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template
from wabot.core.refusals import Refusal, refused

_CAPTIONED = ("image", "video", "document")
"""Media that carry words, and that can stand above buttons or in a template."""
_MEDIA_ID = re.compile(r"[0-9]{1,64}")
_GRAPH = "graph.facebook.com"

Payload = dict[str, Any]


def rendered(message: Outbound, language: str) -> Payload:
    """`type`, and what belongs to it. What WhatsApp can't show as it is, goes in words, its options
    numbered: nothing that was said gets lost.

    `language` is that of a template that names none. Raises Undeliverable for a message that says
    nothing, or too much.
    """
    if message.template is not None:
        return _typed("template", _template(message, message.template, language))
    if message.options:
        interactive = _list(message) if message.choices else _buttons(message)
        return _typed("interactive", interactive) if interactive else _text(numbered(message))
    if message.media is not None:
        return _media_message(message, message.media)
    if message.location is not None and not _words(message):
        return _typed("location", _place(message.location))
    return _text(numbered(message))


def _typed(kind: str, content: Payload) -> Payload:
    return {"type": kind, kind: content}


def _text(body: str) -> Payload:
    if not body.strip():
        raise refused(Refusal.NEVER, "the message says nothing", "empty")
    if len(body) > META_TEXT:
        sentence = f"the message has {len(body)} characters, and WhatsApp takes {META_TEXT}"
        raise refused(Refusal.NEVER, sentence, "too_long")
    return _typed("text", {"body": body})


def _words(message: Outbound, *, header: bool = True, footer: bool = True) -> str:
    parts = [message.header if header else "", message.text, message.footer if footer else ""]
    return "\n\n".join(part for part in parts if part)


def _media_message(message: Outbound, media: Media) -> Payload:
    words = _words(message)
    if message.location is not None or len(words) > META_CAPTION or (words and media.kind not in _CAPTIONED):
        return _text(numbered(message))
    content = _file(media)
    if words:
        content["caption"] = words
    return _typed(media.kind, content)


def _file(media: Media) -> Payload:
    """By the id that Meta knows it by, or by a link that Meta fetches."""
    id = media_id(media.url)
    content = {"id": id} if id else {"link": media.url}
    if media.kind == "document" and media.filename:
        content["filename"] = media.filename
    return content


def media_id(url: str) -> str:
    """Meta's id of the file: `url` itself, or the end of its Graph URL; empty for any other URL."""
    if _MEDIA_ID.fullmatch(url):
        return url
    parts = urlsplit(url)
    last = parts.path.rpartition("/")[2]
    return last if parts.hostname == _GRAPH and _MEDIA_ID.fullmatch(last) else ""


def _place(place: Location) -> Payload:
    content: Payload = {"latitude": place.latitude, "longitude": place.longitude}
    # An address without a name isn't shown.
    named = {"name": place.name or place.address, "address": place.address if place.name else ""}
    return {**content, **{key: value for key, value in named.items() if value}}


def _buttons(message: Outbound) -> Payload | None:
    titles = {button.title for button in message.buttons}
    if len(message.buttons) > BUTTONS or len(titles) < len(message.buttons):
        return None
    if not all(_fits(button, BUTTON_TITLE, BUTTON_ID) for button in message.buttons):
        return None
    media = message.media if message.media and message.media.kind in _CAPTIONED else None
    replies = [{"type": "reply", "reply": _reply(button)} for button in message.buttons]
    return _interactive("button", message, media, BUTTONS_BODY, {"buttons": replies})


def _list(message: Outbound) -> Payload | None:
    choices = message.choices
    if choices is None or not _fits_a_list(choices):
        return None
    action = {"button": choices.button, "sections": [_section(each) for each in _titled(choices)]}
    return _interactive("list", message, None, LIST_BODY, action)


def _interactive(
    kind: str, message: Outbound, media: Media | None, most: int, action: Payload
) -> Payload | None:
    """One whose words don't fit where they belong is None."""
    left = message.model_copy(
        update={"media": None if media else message.media, "buttons": (), "choices": None}
    )
    header: Payload | None = _typed(media.kind, _file(media)) if media else None
    if media is None and 0 < len(message.header) <= HEADER:
        left, header = left.model_copy(update={"header": ""}), {"type": "text", "text": message.header}
    if len(message.footer) <= FOOTER:
        left = left.model_copy(update={"footer": ""})
    body = numbered(left)
    if not body.strip() or len(body) > most:
        return None
    content: Payload = {"type": kind, "body": {"text": body}, "action": action}
    if header:
        content["header"] = header
    if message.footer and not left.footer:
        content["footer"] = {"text": message.footer}
    return content


def _fits_a_list(choices: Choices) -> bool:
    rows = choices.rows
    ids = {_payload(row) for row in rows}
    if not 1 <= len(rows) <= LIST_ROWS or len(ids) < len(rows) or not 1 <= len(choices.button) <= LIST_BUTTON:
        return False
    fits = all(_fits(row, ROW_TITLE, ROW_ID) and len(row.description) <= ROW_DESCRIPTION for row in rows)
    return fits and all(len(section.title) <= SECTION_TITLE for section in choices.sections)


def _titled(choices: Choices) -> tuple[Section, ...]:
    """Several sections have each a title, or they are one."""
    sections = tuple(section for section in choices.sections if section.rows)
    if len(sections) > 1 and not all(section.title for section in sections):
        return (Section(rows=choices.rows),)
    return sections


def _section(section: Section) -> Payload:
    rows = [
        {**_reply(row), **({"description": row.description} if row.description else {})}
        for row in section.rows
    ]
    return {"title": section.title, "rows": rows} if section.title else {"rows": rows}


def _reply(option: Button | Row) -> Payload:
    return {"id": _payload(option), "title": option.title}


def _payload(option: Button | Row) -> str:
    return option.payload or option.id


def _fits(option: Button | Row, title: int, payload: int) -> bool:
    return 1 <= len(option.title) <= title and 1 <= len(_payload(option)) <= payload


def _template(message: Outbound, template: Template, language: str) -> Payload:
    code = (template.language or language).replace("-", "_")
    components = []
    if message.media is not None and message.media.kind in _CAPTIONED:
        parameter = _typed(message.media.kind, _file(message.media))
        components.append({"type": "header", "parameters": [parameter]})
    if template.variables:
        components.append({"type": "body", "parameters": _parameters(template.variables)})
    content: Payload = {"name": template.name, "language": {"code": code}}
    return {**content, "components": components} if components else content


def _parameters(variables: dict[str, str]) -> list[Payload]:
    """By their place where they are numbered, else by their names."""
    if all(name.isascii() and name.isdigit() for name in variables):
        return [{"type": "text", "text": _value(variables[name])} for name in sorted(variables, key=int)]
    return [
        {"type": "text", "parameter_name": name, "text": _value(text)} for name, text in variables.items()
    ]


def _value(text: str) -> str:
    """A template's variable is one line, without wide gaps, and never empty: else Meta refuses it (100)."""
    return " ".join(text.split()) or "-"
