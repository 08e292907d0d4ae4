"""What waits, since when, and what failed: for the operator, and for whoever rings in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from wabot.core.database import Base, Database
from wabot.core.tables import (
    EffectRow,
    EffectStatus,
    InboundRow,
    InboundStatus,
    OutboxRow,
    SendStatus,
    TimerRow,
)

MOMENTS = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows are due, and since when the oldest of them; how many will be later; how many failed.

    For effects `later` has those too that a person or the outside must finish, whatever the time.
    """

    due: int
    oldest: datetime | None
    later: int
    failed: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """`unknown` counts the messages of which nobody will find out any more whether they were sent."""

    inbound: Waiting
    outbox: Waiting
    timers: Waiting
    effects: Waiting
    unknown: int


@dataclass(frozen=True, slots=True)
class Upcoming:
    """When timers, messages and effects that wait come due, each moment once."""

    timers: Sequence[datetime]
    messages: Sequence[datetime]
    effects: Sequence[datetime]


def backlog(database: Database, now: datetime) -> Backlog:
    """As it stands now."""
    with database.reading() as session:
        effects = _waiting(session, EffectRow, EffectRow.due_at, now, EffectRow.status == EffectStatus.FAILED)
        for_others = _count(
            session, EffectRow, EffectRow.status == EffectStatus.PENDING, EffectRow.due_at.is_(None)
        )
        lost = _count(session, OutboxRow, OutboxRow.status == SendStatus.UNKNOWN, OutboxRow.due_at.is_(None))
        return Backlog(
            inbound=_waiting(
                session, InboundRow, InboundRow.due_at, now, InboundRow.status == InboundStatus.FAILED
            ),
            outbox=_waiting(session, OutboxRow, OutboxRow.due_at, now, OutboxRow.status == SendStatus.FAILED),
            timers=_waiting(session, TimerRow, TimerRow.due_at, now, None),
            effects=Waiting(effects.due, effects.oldest, effects.later + for_others, effects.failed),
            unknown=lost,
        )


def upcoming(database: Database, now: datetime, until: datetime) -> Upcoming:
    """What comes due after `now` and not after `until`; a thousand moments of each at most."""
    with database.reading() as session:
        return Upcoming(
            timers=_moments(session, TimerRow.due_at, now, until),
            messages=_moments(session, OutboxRow.due_at, now, until),
            effects=_moments(session, EffectRow.due_at, now, until),
        )


def held_up(database: Database, ids: Sequence[int]) -> dict[int, int]:
    """Which of these messages wait until another one of their conversation has left, and for which."""
    earlier = aliased(OutboxRow)
    query = (
        select(OutboxRow.id, func.min(earlier.id).label("head"))
        .join(earlier, earlier.conversation_id == OutboxRow.conversation_id)
        .where(OutboxRow.id.in_(ids), OutboxRow.due_at.is_not(None))
        .where(earlier.due_at.is_not(None), earlier.position < OutboxRow.position)
        .group_by(OutboxRow.id)
    )
    with database.reading() as session:
        return {row.id: row.head for row in session.execute(query)}


def _moments(
    session: Session, due_at: InstrumentedAttribute[Any], now: datetime, until: datetime
) -> Sequence[datetime]:
    query = select(due_at).where(due_at > now, due_at <= until).distinct().order_by(due_at).limit(MOMENTS)
    return session.scalars(query).all()


def _waiting(
    session: Session,
    model: type[Base],
    due_at: InstrumentedAttribute[Any],
    now: datetime,
    failed: ColumnElement[bool] | None,
) -> Waiting:
    due, oldest = session.execute(
        select(func.count(), func.min(due_at)).select_from(model).where(due_at <= now)
    ).one()
    return Waiting(
        due=due,
        oldest=oldest,
        later=_count(session, model, due_at > now),
        failed=_count(session, model, failed) if failed is not None else 0,
    )


def _count(session: Session, model: type[Base], *conditions: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).select_from(model).where(*conditions)).one()
