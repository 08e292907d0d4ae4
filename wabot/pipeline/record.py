"""What a turn reads and writes, each row by one prepared statement."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Text,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    true,
    type_coerce,
    update,
)

from wabot.core.database import Base
from wabot.core.messages import Outbound
from wabot.core.statements import Prepared
from wabot.core.tables import (
    Category,
    ContactRow,
    ConversationRow,
    EffectRow,
    EffectStatus,
    InboundRow,
    InboundStatus,
    OutboxRow,
    SendStatus,
    TimerRow,
)
from wabot.core.transaction import Transaction


@dataclass(slots=True)
class Taken:
    """A conversation that is locked, its oldest open event and its contact, as the database has them.

    `payload` and `state` are JSON text. What is changed from `state` on is written at the turn's end, and
    so is `note`, as the event's error. `known` is what the contact's fields were.
    """

    sender: str
    inbound_id: int
    origin: str
    payload: str
    correlation: str
    attempts: int
    received_at: datetime
    contact_id: int
    phone: str
    state: str | None
    flow: str
    version: int
    counter: int
    positions: int
    last_message_at: datetime | None
    held_at: datetime | None
    name: str
    locale: str
    opted_out_at: datetime | None
    known: tuple[Any, ...]
    note: str = ""


def _columns(conversation: Any, inbound: Any) -> list[Any]:
    """In the order of `Taken`."""
    return [
        conversation.sender,
        inbound.id,
        inbound.origin,
        type_coerce(inbound.payload, Text),
        inbound.correlation,
        inbound.attempts,
        inbound.received_at,
        ContactRow.id,
        ContactRow.phone,
        conversation.state,
        conversation.flow,
        conversation.version,
        conversation.counter,
        conversation.positions,
        conversation.last_message_at,
        conversation.held_at,
        ContactRow.name,
        ContactRow.locale,
        ContactRow.opted_out_at,
    ]


def take(transaction: Transaction, conversation_id: int, *, wait: bool) -> Taken | None:
    """Lock the conversation and give its next event; None where nothing waits, or, without `wait`, where
    another transaction holds the conversation."""
    row = transaction.one(_WAIT if wait else _SKIP, {"id": conversation_id})
    return Taken(*row, known=row[-3:]) if row is not None else None  # type: ignore[misc]


def _oldest(*, wait: bool) -> Prepared:
    """The conversation is locked before its events are looked at, so that no other turn ends between the
    two: a later event could be taken before an earlier one. Then PostgreSQL gives each row as it is once
    it is locked, and passes over an event that was done while it waited. Two turns with one contact, each
    in a conversation of its own, lock in the same order, and so don't wait for each other in a ring.

    On SQLite, which knows neither locks of rows nor LATERAL, the transaction itself holds the only write
    lock."""

    def make(dialect: str) -> ClauseElement:
        held: Any = select(ConversationRow).where(ConversationRow.id == bindparam("id"))
        oldest: Any = select(InboundRow).where(InboundRow.due_at.is_not(None)).order_by(InboundRow.id)
        oldest = oldest.limit(literal_column("1"))
        if dialect == "sqlite":
            held = held.subquery()
            oldest = oldest.where(InboundRow.conversation_id == bindparam("id")).subquery()
        else:
            # NO KEY: a row that refers to one of these may be inserted meanwhile, so a webhook waits for no
            # turn.
            held = held.with_for_update(key_share=True, skip_locked=not wait).subquery()
            oldest = oldest.where(InboundRow.conversation_id == held.c.id)
            oldest = oldest.with_for_update(key_share=True).lateral()
        found = select(*_columns(held.c, oldest.c)).select_from(held).join(oldest, true())
        found = found.join(ContactRow, ContactRow.id == held.c.contact_id)
        return found.with_for_update(key_share=True, of=ContactRow)

    return Prepared(make)


_WAIT, _SKIP = _oldest(wait=True), _oldest(wait=False)


def _prepared(statement: ClauseElement) -> Prepared:
    return Prepared(lambda _dialect: statement)


def _update(model: Any, *names: str) -> Prepared:
    changes: dict[str, Any] = {name: bindparam(name) for name in names}
    return _prepared(update(model).where(model.id == bindparam("key")).values(changes))


_CONVERSATION = ("state", "flow", "version", "counter", "positions", "last_message_at")
_CONTACT = ("name", "locale", "opted_out_at")

_SAVE = _update(ConversationRow, *_CONVERSATION)
_DONE = _update(InboundRow, "status", "due_at", "done_at")
_NOTE = _update(InboundRow, "error")


@lru_cache
def _contact(names: tuple[str, ...]) -> Prepared:
    return _update(ContactRow, *names)


def save_contact(transaction: Transaction, taken: Taken) -> None:
    """Write what the turn changed in the contact since it was taken, or written last."""
    values = tuple(getattr(taken, name) for name in _CONTACT)
    if values == taken.known:
        return
    changed = {
        name: value
        for name, value, known in zip(_CONTACT, values, taken.known, strict=True)
        if value != known
    }
    transaction.run(_contact(tuple(changed)), {"key": taken.contact_id, **changed})
    taken.known = values


def save(transaction: Transaction, conversation_id: int, taken: Taken, now: datetime) -> None:
    """Write what the turn changed, and that its event is done."""
    values = {name: getattr(taken, name) for name in _CONVERSATION}
    transaction.run(_SAVE, {"key": conversation_id, **values})
    save_contact(transaction, taken)
    if taken.note:
        transaction.run(_NOTE, {"key": taken.inbound_id, "error": taken.note})
    done = {"status": InboundStatus.DONE, "due_at": None, "done_at": now}
    transaction.run(_DONE, {"key": taken.inbound_id, **done})


def _insert(model: type[Base], *names: str) -> Prepared:
    return _prepared(insert(model).values({name: bindparam(name) for name in names}))


# All columns that have a default in Python too: prepared statements know nothing of those.
INSERT_MESSAGE = _insert(
    OutboxRow, "conversation_id", "position", "inbound_id", "reference", "category", "message", "status",
    "attempts", "resent", "code", "reason", "created_at", "due_at", "receipt",
    "as_template",
)  # fmt: skip
INSERT_TIMER = _insert(TimerRow, "conversation_id", "key", "name", "due_at")
INSERT_EFFECT = _insert(
    EffectRow, "conversation_id", "inbound_id", "key", "name", "kind", "arguments", "status", "attempts",
    "created_at", "due_at",
)  # fmt: skip
DELETE_TIMER = _prepared(
    delete(TimerRow).where(
        TimerRow.conversation_id == bindparam("conversation_id"), TimerRow.key == bindparam("key")
    )
)
CANCEL_EFFECT = _prepared(
    update(EffectRow)
    .where(
        EffectRow.conversation_id == bindparam("conversation"),
        EffectRow.key == bindparam("effect_key"),
        EffectRow.status == EffectStatus.PENDING,
    )
    .values(status=EffectStatus.CANCELLED, due_at=None, done_at=bindparam("done_at"))
)


def message_row(
    conversation_id: int,
    position: int,
    message: Outbound,
    reference: str,
    now: datetime,
    inbound_id: int | None,
    category: Category,
) -> dict[str, Any]:
    """A row of the outbox that is due now."""
    return {
        "conversation_id": conversation_id,
        "position": position,
        "inbound_id": inbound_id,
        "reference": reference,
        "category": category,
        "message": message.model_dump(mode="json", exclude_defaults=True),
        "status": SendStatus.PENDING,
        "attempts": 0,
        "resent": False,
        "code": "",
        "reason": "",
        "receipt": "",
        "as_template": False,
        "created_at": now,
        "due_at": now,
    }
