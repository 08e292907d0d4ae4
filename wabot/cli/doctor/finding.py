"""What the doctor says of one thing."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from wabot.errors import WabotError

Verdict = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`about` is a short word for what was looked at; `mend` says what to do where it isn't well."""

    about: str
    verdict: Verdict
    message: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def well(about: str, message: str) -> Finding:
    return Finding(about, "ok", message)


def warning(about: str, message: str, mend: str) -> Finding:
    return Finding(about, "warning", message, mend)


def error(about: str, message: str, mend: str) -> Finding:
    return Finding(about, "error", message, mend)


def of_error(about: str, raised: WabotError) -> Finding:
    """What a command would have ended with."""
    return error(about, raised.message, raised.hint or "")
