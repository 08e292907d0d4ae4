"""Lengths of time as an author writes them: `90s`, `1h`, `1h30m`, `2d`, `500ms`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ms|s|m|h|d|w)")
LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """`text` as a length of time. Raises ValueError, saying what is taken, for anything else."""
    compact = text.replace(" ", "").lower()
    parts = list(_PART.finditer(compact))
    if not parts or "".join(part.group() for part in parts) != compact:
        raise ValueError(f"{text[:40]!r} is not a length of time: write it like 90s, 30m, 1h, 1h30m or 2d")
    seconds = sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text[:40]!r} is longer than {LONGEST.days} days")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """`value` as an author would write it, to the millisecond: `1h30m`; `0s` for none or a negative one."""
    left = max(value // timedelta(milliseconds=1), 0)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _read(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    WithJsonSchema({"type": "string", "description": "A length of time, like 90s, 30m or 1h."}),
]
"""A field of a model, written like 30s, 10m, 1h."""
