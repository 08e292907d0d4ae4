"""`wabot failed`: the events whose turns failed and the messages that did not go out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wabot.cli.record import record_of
from wabot.cli.run import settings_here
from wabot.cli.screen import compact, counted, show, show_json, table
from wabot.core.ports import SystemClock
from wabot.errors import UsageError
from wabot.runtime import failed
from wabot.runtime.failed import FailedEvent

MOST = 100


def list_all(project: Path | None, *, as_json: bool) -> None:
    """Up to 100 of each; a message's reason is the provider's, or ours where it never left."""
    with record_of(settings_here(project)) as database:
        events = failed.failed_events(database, MOST)
        messages = failed.unsent_messages(database, MOST)
    if as_json:
        show_json({"events": [_as_json(event) for event in events], "messages": [*map(asdict, messages)]})
        return
    if not events and not messages:
        show("Nothing failed.")
    if events:
        show(f"{counted(len(events), 'event')} failed:")
        rows = [
            (str(event.id), f"{event.received_at:%Y-%m-%d %H:%M}", event.phone, event.origin, event.reason)
            for event in events
        ]
        show(*table(rows, {"id": "bold", "received": "", "contact": "", "from": "", "error": "red"}))
        show("  mend the cause, then: wabot failed retry ID")
    if messages:
        show(f"{counted(len(messages), 'message')} not sent, the newest first:")
        sent = [
            (
                str(each.id),
                f"{each.created_at:%Y-%m-%d %H:%M}",
                each.phone,
                each.status,
                each.code,
                each.reason,
            )
            for each in messages
        ]
        heads = {"id": "bold", "written": "", "contact": "", "status": "", "code": "red", "reason": "red"}
        show(*table(sent, heads))


def show_one(id: int, project: Path | None, *, as_json: bool) -> None:
    """One failed event with what came in, and its whole error."""
    with record_of(settings_here(project)) as database:
        event = failed.failed_event(database, id)
    if as_json:
        show_json(_as_json(event))
        return
    show(
        f"event {event.id} of conversation {event.conversation_id}, {event.channel}, {event.phone}",
        f"received {event.received_at:%Y-%m-%d %H:%M:%S}, {counted(event.attempts, 'attempt')}",
        compact(event.payload),
        event.error.rstrip(),
    )


def retry(ids: Sequence[int], project: Path | None, *, every: bool, as_json: bool) -> None:
    """Put failed events back in line. Raises UsageError unless told which."""
    if every == bool(ids):
        raise UsageError("say which: ids of failed events, or --all", hint="wabot failed shows them")
    with record_of(settings_here(project)) as database:
        changed = failed.retry(database, SystemClock(), None if every else ids)
    if as_json:
        show_json({"retried": changed})
    else:
        show(f"{counted(len(changed), 'event')} put back in line.")


def drop(id: int, project: Path | None, *, as_json: bool) -> None:
    """Take one failed event off the list for good; it stays on record."""
    with record_of(settings_here(project)) as database:
        failed.drop(database, SystemClock(), id)
    if as_json:
        show_json({"dropped": id})
    else:
        show(f"Event {id} is dropped.")


def _as_json(event: FailedEvent) -> dict[str, Any]:
    return {**asdict(event), "reason": event.reason}
