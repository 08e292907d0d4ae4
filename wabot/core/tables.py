"""The tables of the runtime.

In `inbound`, `outbox`, `timer` and `effect`, `due_at` is when the row wants attention next, and null
once it never will again: so each search for due work is a range of a small index, however many rows
are done.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Dialect, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from wabot.core.database import Base, BigId, JsonText

TIMER_CHANNEL = "timer"
EFFECT_CHANNEL = "effect"
"""Names under which timers and effects put their events into `inbound`; no channel may take them."""

# An id that was deleted never comes again: SQLite would else give it to the next row.
_NEVER_REUSED = {"sqlite_autoincrement": True}
_OPEN = text("due_at IS NOT NULL")


class Origin(StrEnum):
    """Where something that happens to a conversation comes from."""

    MESSAGE = "message"
    TIMER = "timer"
    RESULT = "result"


class InboundStatus(StrEnum):
    """`failed` waits for an operator, who tries it again or has it `dropped`."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    DROPPED = "dropped"


class SendStatus(StrEnum):
    """`unknown` is a message that may or may not have been taken; see `runtime.send`."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


class EffectStatus(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Category(StrEnum):
    """A transactional message of unknown fate may go once more; a campaign's never does.

    An opt-out's is the word that we send no more: all that a contact gets who has opted out, and once.
    """

    TRANSACTIONAL = "transactional"
    CAMPAIGN = "campaign"
    OPT_OUT = "opt_out"


class ContactRow(Base):
    """A person, whatever the channel. `locale` is empty until a flow or an import sets it.

    `opted_out_at` is when the contact asked for no more messages; null while they may be sent.
    """

    __tablename__ = "contact"
    __table_args__ = _NEVER_REUSED

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    phone: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    locale: Mapped[str] = mapped_column(String(35), default="")
    created_at: Mapped[datetime]
    opted_out_at: Mapped[datetime | None]


class ConversationRow(Base):
    """The unit of order and of locking: a channel, our sender, the contact.

    `state` is the engine's, as JSON; null before the flow has begun. `version` counts the turns, and
    `counter` keeps the engine's beyond a flow's end, so that no timer's or question's key comes twice.
    `held_at` is since when a person, `held_by`, has it in hand and the flow hears nothing.
    """

    __tablename__ = "conversation"
    __table_args__ = (UniqueConstraint("channel", "sender", "contact_id"), _NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    sender: Mapped[str] = mapped_column(String(64))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    flow: Mapped[str] = mapped_column(String(128), default="")
    state: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=0)
    counter: Mapped[int] = mapped_column(default=0)
    positions: Mapped[int] = mapped_column(default=0)
    last_message_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    held_at: Mapped[datetime | None]
    held_by: Mapped[str] = mapped_column(String(255), default="", server_default="")


class InboundRow(Base):
    """Everything that happens to a conversation passes this door, the oldest (`id`) first.

    `payload` is a message's `Inbound`, or what a timer or an effect tells. `attempts` counts the
    turns that failed, `error` says why the last one did.
    """

    __tablename__ = "inbound"
    __table_args__ = (
        UniqueConstraint("channel", "event_id"),
        Index("ix_inbound_open", "conversation_id", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        # For whoever reads a conversation back, among however many others.
        Index("ix_inbound_talk", "conversation_id", "received_at"),
        _NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    event_id: Mapped[str] = mapped_column(String(255))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    origin: Mapped[str] = mapped_column(String(16))
    payload: Mapped[Any] = mapped_column(JsonText)
    correlation: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default=InboundStatus.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")
    received_at: Mapped[datetime]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    done_at: Mapped[datetime | None]


class MessageText(JsonText):
    """A message as JSON text. Text that is no JSON comes as it is, and is no message to whoever reads it:
    a spoilt row must not keep all others from being found."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        try:
            return super().process_result_value(value, dialect)
        except (ValueError, RecursionError):
            return value


