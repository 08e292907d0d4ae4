"""How tests name things: times, options, states, effects, and why an invoke failed."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from wabot.core.messages import Button, Outbound, Row
from wabot.engine.effects import Effect, StartInvoke
from wabot.errors import UsageError


def reason_data(reason: Any) -> Any:
    """Why an invoke failed, as the flow sees it."""
    return {"message": reason} if isinstance(reason, str) else reason


def moment(value: datetime | str, zone: tzinfo) -> datetime:
    """`value` in UTC; without an offset it is in `zone`. Raises UsageError where it is no time."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise UsageError(f'"{value}" is no time', hint="write it like 2026-01-05T10:00") from None
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)


def effect_json(effect: Effect) -> dict[str, Any]:
    """An effect as tests write it: its JSON, with its kind as the key of what it is about."""
    data = effect.as_json()
    if isinstance(effect, StartInvoke):
        data["arguments"] = effect.arguments
    about = {"say": "message", "log": "label"}.get(effect.type, "id" if "id" in data else "key")
    value = data["message"].get("text", "") if effect.type == "say" else data[about]
    return {effect.type: value, **data}


def option_of(message: Outbound, wanted: str) -> Button | Row | None:
    for option in message.options:
        if wanted in (option.id, option.title):
            return option
    return next((o for o in message.options if o.title.casefold() == wanted.casefold()), None)


def within(path: str, state: str) -> bool:
    """Whether `state` is the state at `path` or one around it, by id or by the end of its path."""
    parts = path.split(".")
    around = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return any(whole == state or whole.endswith(f".{state}") for whole in around)
