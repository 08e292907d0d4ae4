"""Messages on their way out: claimed with a lease, sent, and settled where their fate isn't known.

    pending --claim--> claimed --taken by the provider--> sent
       ^                  |----refused before it left: pending, later and later
       |                  |----will never be accepted: failed
       |                  '----time-out, or the lease ran out: unknown, for a grace period
       '--once more------ unknown --found at the provider--> sent

A conversation's messages leave in their order: while one is open, those behind it wait.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, bindparam, exists, select, update
from sqlalchemy.orm import aliased

from wabot.core.database import Database, UtcDateTime
from wabot.core.faults import crash_point
from wabot.core.log import describe, get_logger, hash_phone
from wabot.core.messages import Outbound
from wabot.core.ports import Channel, Clock, Lookup
from wabot.core.tables import Category, ContactRow, ConversationRow, InboundRow, OutboxRow, SendStatus
from wabot.errors import NotSent, SendError, SendUnknown, Undeliverable
from wabot.runtime.rendering import fit


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
        whole = min(self.first_pause * float(2 ** min(attempts - 1, 30)), self.longest_pause)
        spread = zlib.crc32(f"{outbox_id}:{attempts}".encode()) / 2**32
        return whole / 2 + whole / 2 * spread


class SendOutcome(StrEnum):
    SENT = "sent"
    LATER = "later"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Claim:
    id: int
    attempts: int
    conversation_id: int
    channel: str
    sender: str
    phone: str
    message: Any
    reference: str
    correlation: str
    created_at: datetime
    once_more: bool
    settle: bool


class Sender:
    """Sends what is due, one message a call. `channels` are by name; messages for others are left alone."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channels: Mapping[str, Channel],
        policy: SendPolicy | None = None,
        log_key: bytes = b"",
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._policy = policy or SendPolicy()
        self._log_key = log_key
        self._log = get_logger()
        self._heads = _heads(list(channels))

    def send_next(self) -> SendOutcome | None:
        """Bring the message that is due longest one step further; None where none is due."""
        claim = self._claim()
        if claim is None or isinstance(claim, SendOutcome):
            return claim
        crash_point("send.after_claim")
        outcome, changes = self._settle(claim) if claim.settle else self._send(claim)
        crash_point("send.before_mark")
        self._mark(claim, changes)
        self._log.info(
            "send",
            outcome=outcome.value,
            outbox=claim.id,
            attempts=claim.attempts,
            conversation=claim.conversation_id,
            contact=hash_phone(claim.phone, self._log_key),
            correlation=claim.correlation,
            code=changes.get("code", ""),
        )
        return outcome

    def _claim(self) -> _Claim | SendOutcome | None:
        """The head of a line, held for us by its lease; UNKNOWN where another's lease has run out."""
        now = self._clock.now()
        with self._database.transaction() as session:
            found = session.execute(self._heads, {"now": now}).first()
            if found is None:
                return None
            row, conversation, phone, correlation = found
            if row.status == SendStatus.CLAIMED:
                row.status, row.due_at = SendStatus.UNKNOWN, now + self._policy.grace
                row.reason = "whoever sent it did not say what came of it"
                session.commit()
                return SendOutcome.UNKNOWN
            settle = row.status == SendStatus.UNKNOWN
            row.status = SendStatus.UNKNOWN if settle else SendStatus.CLAIMED
            row.attempts += 1
            row.due_at = now + self._policy.lease
            claim = _as_claim(row, conversation, phone, correlation, settle)
            session.commit()
            return claim

    def _send(self, claim: _Claim) -> tuple[SendOutcome, dict[str, Any]]:
        channel = self._channels[claim.channel]
        try:
            message = fit(Outbound.model_validate(claim.message), channel.capabilities)
            provider_id = channel.send(claim.phone, claim.sender, message, claim.reference)
        except NotSent as error:
            return self._later(claim, error)
        except Undeliverable as error:
            return SendOutcome.FAILED, {"status": SendStatus.FAILED, "due_at": None, **_why(error)}
        except SendUnknown as error:
            return SendOutcome.UNKNOWN, self._unknown(error)
        except Exception as error:  # noqa: BLE001 - an adapter's bug may come after the message left
            self._log.error("channel", channel=claim.channel, **describe(error))
            return SendOutcome.UNKNOWN, self._unknown(SendUnknown(f"{type(error).__name__}: {error}"))
        return SendOutcome.SENT, self._sent(provider_id)

    def _later(self, claim: _Claim, error: SendError) -> tuple[SendOutcome, dict[str, Any]]:
        now = self._clock.now()
        if now - claim.created_at >= self._policy.give_up:
            return SendOutcome.FAILED, {"status": SendStatus.FAILED, "due_at": None, **_why(error)}
        due_at = now + self._policy.pause(claim.id, claim.attempts)
        return SendOutcome.LATER, {"status": SendStatus.PENDING, "due_at": due_at, **_why(error)}

    def _settle(self, claim: _Claim) -> tuple[SendOutcome, dict[str, Any]]:
        """Ask the provider, where it can tell; else a transactional message goes once more."""
        channel = self._channels[claim.channel]
        if not isinstance(channel, Lookup):
            if not claim.once_more:
                return SendOutcome.UNKNOWN, {"due_at": None}
            return SendOutcome.LATER, {
                "status": SendStatus.PENDING,
                "due_at": self._clock.now(),
                "resent": True,
            }
        try:
            provider_id = channel.find(claim.phone, claim.reference)
        except SendError as error:
            if self._clock.now() - claim.created_at >= self._policy.give_up:
                return SendOutcome.UNKNOWN, {"due_at": None, **_why(error)}
            return SendOutcome.UNKNOWN, self._unknown(error)
        if provider_id is not None:
            return SendOutcome.SENT, self._sent(provider_id)
        return SendOutcome.LATER, {"status": SendStatus.PENDING, "due_at": self._clock.now()}

    def _sent(self, provider_id: str) -> dict[str, Any]:
        now = self._clock.now()
        done = {"status": SendStatus.SENT, "provider_id": provider_id, "sent_at": now, "due_at": None}
        return {**done, "code": "", "reason": ""}

    def _unknown(self, error: SendError) -> dict[str, Any]:
        due_at = self._clock.now() + self._policy.grace
        return {"status": SendStatus.UNKNOWN, "due_at": due_at, **_why(error)}

    def _mark(self, claim: _Claim, changes: dict[str, Any]) -> None:
        """Write what came of it, unless the row was claimed by another since."""
        mine = (OutboxRow.id == claim.id, OutboxRow.attempts == claim.attempts)
        with self._database.transaction() as session:
            session.execute(update(OutboxRow).where(*mine).values(changes), execution_options=_ALONE)
            session.commit()


