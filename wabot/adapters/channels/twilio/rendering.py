"""A neutral message as Twilio takes it: a plain one, or a content and what fills it in."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wabot.adapters.channels.twilio.codes import TOO_LONG
from wabot.core.fallback import numbered
from wabot.core.limits import (
    BUTTON_ID,
    BUTTON_TITLE,
    BUTTONS,
    BUTTONS_BODY,
    LIST_BODY,
    LIST_BUTTON,
    LIST_ROWS,
    ROW_DESCRIPTION,
    ROW_ID,
    ROW_TITLE,
    TWILIO_BODY,
)
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row
from wabot.core.ports import Capabilities
from wabot.core.refusals import Refusal, refused
from wabot.runtime.rendering import fit

WORD_JOINER = "\N{WORD JOINER}"
_WORDLESS = ("audio", "sticker")
"""Media under which WhatsApp shows no words."""
_NOTHING_TO_TAP = Capabilities(buttons=False, lists=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """What goes without a content. `place` is a persistent action: `geo:18.5204,73.8567|The shop`."""

    body: str
    media: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Rich:
    """What goes as a content: `types` is its shape, with a variable for every word, so that one content
    serves all messages of that shape. `samples` is what Twilio wants to see in each when it is made."""

    kind: str
    types: dict[str, Any]
    samples: dict[str, str]
    variables: dict[str, str]
    body: str


def words_of(message: Outbound) -> str:
    """Header, text and footer, which Twilio's contents for a session have no fields for."""
    bare = {"buttons": (), "choices": None, "media": None, "location": None}
    return numbered(message.model_copy(update=bare))


def as_rich(message: Outbound) -> Rich | None:
    """`message` with its buttons or its list; None where Twilio doesn't show it so within the window.

    A card with a picture above the buttons needs Meta's approval, so media and buttons don't go together.
    """
    if message.media or message.location or not message.options:
        return None
    body = words_of(message)
    if not body or any("{{" in _payload(option) for option in message.options):
        return None
    if message.choices is not None:
        return _list(body, message.choices)
    return _buttons(body, message.buttons)


def as_plain(message: Outbound) -> Plain:
    """`message` in words, its options numbered; with its media or its place.

    Raises Undeliverable for one that says nothing, or too much.
    """
    message = fit(message, _NOTHING_TO_TAP)
    if message.media is not None:
        plain = _with_media(message, message.media)
    elif message.location is not None:
        plain = _with_place(message, message.location)
    else:
        plain = Plain(words_of(message))
    if not plain.body and not plain.media:
        raise refused(Refusal.NEVER, "the message says nothing", "empty")
    if len(plain.body) > TWILIO_BODY:
        raise refused(
            Refusal.NEVER,
            f"the message has {len(plain.body)} characters, and Twilio takes {TWILIO_BODY}",
            TOO_LONG,
        )
    return plain


def variables_json(variables: dict[str, str]) -> str:
    """What `ContentVariables` wants.

    Twilio's own reader stumbles over an apostrophe (twilio-node 1082) and takes two braces in a value for
    a variable (21656): the one is written as its number, between the others comes a character unseen.
    """
    safe = {name: re.sub(r"\{(?=\{)", "{" + WORD_JOINER, value) for name, value in variables.items()}
    return json.dumps(safe).replace("'", "\\u0027")


def _buttons(body: str, buttons: Sequence[Button]) -> Rich | None:
    titles = {button.title for button in buttons}
    fits = len(buttons) <= BUTTONS and len(titles) == len(buttons) and len(body) <= BUTTONS_BODY
    if not fits or not all(_fits(each, BUTTON_TITLE, BUTTON_ID) for each in buttons):
        return None
    slots = _Slots()
    content = {
        "body": slots.put(body, "What would you like?"),
        "actions": [
            {
                "type": "QUICK_REPLY",
                "title": slots.put(button.title, f"Choice {number}"),
                "id": slots.put(_payload(button), f"choice_{number}"),
            }
            for number, button in enumerate(buttons, 1)
        ],
    }
    return slots.rich("quick-reply", content, body)


def _list(body: str, choices: Choices) -> Rich | None:
    titled = len(choices.sections) > 1
    rows = [
        (row, row.description or (section.title if titled else ""))
        for section in choices.sections
        for row in section.rows
    ]
    ids = {_payload(row) for row, _ in rows}
    fits = len(rows) <= LIST_ROWS and len(ids) == len(rows) and len(body) <= LIST_BODY
    if not fits or not 1 <= len(choices.button) <= LIST_BUTTON:
        return None
    if not all(_fits(row, ROW_TITLE, ROW_ID) and len(said) <= ROW_DESCRIPTION for row, said in rows):
        return None
    slots = _Slots()
    content = {
        "body": slots.put(body, "What would you like?"),
        "button": slots.put(choices.button, "See them"),
        "items": [_item(slots, row, said, number) for number, (row, said) in enumerate(rows, 1)],
    }
    return slots.rich("list-picker", content, body)


def _item(slots: "_Slots", row: Row, description: str, number: int) -> dict[str, str]:
    item = {
        "item": slots.put(row.title, f"Choice {number}"),
        "id": slots.put(_payload(row), f"choice_{number}"),
    }
    # A variable may not be empty (21656), so a row without a description is a shape of its own.
    return {**item, "description": slots.put(description, "About it")} if description else item


class _Slots:
    """Numbers the variables in the order in which they are put."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.samples: dict[str, str] = {}

    def put(self, value: str, sample: str) -> str:
        name = str(len(self.variables) + 1)
        self.variables[name], self.samples[name] = value, sample
        return "{{" + name + "}}"

    def rich(self, kind: str, content: dict[str, Any], body: str) -> Rich:
        return Rich(kind, {f"twilio/{kind}": content}, self.samples, self.variables, body)


def _payload(option: Button | Row) -> str:
    return option.payload or option.id


def _fits(option: Button | Row, title: int, payload: int) -> bool:
    return 1 <= len(option.title) <= title and 1 <= len(_payload(option)) <= payload


def _with_media(message: Outbound, media: Media) -> Plain:
    if message.location is not None or (media.kind in _WORDLESS and words_of(message)):
        # Nothing that was said gets lost: what one message can't carry beside words is a link in them.
        return Plain(numbered(message))
    return Plain(words_of(message), media=media.url)


def _with_place(message: Outbound, place: Location) -> Plain:
    point = f"geo:{place.latitude:.6f},{place.longitude:.6f}"
    words = words_of(message)
    named = [place.name, place.address]
    body, *rest = [words, *filter(None, named)] if words else [*filter(None, named), ""]
    label = " ".join(", ".join(filter(None, rest)).replace("|", " ").split())
    return Plain(body or point.removeprefix("geo:"), place=f"{point}|{label}" if label else point)