class OutboxRow(Base):
    """A message on its way out. `position` orders those of one conversation.

    `reference` is our name for it at the provider, `provider_id` theirs. `attempts` counts the
    claims; `resent` says that it went once more after its fate stayed unknown. `receipt` is how far the
    provider says it got, empty before it says anything: `runtime.receipts`. `as_template` says that the
    provider took it for outside the window, so that it leaves as its template or not at all.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("conversation_id", "position"),
        Index("ix_outbox_open", "conversation_id", "position", sqlite_where=_OPEN, postgresql_where=_OPEN),
        _NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    position: Mapped[int]
    inbound_id: Mapped[int | None] = mapped_column(ForeignKey("inbound.id"), index=True)
    reference: Mapped[str] = mapped_column(String(64), unique=True)
    category: Mapped[str] = mapped_column(String(16), default=Category.TRANSACTIONAL)
    message: Mapped[Any] = mapped_column(MessageText)
    status: Mapped[str] = mapped_column(String(16), default=SendStatus.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    resent: Mapped[bool] = mapped_column(default=False)
    provider_id: Mapped[str | None] = mapped_column(String(255), index=True)
    code: Mapped[str] = mapped_column(String(32), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    sent_at: Mapped[datetime | None]
    receipt: Mapped[str] = mapped_column(String(16), default="", server_default="")
    delivered_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    as_template: Mapped[bool] = mapped_column(default=False, server_default=false())


class TimerRow(Base):
    """A timer that was asked for; firing or cancelling it deletes the row."""

    __tablename__ = "timer"
    __table_args__ = (UniqueConstraint("conversation_id", "key"), _NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    key: Mapped[str] = mapped_column(String(512))
    name: Mapped[str] = mapped_column(String(512))
    due_at: Mapped[datetime] = mapped_column(index=True)


class EffectRow(Base):
    """Something to do outside the turn. `name` is the invoke's id; `kind` `http`, `agent` or a module's.

    `due_at` is null where nobody but the outside can finish it, as a person's hand-back.
    """

    __tablename__ = "effect"
    __table_args__ = (UniqueConstraint("conversation_id", "key"), _NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    inbound_id: Mapped[int | None] = mapped_column(ForeignKey("inbound.id"), index=True)
    key: Mapped[str] = mapped_column(String(512))
    name: Mapped[str] = mapped_column(String(512))
    kind: Mapped[str] = mapped_column(String(128))
    arguments: Mapped[Any] = mapped_column(JsonText)
    status: Mapped[str] = mapped_column(String(16), default=EffectStatus.PENDING, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    result: Mapped[Any] = mapped_column(JsonText, nullable=True)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    done_at: Mapped[datetime | None]


class MediaRow(Base):
    """A contact's file, fetched from the provider and kept: `path` is the store's own name for it."""

    __tablename__ = "media"
    __table_args__ = _NEVER_REUSED

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    inbound_id: Mapped[int] = mapped_column(ForeignKey("inbound.id"), unique=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    mime_type: Mapped[str] = mapped_column(String(255))
    filename: Mapped[str] = mapped_column(String(255), default="")
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(512))
    created_at: Mapped[datetime]


class ContentRow(Base):
    """A rich message's shape that the provider was told once, and its name for it there."""

    __tablename__ = "content"
    __table_args__ = (UniqueConstraint("channel", "account", "shape"), _NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    account: Mapped[str] = mapped_column(String(64))
    shape: Mapped[str] = mapped_column(String(64))
    provider_id: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]


class ApiKeyRow(Base):
    """A key of the HTTP API: only its hash is kept. `prefix` is the part that may be shown and names it."""

    __tablename__ = "api_key"
    __table_args__ = _NEVER_REUSED

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    prefix: Mapped[str] = mapped_column(String(32), unique=True)
    hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[Any] = mapped_column(JsonText)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class IdempotencyRow(Base):
    """An answer to a POST, for whoever asks once more under the same `Idempotency-Key`.

    `status` is null while the first request is at work. `fingerprint` is the hash of what was asked.
    """

    __tablename__ = "idempotency"
    __table_args__ = (UniqueConstraint("owner", "key"), _NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    body: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(index=True)
