"""Which of the messages at Twilio is the one that we don't know the fate of."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import select
from twilio.base.exceptions import TwilioException

from wabot.adapters.channels.twilio.rendering import WORD_JOINER, as_plain, as_rich
from wabot.core.database import Database
from wabot.core.messages import Outbound
from wabot.core.tables import ContactRow, ConversationRow, OutboxRow
from wabot.errors import SendUnknown, Undeliverable

SKEW = timedelta(minutes=1)
"""How far Twilio's clock and ours may differ."""


@dataclass(frozen=True, slots=True)
class Found:
    """A message as Twilio's list has it."""

    sid: str
    body: str
    media: bool
    outbound: bool
    created_at: datetime

    @classmethod
    def of(cls, message: Any) -> "Found":
        """Raises TwilioException for one that isn't as Twilio's are."""
        if not message.sid or not isinstance(message.date_created, datetime):
            raise TwilioException("a message without its SID or its date")
        return cls(
            sid=message.sid,
            body=message.body or "",
            media=str(message.num_media or "0") not in ("", "0"),
            outbound=str(message.direction or "").startswith("outbound"),
            created_at=message.date_created,
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """`message` is as it was written; which form of it left isn't known."""

    sender: str
    message: Outbound
    created_at: datetime
    provider_id: str


class Search:
    PAGE: ClassVar[int] = 100
    PAGES: ClassVar[int] = 5

    def __init__(self, database: Callable[[], Database], channel: str) -> None:
        self._database = database
        self._channel = channel

    def wanted(self, to: str, reference: str) -> Wanted:
        """Raises SendUnknown where the outbox has no such message."""
        query = (
            select(ConversationRow.sender, OutboxRow.message, OutboxRow.created_at, OutboxRow.provider_id)
            .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
            .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
            .where(
                OutboxRow.reference == reference,
                ConversationRow.channel == self._channel,
                ContactRow.phone == to,
            )
        )
        with self._database().reading() as session:
            row = session.execute(query).first()
        if row is None:
            raise SendUnknown("the outbox has no such message to look for")
        sender, message, created_at, provider_id = row
        return Wanted(sender, Outbound.model_validate(message), created_at, provider_id or "")

    def choose(self, wanted: Wanted, following: Callable[[], list[Found] | None]) -> str | None:
        """The SID of the one that it is; None if it surely is none. Raises SendUnknown between the two."""
        strangers = self._strangers(self._since(wanted.created_at - SKEW, following))
        doubtful = False
        # The oldest first: a second one in the same words is the next message's.
        for found in sorted(strangers, key=lambda each: each.created_at):
            match = _is(wanted.message, found)
            if match:
                return found.sid
            doubtful = doubtful or match is None
        if doubtful:
            raise SendUnknown("Twilio has a message to this contact that may be this one")
        return None

    def _since(self, since: datetime, following: Callable[[], list[Found] | None]) -> list[Found]:
        kept: list[Found] = []
        for _ in range(self.PAGES):
            page = following()
            if page is None:
                return kept
            kept += [found for found in page if found.outbound and found.created_at >= since]
            if page and all(found.created_at < since for found in page):
                return kept
        if following() is None:
            return kept
        raise SendUnknown("Twilio lists too many messages to this contact")

    def _strangers(self, found: list[Found]) -> list[Found]:
        """Those that no row of the outbox has."""
        query = select(OutboxRow.provider_id).where(OutboxRow.provider_id.in_([each.sid for each in found]))
        with self._database().reading() as session:
            known = set(session.scalars(query)) if found else set()
        return [each for each in found if each.sid not in known]


def _is(message: Outbound, found: Found) -> bool | None:
    """Whether it is this message; None where that can't be told."""
    body, template = _bare(found.body), message.template
    if body in _said(message) and (body or found.media):
        return True
    if template is not None and template.variables:
        return all(_bare(value) in body for value in template.variables.values()) or None
    # How Twilio lists a content, its words filled in or not, it doesn't promise.
    return None if template is not None or message.options or not body else False


def _said(message: Outbound) -> set[str]:
    """The bodies that it may have left with, bar a template's, which only Twilio knows."""
    free = message.model_copy(update={"template": None})
    said = set()
    rich = as_rich(free)
    if rich is not None:
        said.add(_bare(rich.body))
    with suppress(Undeliverable):
        said.add(_bare(as_plain(free).body))
    return said


def _bare(text: str) -> str:
    """Without what may change on the way: white space, and what was put between braces."""
    return " ".join(text.replace(WORD_JOINER, "").split())
