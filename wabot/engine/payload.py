"""What a button or a row carries, so that an old tap is told apart: `w1|flow|version|number|option`."""

from typing import NamedTuple

from wabot.core.limits import PAYLOAD
from wabot.errors import TurnError

_PREFIX = "w1"


class Tap(NamedTuple):
    """A tapped option: the flow and version that showed it, `Sent.number` of the showing, its id."""

    flow: str
    version: int
    number: int
    option: str


def encode(flow: str, version: int, number: int, option: str) -> str:
    """The payload of an option, at most `limits.PAYLOAD` characters. Raises TurnError where it is longer."""
    name = flow.replace("%", "%25").replace("|", "%7C")
    payload = f"{_PREFIX}|{name}|{version}|{number}|{option}"
    if len(payload) > PAYLOAD:
        raise TurnError(
            f'the id of the option "{option[:40]}…" is too long by {len(payload) - PAYLOAD} characters',
            hint="give options short ids",
        )
    return payload


def decode(payload: str) -> Tap | None:
    """What `encode` wrote; None for a payload that isn't ours."""
    parts = payload.split("|", 4)
    if len(parts) != 5 or parts[0] != _PREFIX:
        return None
    _, name, version, number, option = parts
    if not (_is_count(version) and _is_count(number)):
        return None
    return Tap(name.replace("%7C", "|").replace("%25", "%"), int(version), int(number), option)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
