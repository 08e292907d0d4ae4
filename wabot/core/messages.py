"""What comes in from a contact and what goes out to one, whatever the channel."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from wabot.core.kept import kept
from wabot.core.limits import INBOUND_TEXT


class Kind(StrEnum):
    """What an inbound message is; also the second part of its event, `message.<kind>`."""

    TEXT = "text"
    BUTTON = "button"
    LIST = "list"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    REACTION = "reaction"
    ORDER = "order"
    UNKNOWN = "unknown"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Location(_Value):
    """A point on the map: WGS 84 degrees."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str = ""
    address: str = ""


class Media(_Value):
    """A file, by the URL under which the receiver's side may fetch it."""

    kind: Literal["image", "audio", "video", "document", "sticker"]
    url: str
    mime_type: str = ""
    filename: str = ""


Kept = Annotated[str, AfterValidator(kept)]
"""Text for a column of its own."""


class Inbound(_Value):
    """One message of a contact, as the channel's adapter normalised it.

    `event_id` is the provider's own id of the message and is unique per channel. `sender` is the
    contact's address and `recipient` ours, E.164 for WhatsApp (`+919876543210`). `payload` is what a
    tapped button or list row carried, `title` what was written on it. `raw` keeps what a kind of
    its own (contact card, order, unknown) has beyond these fields.

    A `text` of more than `limits.INBOUND_TEXT` characters is cut there, and `raw["text_length"]` says how
    long it was: to refuse it would lose the message.
    """

    channel: str
    event_id: Kept
    sender: Kept
    recipient: Kept
    kind: Kind = Kind.TEXT
    text: str = ""
    payload: str = ""
    title: str = ""
    media: Media | None = None
    location: Location | None = None
    name: Kept = ""
    raw: dict[str, Any] = Field(default_factory=dict)
    sent_at: datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _cut(cls, data: Any) -> Any:
        text = data.get("text") if isinstance(data, dict) else None
        if not isinstance(text, str) or len(text) <= INBOUND_TEXT:
            return data
        return {
            **data,
            "text": text[:INBOUND_TEXT],
            "raw": {**(data.get("raw") or {}), "text_length": len(text)},
        }


class Button(_Value):
    """A quick reply. `payload` comes back in `Inbound.payload` when it is tapped."""

    id: str
    title: str
    payload: str = ""


class Row(_Value):
    """One row of a list message."""

    id: str
    title: str
    description: str = ""
    payload: str = ""


class Section(_Value):
    """Rows of a list message under a title of their own."""

    title: str = ""
    rows: tuple[Row, ...]


class Choices(_Value):
    """A list message: the button that opens it, and its sections."""

    button: str
    sections: tuple[Section, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for section in self.sections for row in section.rows)


class Template(_Value):
    """An approved template by its name, and its variables by their place (`"1"`, `"2"`)."""

    name: str
    language: str = ""
    variables: dict[str, str] = Field(default_factory=dict)


class Outbound(_Value):
    """One message to a contact, neutral to the channel; an adapter renders it.

    At most one of `buttons` and `choices` is set. With `template` the other fields are what the
    template will read like, for the console and for logs.
    """

    text: str = ""
    header: str = ""
    footer: str = ""
    buttons: tuple[Button, ...] = ()
    choices: Choices | None = None
    media: Media | None = None
    location: Location | None = None
    template: Template | None = None

    @property
    def options(self) -> tuple[Button | Row, ...]:
        """What can be tapped, in the order shown: a text channel numbers them from 1."""
        return self.choices.rows if self.choices else self.buttons
