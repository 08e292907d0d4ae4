"""Conversations and contacts: who they are, what was said, and a person's hand in them."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from wabot.adapters.web.resources.routes import Routes
from wabot.core.json import to_plain
from wabot.core.paging import Id, Page
from wabot.errors import Rejected
from wabot.runtime import listing, talk
from wabot.runtime.listing import (
    Contacts,
    Conversation,
    Conversations,
    Effect,
    Effects,
    Person,
    Timer,
    Timers,
    WholeConversation,
    WholePerson,
)
from wabot.runtime.talk import Messages, Talk

if TYPE_CHECKING:
    from wabot.app import App

TAG = "conversations"
READ, WRITE = "conversations:read", "conversations:write"


class One(BaseModel):
    """A thing by its id."""

    id: Id


class TakeOver(BaseModel):
    """Who takes it, to be shown."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(default="", max_length=255)


class HandBack(BaseModel):
    """What the person found out: the result of the `agent` that the flow waits for."""

    model_config = ConfigDict(extra="forbid")

    data: Any = None


def register(routes: Routes, app: "App") -> None:
    _add_conversations(routes, app)
    _add_hands(routes, app)
    _add_contacts(routes, app)
    _add_waiting(routes, app)


def _add_conversations(routes: Routes, app: "App") -> None:
    @routes.add("get", "/conversations", READ, tag=TAG)
    def list_conversations(query: Conversations) -> Page[Conversation]:
        """Conversations, the newest first."""
        return listing.conversations(app.database, query)

    @routes.add("get", "/conversations/{id}", READ, tag=TAG)
    def get_conversation(path: One) -> WholeConversation:
        """One conversation, and where its flow stands."""
        return listing.conversation(app.database, path.id)

    @routes.add("get", "/conversations/{id}/messages", READ, tag=TAG)
    def list_conversation_messages(path: One, query: Messages) -> Talk:
        """What both sides wrote, merged in time, the newest first."""
        return talk.messages(app.database, path.id, query)


def _add_hands(routes: Routes, app: "App") -> None:
    @routes.add(
        "post", "/conversations/{id}/take-over", WRITE, tag=TAG, examples={"a person": {"by": "Ravi"}}
    )
    def take_over_conversation(path: One, body: TakeOver) -> WholeConversation:
        """From now on the flow hears nothing: a person answers. Refused (`held`) where one does already."""
        if not app.take_over(path.id, body.by):
            held = listing.conversation(app.database, path.id)
            raise Rejected("a person has it already", code="held", details={"by": held.held_by})
        return listing.conversation(app.database, path.id)

    @routes.add(
        "post",
        "/conversations/{id}/hand-back",
        WRITE,
        tag=TAG,
        examples={"without a result": {}, "with one": {"data": {"discount": 5}}},
    )
    def hand_back_conversation(path: One, body: HandBack) -> WholeConversation:
        """The flow hears again, and an `agent` that it waits for is done. Refused (`not_held`) where no
        person has the conversation."""
        if not app.hand_back(path.id, _plain(body.data)):
            raise Rejected("no person has this conversation", code="not_held")
        return listing.conversation(app.database, path.id)

    @routes.add("post", "/conversations/{id}/reset", WRITE, tag=TAG)
    def reset_conversation(path: One) -> WholeConversation:
        """Forget where it is: the contact's next message starts the flow anew. Timers, effects and events
        that wait are dropped; what was said stays."""
        app.reset(path.id)
        return listing.conversation(app.database, path.id)


def _plain(data: Any) -> Any:
    try:
        to_plain(data)
    except TypeError as error:
        raise Rejected(str(error), code="data") from error
    return data


def _add_contacts(routes: Routes, app: "App") -> None:
    @routes.add("get", "/contacts", "contacts:read", tag="contacts")
    def list_contacts(query: Contacts) -> Page[Person]:
        """Contacts, the newest first."""
        return listing.contacts(app.database, query)

    @routes.add("get", "/contacts/{id}", "contacts:read", tag="contacts")
    def get_contact(path: One) -> WholePerson:
        """One contact, with its conversations."""
        return listing.contact(app.database, path.id)


def _add_waiting(routes: Routes, app: "App") -> None:
    @routes.add("get", "/effects", READ, tag="runtime")
    def list_effects(query: Effects) -> Page[Effect]:
        """What flows asked for outside of turns, the newest first."""
        return listing.effects(app.database, query)

    @routes.add("get", "/timers", READ, tag="runtime")
    def list_timers(query: Timers) -> Page[Timer]:
        """The timers that are open, the newest first."""
        return listing.timers(app.database, query)
