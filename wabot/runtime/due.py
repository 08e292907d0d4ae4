"""What is due, asked without keeping anybody waiting: on SQLite one lock is for all that may write."""

from sqlalchemy import bindparam, literal_column, select

from wabot.core.database import UtcDateTime
from wabot.core.statements import Prepared
from wabot.core.tables import EffectRow, OutboxRow, TimerRow


def any_due(model: type[EffectRow | OutboxRow | TimerRow]) -> Prepared:
    """The id of some row that is due by `now`."""
    now = bindparam("now", type_=UtcDateTime)
    query = select(model.id).where(model.due_at <= now).limit(literal_column("1"))
    return Prepared(lambda _dialect: query)
