"""The events whose turns failed: to look at, to try again, to drop."""

from typing import TYPE_CHECKING

from pydantic import BaseModel

from wabot.adapters.web.resources.conversations import One
from wabot.adapters.web.resources.routes import Routes
from wabot.core.paging import Page
from wabot.runtime import failed, talk
from wabot.runtime.talk import Failed, FailedEvent, WholeFailedEvent

if TYPE_CHECKING:
    from wabot.app import App

TAG = "failed"
READ, WRITE = "conversations:read", "conversations:write"


class Retried(BaseModel):
    """The ids of the events that wait for a turn again."""

    retried: list[int]


class Dropped(BaseModel):
    """The id of the event that is let be: it stays on record."""

    dropped: int


def register(routes: Routes, app: "App") -> None:
    @routes.add("get", "/failed", READ, tag=TAG)
    def list_failed(query: Failed) -> Page[FailedEvent]:
        """Events whose turn failed, the newest first."""
        return talk.failed_events(app.database, query)

    @routes.add("get", "/failed/{id}", READ, tag=TAG)
    def get_failed(path: One) -> WholeFailedEvent:
        """One failed event, with the whole error."""
        return talk.failed_event(app.database, path.id)

    @routes.add("post", "/failed/{id}/retry", WRITE, tag=TAG)
    def retry_failed(path: One) -> Retried:
        """Put it back in line, all its tries before it."""
        event = failed.failed_event(app.database, path.id)
        retried = failed.retry(app.database, app.clock, [path.id])
        app.ring(event.conversation_id)
        return Retried(retried=retried)

    @routes.add("post", "/failed/{id}/drop", WRITE, tag=TAG)
    def drop_failed(path: One) -> Dropped:
        """Take it off the list for good."""
        failed.drop(app.database, app.clock, path.id)
        return Dropped(dropped=path.id)

    @routes.add("post", "/failed/retry", WRITE, tag=TAG)
    def retry_every_failed() -> Retried:
        """Put all of them back in line."""
        return Retried(retried=failed.retry(app.database, app.clock))