_ALONE = {"synchronize_session": False}
"""There are no other objects in the session to bring up to date."""


def _why(error: SendError) -> dict[str, str]:
    return {"code": (error.code or "")[:32], "reason": error.message}


def _heads(channels: list[str]) -> Select[OutboxRow, ConversationRow, str, str]:
    """The message due longest (by `:now`) that has no open one before it in its conversation."""
    earlier = aliased(OutboxRow)
    waits = exists().where(
        earlier.conversation_id == OutboxRow.conversation_id,
        earlier.due_at.is_not(None),
        earlier.position < OutboxRow.position,
    )
    now = bindparam("now", type_=UtcDateTime)
    return (
        select(OutboxRow, ConversationRow, ContactRow.phone, InboundRow.correlation)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
        .outerjoin(InboundRow, InboundRow.id == OutboxRow.inbound_id)
        .where(OutboxRow.due_at <= now, ~waits, ConversationRow.channel.in_(channels))
        .order_by(OutboxRow.due_at, OutboxRow.id)
        .limit(1)
        .with_for_update(of=OutboxRow, skip_locked=True)
    )


def _as_claim(
    row: OutboxRow, conversation: ConversationRow, phone: str, correlation: str | None, settle: bool
) -> _Claim:
    return _Claim(
        id=row.id,
        attempts=row.attempts,
        conversation_id=row.conversation_id,
        channel=conversation.channel,
        sender=conversation.sender,
        phone=phone,
        message=row.message,
        reference=row.reference,
        correlation=correlation or "",
        created_at=row.created_at,
        once_more=row.category == Category.TRANSACTIONAL and not row.resent,
        settle=settle,
    )
