"""A POST that is sent twice under one `Idempotency-Key` works once, and is answered twice.

The key's row is taken before the work begins, and holds the answer afterwards. The transaction that does
the work marks the row too: so it is known whether the work was done, even where its process was killed
before it could answer.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from flask import Request, Response, g
from sqlalchemy import ColumnElement, Connection, Table, delete, event, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from wabot.adapters.web.limits import raw_body
from wabot.adapters.web.problems import MEDIA_TYPE, Refused, refusal_of
from wabot.core.database import Database
from wabot.core.faults import crash_point
from wabot.core.ports import Clock
from wabot.core.tables import IdempotencyRow

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=60)
"""How long a request may be at work before it is taken for dead."""
DONE = 0
"""The status of a row whose work is committed, and whose answer isn't there yet."""
AT_ONCE = 100
"""So many rows that have expired go with each new one: they can't grow beyond number."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Hold:
    """A row that this request has taken; `since` tells it from one that took it later."""

    id: int
    since: datetime

    @property
    def still_ours(self) -> ColumnElement[bool]:
        unanswered = or_(IdempotencyRow.status.is_(None), IdempotencyRow.status == DONE)
        return (IdempotencyRow.id == self.id) & (IdempotencyRow.created_at == self.since) & unanswered


class Idempotency:
    """Of one app, for as long as its database is open."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._held: ContextVar[Hold | None] = ContextVar("wabot_idempotency", default=None)
        event.listen(database.engine, "commit", self._mark)

    def once(self, request: Request, work: Callable[[], Response]) -> Response:
        """The answer to this request: of `work`, or of the first request under its key.

        Raises Refused: 400 for a key that is none, 422 for one that was used for something else, 409 where
        the first request is at work, or was killed after its work and before its answer.
        """
        key = request.headers.get(HEADER)
        if key is None or request.method != "POST":
            return work()
        if not _KEY.fullmatch(key):
            raise Refused(400, f"{HEADER} is 1 to 255 visible characters of ASCII.", code="bad_key")
        owner = g.key.prefix if g.get("key") else ""
        taken = self._take(owner, key, _fingerprint(request))
        return taken if isinstance(taken, Response) else self._work(taken, work)

    def _work(self, hold: Hold, work: Callable[[], Response]) -> Response:
        try:
            with self._holding(hold):
                answer = work()
        except Exception as error:
            refused = refusal_of(error)
            if refused is None or refused.status >= 500:
                self._forget(hold)
                raise
            answer = refused.response
        crash_point("idempotency.before_answer")
        self._change(hold, status=answer.status_code, body=answer.get_data(as_text=True))
        return answer

    def _take(self, owner: str, key: str, fingerprint: str) -> Hold | Response:
        now = self._clock.now()
        with self._database.transaction() as session:
            _expire(session, now)
            values = {"owner": owner, "key": key, "fingerprint": fingerprint, "created_at": now}
            taken: int | Response | None = _insert_once(session, values)
            if taken is None:
                found = select(IdempotencyRow).where(IdempotencyRow.owner == owner, IdempotencyRow.key == key)
                row = session.scalars(found.with_for_update()).one_or_none()
                taken = self._known(row, fingerprint, now)
            session.commit()
        return taken if isinstance(taken, Response) else Hold(taken, now)

    def _known(self, row: IdempotencyRow | None, fingerprint: str, now: datetime) -> int | Response:
        """What becomes of a request whose key was used before: the first one's answer, or its place."""
        if row is None:
            raise _in_progress()  # It failed just now, and gave the key free.
        if row.fingerprint != fingerprint:
            detail = f"This {HEADER} was used for another request."
            raise Refused(422, detail, code="key_reused")
        if row.status not in (None, DONE):
            return _replayed(row.status or DONE, row.body)
        if now - row.created_at < LEASE:
            raise _in_progress()
        if row.status == DONE:
            detail = (
                "The first request with this key did its work; its answer is lost. Look at what it changed."
            )
            raise Refused(409, detail, code="answer_lost")
        row.created_at = now
        return row.id

    def _mark(self, connection: Connection) -> None:
        """Before the work is committed: together with it, that it was done."""
        hold = self._held.get()
        if hold is None:
            return
        statement = update(IdempotencyRow).where(hold.still_ours).values(status=DONE)
        marked = False
        try:
            marked = connection.execute(statement).rowcount == 1
        finally:
            if not marked:
                # SQLAlchemy takes this transaction for ended already, and would leave it to the next one.
                connection.dialect.do_rollback(connection.connection)
        if not marked:
            raise _in_progress()

    def _change(self, hold: Hold, **values: object) -> None:
        with self._database.transaction() as session:
            session.execute(update(IdempotencyRow).where(hold.still_ours).values(values))
            session.commit()

    def _forget(self, hold: Hold) -> None:
        """Give the key free, unless something was committed under it."""
        unmarked = IdempotencyRow.status.is_(None)
        with self._database.transaction() as session:
            session.execute(delete(IdempotencyRow).where(hold.still_ours, unmarked))
            session.commit()

    @contextmanager
    def _holding(self, hold: Hold) -> Iterator[None]:
        token = self._held.set(hold)
        try:
            yield
        finally:
            self._held.reset(token)


def _fingerprint(request: Request) -> str:
    asked = (request.method.encode(), request.path.encode(), request.query_string, raw_body(request))
    return hashlib.sha256(b"\0".join(asked)).hexdigest()


def _replayed(status: int, body: str) -> Response:
    mimetype = MEDIA_TYPE if status >= 400 else "application/json"
    return Response(body, status, mimetype=mimetype, headers={REPLAYED: "true"})


def _in_progress() -> Refused:
    detail = "The first request with this key is at work still."
    return Refused(409, detail, code="in_progress", headers=[("Retry-After", "1")])


def _expire(session: Session, now: datetime) -> None:
    old = select(IdempotencyRow.id).where(IdempotencyRow.created_at < now - KEPT)
    some = old.order_by(IdempotencyRow.created_at).limit(AT_ONCE).with_for_update(skip_locked=True)
    session.execute(
        delete(IdempotencyRow).where(IdempotencyRow.id.in_(some.scalar_subquery())),
        execution_options={"synchronize_session": False},
    )


def _insert_once(session: Session, values: dict[str, object]) -> int | None:
    table = cast("Table", IdempotencyRow.__table__)
    make = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = make(table).values(values).on_conflict_do_nothing().returning(table.c.id)
    return session.connection().execute(statement).scalar()
