"""Messages to contacts: sending one, and what became of those that were sent."""

from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from wabot.adapters.web.resources.conversations import One
from wabot.adapters.web.resources.routes import Routes
from wabot.core.messages import Outbound
from wabot.core.paging import Id, Page, Phone
from wabot.core.phones import e164
from wabot.core.sendable import check
from wabot.errors import Rejected, SendError
from wabot.runtime import operator, talk
from wabot.runtime.operator import Address
from wabot.runtime.talk import Outbox, Outgoing

if TYPE_CHECKING:
    from wabot.app import App

TAG = "messages"
READ, WRITE = "messages:read", "messages:write"


class Send(BaseModel):
    """One message: into a `conversation`, or `to` a contact, and there into the one in which it wrote last.

    `channel` and `sender` (our number) name another one, and are needed where there is none yet and several
    could be begun.
    """

    model_config = ConfigDict(extra="forbid")

    conversation: Id | None = None
    to: Phone | None = None
    channel: str | None = Field(default=None, min_length=1, max_length=32)
    sender: Phone | None = None
    message: Outbound

    @field_validator("message")
    @classmethod
    def _fits(cls, message: Outbound) -> Outbound:
        check(message)
        return message

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.conversation is None) == (self.to is None):
            raise ValueError("give either conversation or to")
        if self.conversation is not None and (self.channel or self.sender):
            raise ValueError("channel and sender go with to: a conversation has them already")
        return self


EXAMPLES = {
    "text": {"to": "+919876543210", "message": {"text": "Your order is on its way."}},
    "buttons": {
        "conversation": 17,
        "message": {
            "text": "Shall we deliver today?",
            "buttons": [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}],
        },
    },
    "template": {
        "to": "+919876543210",
        "message": {
            "text": "Your order SO-17 is on its way.",
            "template": {"name": "order_on_its_way", "language": "en", "variables": {"1": "SO-17"}},
        },
    },
}


def register(routes: Routes, app: "App") -> None:
    @routes.add("get", "/messages", READ, tag=TAG)
    def list_messages(query: Outbox) -> Page[Outgoing]:
        """Messages to contacts and what became of them, the newest first."""
        return talk.outbox(app.database, query)

    @routes.add("get", "/messages/{id}", READ, tag=TAG)
    def get_message(path: One) -> Outgoing:
        """One message to a contact, and what became of it."""
        return talk.sent(app.database, path.id)

    @routes.add("post", "/messages", WRITE, tag=TAG, status=202, examples=EXAMPLES)
    def send_message(body: Send) -> tuple[Outgoing, int]:
        """Send one message; ask for it by its id to see how far it got. Refused where it could not leave
        now: `opted_out`, `outside_window` without a template, `no_channel`."""
        try:
            id, conversation_id = operator.send(
                app.database, app.clock, app.ids, app.channels, _place(app, body), body.message
            )
        except SendError as error:
            raise Rejected(error.message, code=error.code or "refused") from error
        app.ring(conversation_id)
        return talk.sent(app.database, id), 202


def _place(app: "App", body: Send) -> int | Address:
    """Where the contact wrote last; else a conversation to begin, where channel and sender are clear."""
    if body.conversation is not None:
        return body.conversation
    phone = body.to or ""
    found = operator.latest_conversation(app.database, phone, channel=body.channel, sender=body.sender)
    if found is not None:
        return found
    try:
        phone = e164(phone)
    except ValueError as error:
        raise Rejected(str(error), code="to") from error
    channel = body.channel or _only(list(app.channels), "channel")
    return Address(phone, channel, body.sender or _only(_ours(app, channel), "sender"))


def _only(values: list[str], name: str) -> str:
    if len(values) != 1:
        known = f": {', '.join(values)}" if values else ""
        raise Rejected(f"say by which {name} it goes{known}", code=name)
    return values[0]


def _ours(app: "App", channel: str) -> list[str]:
    """Our numbers on this channel, as the settings know them."""
    settings = app.settings
    numbers = {
        "twilio": [settings.twilio.number] if settings.twilio.number else [],
        "meta": list(settings.meta.phone_numbers),
    }
    return numbers.get(channel) or list(settings.senders)
