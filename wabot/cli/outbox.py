"""`wabot outbox`: the messages that wait, did not go out, or of which nobody knows, and why."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wabot.cli.record import record_of
from wabot.cli.run import settings_here
from wabot.cli.screen import show, show_json, table
from wabot.core.durations import format_duration
from wabot.core.ports import SystemClock
from wabot.core.tables import SendStatus
from wabot.engine.problems import did_you_mean
from wabot.errors import UsageError
from wabot.runtime.backlog import held_up
from wabot.runtime.talk import Outbox, Outgoing, outbox

COLUMNS = {
    "id": "bold",
    "written": "",
    "contact": "",
    "status": "",
    "tries": "",
    "due": "",
    "code": "red",
    "reason": "",
}
SECOND = timedelta(seconds=1)


def run(
    project: Path | None,
    *,
    status: str | None,
    contact: str | None,
    limit: int,
    after: int | None,
    as_json: bool,
) -> None:
    """Those of one status, or all that have not left, the newest first."""
    asked = _asked(status, contact, limit, after)
    with record_of(settings_here(project)) as database:
        page = outbox(database, asked)
        heads = held_up(database, [message.id for message in page.items])
    if as_json:
        messages = [_as_json(message, heads) for message in page.items]
        show_json({"messages": messages, "next": page.next})
        return
    if not page.items:
        to = f" to {contact}" if contact else ""
        told = f"has the status {status}" if status else "waits, has failed or is unknown"
        show(f"No message{to} {told}.")
        return
    now = SystemClock().now()
    show(*table([_row(message, heads, now) for message in page.items], COLUMNS))
    if page.next:
        show(f"The older ones: wabot outbox --after {page.next}, with the same options.")


def _asked(status: str | None, contact: str | None, limit: int, after: int | None) -> Outbox:
    """Raises UsageError for what no message can have."""
    known = [each.value for each in SendStatus]
    if status is not None and status not in known:
        hint = did_you_mean(status, known) or f"there are {', '.join(known)}"
        raise UsageError(f'"{status}" is no status of a message', hint=hint)
    wanted = SendStatus(status) if status else None
    try:
        return Outbox(status=wanted, unsent=None if wanted else True, phone=contact, limit=limit, after=after)
    except ValidationError as error:
        if error.errors()[0]["loc"] == ("phone",):
            told = f'--contact: "{contact}" is no phone number'
            raise UsageError(told, hint="write it like +919876543210") from error
        raise UsageError(f"--after: there is no message {after}", hint="wabot outbox shows them") from error


def _row(message: Outgoing, heads: Mapping[int, int], now: datetime) -> tuple[str, ...]:
    return (
        str(message.id),
        f"{message.created_at:%Y-%m-%d %H:%M}",
        message.phone,
        message.status,
        str(message.attempts),
        _due(message, now),
        message.code,
        message.reason or _waits(message, heads),
    )


def _due(message: Outgoing, now: datetime) -> str:
    if message.due_at is None:
        return "-"
    left = message.due_at - now
    return "now" if left <= timedelta() else f"in {format_duration(-(-left // SECOND) * SECOND)}"


def _waits(message: Outgoing, heads: Mapping[int, int]) -> str:
    """What a message waits for of which nothing was told yet."""
    if message.id in heads:
        return f"leaves after message {heads[message.id]}"
    if message.status is SendStatus.CLAIMED:
        return "is being sent"
    return (
        f"waits for a process that sends by {message.channel}" if message.status is SendStatus.PENDING else ""
    )


def _as_json(message: Outgoing, heads: Mapping[int, int]) -> dict[str, Any]:
    return {**message.model_dump(mode="json"), "leaves_after": heads.get(message.id)}
