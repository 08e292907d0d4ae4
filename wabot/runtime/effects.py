"""What is done outside the turn comes back as an event of its conversation.

An `agent` effect is finished by a person, any other by a worker; either by `finish`.
"""

from typing import Any

from wabot.core.database import Database, lock
from wabot.core.ports import Clock, Ids
from wabot.core.tables import EffectRow, EffectStatus, Origin
from wabot.errors import UnknownName
from wabot.runtime.accept import insert_event


def finish(
    database: Database, clock: Clock, ids: Ids, effect_id: int, data: Any, *, failed: bool = False
) -> int | None:
    """Hand `data` (plain data) to the flow as `done.invoke.<id>`, or as `error.invoke.<id>` if `failed`.

    Gives the conversation's id; None where the effect was finished or cancelled before. Raises
    UnknownName for an id that isn't there.
    """
    now = clock.now()
    with database.transaction() as session:
        row = lock(session, EffectRow, effect_id)
        if row is None:
            raise UnknownName(f"there is no effect {effect_id}")
        if row.status != EffectStatus.PENDING:
            return None
        row.status = EffectStatus.FAILED if failed else EffectStatus.DONE
        row.result, row.due_at, row.done_at = data, None, now
        payload = {"name": f"{'error' if failed else 'done'}.invoke.{row.name}", "key": row.key, "data": data}
        insert_event(session, Origin.RESULT, str(row.id), row.conversation_id, payload, ids.new(), now)
        session.commit()
        return row.conversation_id
