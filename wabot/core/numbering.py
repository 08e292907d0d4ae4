"""Numbers without gaps, for papers that must have none."""

from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wabot.core.database import Base


def next_number(session: Session, counter: type[Base], **key: Any) -> int:
    """The next number of the row of `counter` with this key, from 1.

    `counter` has a column `last` beside those of its key, which are unique together. The row is
    locked until the transaction ends: who comes at the same time waits, and where this transaction
    rolls back the number is given again.
    """
    table = counter.__table__
    step = (
        update(counter)
        .where(*(table.c[name] == value for name, value in key.items()))
        .values(last=table.c.last + 1)
        .returning(table.c.last)
        .execution_options(synchronize_session=False)
    )
    number: int | None = session.scalar(step)
    if number is None:
        _begin(session, counter, key)
        number = session.scalars(step).one()
    return number


def _begin(session: Session, counter: type[Base], key: dict[str, Any]) -> None:
    """Make the counter's row; where another transaction was first, that one is it."""
    try:
        with session.begin_nested():
            session.execute(insert(counter).values(**key, last=0))
    except IntegrityError:
        return
