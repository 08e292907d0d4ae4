"""What becomes of a message that was refused: at once, or by a receipt after the provider had taken it.

| refused with | the message | the contact |
| --- | --- | --- |
| `NotSent` | goes again, later and later, for `SendPolicy.give_up` | |
| `NeedsTemplate` | goes again as its template, once; without one it has failed | |
| `ContactRefuses` | has failed | is opted out: nothing more is sent to it |
| `Undeliverable` | has failed | |
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wabot.core.tables import ContactRow, ConversationRow, SendStatus
from wabot.errors import ContactRefuses, NeedsTemplate, NotSent, SendError

NO_TEMPLATE = "name a template in its text, or in the flow's say"
STOPPED = "nothing more is sent to this contact until it writes START"


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """`lease` is longer than a channel's own time-out. `grace` is how long a callback may take. Pauses
    after a refusal double from `first_pause` to `longest_pause`; after `give_up` the message has failed:
    by then the window in which a contact may be answered is closed (24 h)."""

    lease: timedelta = timedelta(seconds=60)
    grace: timedelta = timedelta(seconds=60)
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(minutes=10)
    give_up: timedelta = timedelta(hours=24)

    def pause(self, outbox_id: int, attempts: int) -> timedelta:
        """The pause after this many claims. Its second half is spread by the message's id, so that many
        messages refused together don't come back together; no chance is in it, for tests to repeat."""
        whole = min(self.first_pause * float(2 ** min(max(attempts, 1) - 1, 30)), self.longest_pause)
        spread = zlib.crc32(f"{outbox_id}:{attempts}".encode()) / 2**32
        return whole / 2 + whole / 2 * spread


class SendOutcome(StrEnum):
    SENT = "sent"
    LATER = "later"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Tried(Protocol):
    """A message that was refused, as its row or whoever claimed that knows it."""

    @property
    def id(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def message(self) -> Any: ...
    @property
    def as_template(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Fate:
    """`changes` are to the message's row. `suppress`: its contact is to be opted out."""

    outcome: SendOutcome
    changes: dict[str, Any]
    suppress: bool = False


def has_template(message: Any) -> bool:
    """Whether a message as the outbox keeps it names a template."""
    return isinstance(message, dict) and message.get("template") is not None


def refused(
    tried: Tried, error: SendError, now: datetime, policy: SendPolicy, pause: timedelta = timedelta()
) -> Fate:
    """`pause` is the shortest before the message goes again."""
    if isinstance(error, NotSent):
        if now - tried.created_at >= policy.give_up:
            return Fate(SendOutcome.FAILED, failed(error))
        return _again(error, now + max(policy.pause(tried.id, tried.attempts), pause))
    if isinstance(error, NeedsTemplate):
        if has_template(tried.message) and not tried.as_template:
            return _again(error, now + pause, as_template=True)
        mend = "" if has_template(tried.message) else f": {NO_TEMPLATE}"
        return Fate(SendOutcome.FAILED, failed(error, mend))
    if isinstance(error, ContactRefuses):
        return Fate(SendOutcome.FAILED, failed(error, f": {STOPPED}"), suppress=True)
    return Fate(SendOutcome.FAILED, failed(error))


def _again(error: SendError, due_at: datetime, **more: Any) -> Fate:
    changes = {"status": SendStatus.PENDING, "due_at": due_at, **why(error), **more}
    return Fate(SendOutcome.LATER, changes)


def failed(error: SendError, mend: str = "") -> dict[str, Any]:
    known = why(error)
    return {"status": SendStatus.FAILED, "due_at": None, **known, "reason": known["reason"] + mend}


def why(error: SendError) -> dict[str, str]:
    return {"code": (error.code or "")[:32], "reason": error.message}


def suppress(session: Session, conversation_id: int, now: datetime) -> None:
    """Opt the conversation's contact out, unless it is already."""
    contact = select(ConversationRow.contact_id).where(ConversationRow.id == conversation_id)
    session.execute(
        update(ContactRow)
        .where(ContactRow.id == contact.scalar_subquery(), ContactRow.opted_out_at.is_(None))
        .values(opted_out_at=now),
        execution_options={"synchronize_session": False},
    )
