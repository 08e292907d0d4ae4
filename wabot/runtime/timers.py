"""Timers that are due become events of their conversations."""

from datetime import datetime

from sqlalchemy import select

from wabot.core.database import Database
from wabot.core.faults import crash_point
from wabot.core.ports import Clock, Ids
from wabot.core.tables import Origin, TimerRow
from wabot.runtime.accept import insert_event


def fire_due(database: Database, clock: Clock, ids: Ids, limit: int = 100) -> list[int]:
    """Turn up to `limit` due timers, the oldest first, into events; gives their conversations' ids.

    Row and event change in one transaction, and the event's id is the row's: a timer fires once.
    """
    now = clock.now()
    if not _any_due(database, now):
        return []
    with database.transaction() as session:
        query = (
            select(TimerRow).where(TimerRow.due_at <= now).order_by(TimerRow.due_at, TimerRow.id).limit(limit)
        )
        if session.get_bind().dialect.name != "sqlite":
            query = query.with_for_update(skip_locked=True)
        rows = session.scalars(query).all()
        for row in rows:
            payload = {"name": f"timer.{row.name}", "key": row.key}
            insert_event(session, Origin.TIMER, str(row.id), row.conversation_id, payload, ids.new(), now)
            session.delete(row)
        crash_point("timer.before_commit")
        session.commit()
    return [row.conversation_id for row in rows]


def _any_due(database: Database, now: datetime) -> bool:
    """Looked up first, so that idling takes no write lock."""
    with database.reading() as session:
        return session.scalar(select(TimerRow.id).where(TimerRow.due_at <= now).limit(1)) is not None
