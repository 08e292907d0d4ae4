"""Whether this process lives, whether it can accept messages, and whether the deployment keeps up."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from flask import Response, request
from pydantic import BaseModel
from sqlalchemy import func, literal, select
from sqlalchemy.exc import SQLAlchemyError

from wabot.adapters.web.security import Guard, is_local, public
from wabot.core.database import Database
from wabot.core.log import describe, get_logger
from wabot.core.metrics import CONTENT_TYPE
from wabot.core.tables import InboundRow, OutboxRow
from wabot.errors import RecordError

if TYPE_CHECKING:
    from wabot.adapters.web.api import Api
    from wabot.app import App

Ping = Callable[[], bool]
State = Literal["ok", "down", "late", "none"]


class Health(BaseModel):
    """`ready` says that all of it is well. `backlog` is `late` where something waits for longer than
    `[health] backlog` allows; `redis` is `none` where the settings name none."""

    alive: bool = True
    ready: bool
    database: State
    redis: State = "none"
    backlog: State = "ok"


class Alive(BaseModel):
    alive: bool = True


class Ready(BaseModel):
    """`ready` says that a message can be accepted."""

    ready: bool
    database: State


def register(api: "Api", app: "App", guard: Guard) -> None:
    """Add `/health`, `/health/alive`, `/health/ready` and `/metrics`."""
    ping = _ping(app.settings.redis_url)

    @api.get("/health", responses={200: Health, 503: Health})
    @public
    def health() -> tuple[Health, int]:
        """How the deployment is: 503 where something is down or too much waits.

        For whoever watches. A load balancer asks `/health/ready`: without Redis, and with a backlog,
        messages can be accepted all the same.
        """
        found = _health(app, ping)
        return found, 200 if found.ready else 503

    @api.get("/health/alive", responses={200: Alive})
    @public
    def alive() -> Alive:
        """Whether this process answers."""
        return Alive()

    @api.get("/health/ready", responses={200: Ready, 503: Ready})
    @public
    def ready() -> tuple[Ready, int]:
        """Whether this process can accept messages: 503 while it can't reach the database."""
        up = _reachable(app.database)
        return Ready(ready=up, database="ok" if up else "down"), 200 if up else 503

    api.add_url_rule("/metrics", "metrics", metrics_view(app, guard))


def metrics_view(app: "App", guard: Guard) -> Callable[[], Response]:
    """The view of the numbers, for a key with `metrics:read` and for programs on this machine."""

    def metrics() -> Response:
        if "Authorization" in request.headers or not is_local(request):
            guard.check(request, "metrics:read")
        return Response(app.metrics_text(), content_type=CONTENT_TYPE)

    return metrics


def _health(app: "App", ping: Ping | None) -> Health:
    oldest, up = None, True
    try:
        oldest = _oldest(app.database, app.clock.now())
    except (SQLAlchemyError, RecordError) as error:
        get_logger().error("health", database="down", **describe(error))
        up = False
    late = oldest is not None and app.clock.now() - oldest > app.settings.health.backlog
    redis: State = "none" if ping is None else "ok" if ping() else "down"
    return Health(
        ready=up and not late and redis != "down",
        database="ok" if up else "down",
        redis=redis,
        backlog="late" if late else "ok",
    )


def _oldest(database: Database, now: datetime) -> datetime | None:
    """Since when what waits longest for its turn or its sending has been due; no row is counted."""
    with database.reading() as session:
        moments = [
            session.scalar(select(func.min(due_at)).where(due_at <= now))
            for due_at in (InboundRow.due_at, OutboxRow.due_at)
        ]
    return min((moment for moment in moments if moment is not None), default=None)


def _reachable(database: Database) -> bool:
    try:
        with database.reading() as session:
            return session.scalar(select(literal(1))) == 1
    except (SQLAlchemyError, RecordError) as error:
        get_logger().error("health", database="down", **describe(error))
        return False


def _ping(url: str | None) -> Ping | None:
    if url is None:
        return None
    # Its extra may not be installed where the settings name no Redis.
    from wabot.adapters.redis import Link

    return Link(url).answers
