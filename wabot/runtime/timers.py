"""Timers that are due become events of their conversations."""

from sqlalchemy import select

from wabot.core.database import Database
from wabot.core.faults import crash_point
from wabot.core.ports import Clock, Ids
from wabot.core.tables import Origin, TimerRow
from wabot.runtime.accept import insert_event
from wabot.runtime.due import any_due

_ANY_DUE = any_due(TimerRow)


def fire_due(database: Database, clock: Clock, ids: Ids, limit: int = 100) -> list[int]:
    """Turn up to `limit` due timers, the oldest first, into events; gives their conversations' ids.

    Row and event change in one transaction, and the event's id is the row's: a timer fires once.
    """
    now = clock.now()
    # A look first (`runtime.due`).
    if database.alone(_ANY_DUE, {"now": now}) is None:
        return []
    query = select(TimerRow).where(TimerRow.due_at <= now).order_by(TimerRow.due_at, TimerRow.id).limit(limit)
    with database.transaction() as session:
        rows = session.scalars(query.with_for_update(skip_locked=True)).all()
        for row in rows:
            payload = {"name": f"timer.{row.name}", "key": row.key}
            insert_event(session, Origin.TIMER, str(row.id), row.conversation_id, payload, ids.new(), now)
            session.delete(row)
        if rows:
            crash_point("timer.before_commit")
        session.commit()
    if rows:
        crash_point("timer.after_commit")
    return [row.conversation_id for row in rows]
