"""The door: everything that happens to a conversation is inserted here, once, and waits for its turn."""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import BindParameter, ClauseElement, ColumnElement, Table, bindparam, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm import Session

from wabot.core.database import Base, Database
from wabot.core.faults import crash_point
from wabot.core.messages import Inbound
from wabot.core.ports import Clock, Ids
from wabot.core.statements import Prepared
from wabot.core.tables import (
    EFFECT_CHANNEL,
    TIMER_CHANNEL,
    ContactRow,
    ConversationRow,
    InboundRow,
    InboundStatus,
    Origin,
)
from wabot.errors import ConfigurationError, RecordError

_Text = str | BindParameter[str]
RESERVED_CHANNELS = frozenset({TIMER_CHANNEL, EFFECT_CHANNEL})


def accept(database: Database, clock: Clock, ids: Ids, message: Inbound) -> int | None:
    """Commit this message and give its conversation's id; None where it was accepted before.

    Raises RecordError where the database can't take it now.
    """
    if message.channel in RESERVED_CHANNELS:
        raise ConfigurationError(f'no channel may be called "{message.channel}"')
    crash_point("accept.before_insert")
    try:
        conversation_id = database.again(lambda: _accept(database, clock.now(), ids.new(), message))
    except (InterfaceError, OperationalError, TimeoutError) as error:
        raise RecordError(f"the database can't be used now: {getattr(error, 'orig', error)}") from error
    crash_point("accept.after_commit")
    return conversation_id


def _accept(database: Database, now: datetime, correlation: str, message: Inbound) -> int | None:
    payload = message.model_dump(mode="json", exclude_defaults=True)
    row = _row(message.channel, message.event_id, 0, Origin.MESSAGE, payload, correlation, now)
    found = database.alone(_INSERT, {**row, "sender": message.recipient, "phone": message.sender})
    if found is not None:
        conversation_id: int = found[0]
        return conversation_id
    # The contact's first message, or one that was accepted before.
    with database.transaction() as session:
        conversation_id = open_conversation(session, message.channel, message.recipient, message.sender, now)
        if not _insert_once(session, InboundRow, {**row, "conversation_id": conversation_id}):
            return None
        crash_point("accept.before_commit")
        session.commit()
    return conversation_id


def _insert_where_open(dialect: str) -> ClauseElement:
    """One statement, of an inbound row's values and the conversation's `sender` and `phone`. It inserts
    nothing where the conversation isn't there, or the event is."""
    table = cast("Table", InboundRow.__table__)
    given = [*_row("", "", 0, Origin.MESSAGE, {}, "", datetime.min.replace(tzinfo=UTC))]
    names = [*given, "status", "attempts", "error"]
    constants = {"status": InboundStatus.PENDING, "attempts": 0, "error": ""}
    columns: list[Any] = [
        ConversationRow.id
        if name == "conversation_id"
        else literal(constants[name], table.c[name].type)
        if name in constants
        else bindparam(name, type_=table.c[name].type)
        for name in names
    ]
    source = select(*columns).where(*_between(bindparam("channel"), bindparam("sender"), bindparam("phone")))
    statement = _insert(dialect, table).from_select(names, source, include_defaults=False)
    return statement.on_conflict_do_nothing().returning(table.c.conversation_id)


_INSERT = Prepared(_insert_where_open)


def _between(channel: _Text, sender: _Text, phone: _Text) -> tuple[ColumnElement[bool], ...]:
    """The conversation of this contact with our `sender`.

    By the contact's id and no join: so it is one look at a unique index each, whatever the database knows of
    the tables.
    """
    contact = select(ContactRow.id).where(ContactRow.phone == phone).scalar_subquery()
    return (
        ConversationRow.channel == channel,
        ConversationRow.sender == sender,
        ConversationRow.contact_id == contact,
    )


def open_conversation(session: Session, channel: str, sender: str, phone: str, now: datetime) -> int:
    """The id of the conversation between our `sender` and this number; made where there is none yet."""
    query = select(ConversationRow.id).where(*_between(channel, sender, phone))
    found = session.scalar(query)
    if found is not None:
        return found
    _insert_once(session, ContactRow, {"phone": phone, "name": "", "locale": "", "created_at": now})
    contact_id = session.scalars(select(ContactRow.id).where(ContactRow.phone == phone)).one()
    _insert_once(
        session,
        ConversationRow,
        {"channel": channel, "sender": sender, "contact_id": contact_id, "created_at": now},
    )
    return session.scalars(query).one()


def insert_event(
    session: Session,
    origin: Origin,
    event_id: str,
    conversation_id: int,
    payload: dict[str, Any],
    correlation: str,
    now: datetime,
) -> bool:
    """Put what a timer or an effect tells at the end of the conversation's queue; False if it is there.

    `payload` has `name`, `key` and perhaps `data`, as the engine's `Event`.
    """
    channel = TIMER_CHANNEL if origin is Origin.TIMER else EFFECT_CHANNEL
    return _insert_once(
        session, InboundRow, _row(channel, event_id, conversation_id, origin, payload, correlation, now)
    )


def _row(
    channel: str,
    event_id: str,
    conversation_id: int,
    origin: Origin,
    payload: dict[str, Any],
    correlation: str,
    now: datetime,
) -> dict[str, Any]:
    return {
        "channel": channel,
        "event_id": event_id,
        "conversation_id": conversation_id,
        "origin": origin,
        "payload": payload,
        "correlation": correlation,
        "received_at": now,
        "due_at": now,
    }


def _insert_once(session: Session, model: type[Base], values: dict[str, Any]) -> bool:
    """Insert unless a unique constraint says that it is there; whether it was inserted."""
    table = cast("Table", model.__table__)
    statement = (
        _insert(session.get_bind().dialect.name, table)
        .values(values)
        .on_conflict_do_nothing()
        .returning(table.c.id)
    )
    return session.connection().execute(statement).first() is not None


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
