"""What waits, as numbers: read from the record when somebody looks."""

from datetime import datetime

from sqlalchemy import func, select

from wabot.core.database import Database
from wabot.core.metrics import BACKLOG, OLDEST, Metrics
from wabot.core.tables import EffectRow, InboundRow, OutboxRow, TimerRow

_WAITING = {
    "inbound": InboundRow.due_at,
    "outbox": OutboxRow.due_at,
    "timers": TimerRow.due_at,
    "effects": EffectRow.due_at,
}


def measure(database: Database, now: datetime, metrics: Metrics) -> None:
    """Set the gauges of what is due by `now`, and for how long the oldest has been."""
    with database.reading() as session:
        for kind, due_at in _WAITING.items():
            count, oldest = session.execute(select(func.count(), func.min(due_at)).where(due_at <= now)).one()
            metrics.set(BACKLOG, count, kind=kind)
            metrics.set(OLDEST, (now - oldest).total_seconds() if oldest else 0.0, kind=kind)
