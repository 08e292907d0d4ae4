"""What a message asks for: "name x quantity" in the ways that people write it.

A number may be the quantity or part of the name (`OPC 53`, `8 mm rod`, `8x4`), and only the names
can tell. So each piece of the message gives several readings, and the best known name decides.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, DivisionByZero

from wabot.modules.catalog.names import Found, Names
from wabot.modules.catalog.spelling import is_number, tokens, words
from wabot.modules.catalog.vocabulary import FILLERS, NUMBERS, unit_of

MOST_ITEMS = 50
"""What a message asks for beyond it stays one item that isn't understood."""
MAX_TOKENS = 40
_SHOWN = 100
_LONGEST_NAME = 12
_SEPARATORS = frozenset({"x", "-", ":", "=", "@"})

_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{2,3})*,\d{3}(?![\d,])")
_NUMBERED = re.compile(r"^\s*(?:\d{1,2}[.)]\s+|[-•*·]\s+)")
_OFFERED_PRICE = re.compile(r"@\s*(?:rs\.?|inr|₹)?\s*\d[\d.,]*(?:/-)?", re.IGNORECASE)
_HARD = re.compile(r"[,;|।]+")
_SOFT = re.compile(r"(?:^|\s+)(?:and|aur|plus|और|तथा|एवं)\s+|\s*[&+]\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a piece: `name` in comparable words; `unit` as written, by its own name."""

    text: str
    name: tuple[str, ...]
    quantity: Decimal | None = None
    unit: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """A reading and the products that its name may mean."""

    reading: Reading
    found: Found = field(default_factory=Found)


def read(text: str, names: Names) -> list[Item]:
    """What `text` asks for, in its order. What can't be understood is an item without products."""
    pieces = [piece for line in text.splitlines() for piece in _pieces(line)]
    items: list[Item] = []
    for at, piece in enumerate(pieces):
        if len(items) >= MOST_ITEMS:
            rest = ", ".join(pieces[at:])
            return [*items, Item(Reading(rest[:_SHOWN], ()))]
        items.extend(_items(piece, names))
    return items


def _pieces(line: str) -> list[str]:
    """A line at its commas; a quantity that stands alone goes with the name beside it."""
    line = _NUMBERED.sub("", _THOUSANDS.sub(lambda found: found.group().replace(",", ""), line))
    pieces: list[str] = []
    for piece in filter(None, (part.strip() for part in _HARD.split(_OFFERED_PRICE.sub("", line)))):
        if (
            pieces
            and (_only_quantity(piece) != _only_quantity(pieces[-1]))
            and not _has_both(pieces[-1], piece)
        ):
            pieces[-1] = f"{pieces[-1]} {piece}"
        else:
            pieces.append(piece)
    return pieces


def _only_quantity(piece: str) -> bool:
    parts = tokens(piece)
    return any(map(is_number, parts)) and all(is_number(part) or unit_of(part) for part in parts)


def _has_both(first: str, second: str) -> bool:
    named = second if _only_quantity(first) else first
    return any(map(is_number, tokens(named)))


def _items(piece: str, names: Names) -> list[Item]:
    if len(tokens(piece)) > MAX_TOKENS:
        return [Item(Reading(piece[:_SHOWN], ()))]
    whole = _understood(piece, names)
    if whole:
        return [whole]
    parts = [part.strip() for part in _SOFT.split(piece) if part.strip()]
    if parts != [piece]:
        return [item for part in parts for item in _items(part, names)]
    run = _run_together(tokens(piece), names)
    if run:
        return run
    readings = list(_readings(piece, tokens(piece)))
    named = any(not is_number(word) for reading in readings for word in reading.name)
    return [Item(max(readings, key=lambda reading: reading.rank))] if named else []


def _understood(piece: str, names: Names) -> Item | None:
    readings = [reading for reading in _readings(piece, tokens(piece)) if reading.name]
    exact = _exact(readings, names)
    if exact:
        return exact
    close = [Item(reading, found) for reading in readings if (found := names.close(reading.name)).products]
    return max(
        close, key=lambda item: (item.found.likeness, len(item.reading.name), item.reading.rank), default=None
    )


def _exact(readings: Sequence[Reading], names: Names) -> Item | None:
    """The longest name wins: `OPC 53` is a name although `OPC` is one too."""
    items = [Item(reading, found) for reading in readings if (found := names.exact(reading.name)).products]
    return max(items, key=lambda item: (len(item.reading.name), item.reading.rank), default=None)


def _run_together(parts: list[str], names: Names) -> list[Item]:
    """`cement 100 steel 20` as two items: the fewest stretches that are each a name with a quantity."""
    best: list[list[Item] | None] = [[], *[None] * len(parts)]
    for end in range(2, len(parts) + 1):
        for start in range(max(0, end - _LONGEST_NAME), end - 1):
            before = best[start]
            if before is None:
                continue
            readings = _readings(" ".join(parts[start:end]), parts[start:end])
            item = _exact([reading for reading in readings if reading.quantity is not None], names)
            known = best[end]
            if item and (known is None or len(before) + 1 < len(known)):
                best[end] = [*before, item]
    return best[-1] or []


def _readings(text: str, parts: list[str]) -> Iterator[Reading]:
    """`parts` with each of its numbers as the quantity, with and without a unit beside it, and with none."""
    yield Reading(text, _name(parts))
    for at in range(len(parts)):
        quantity, end = _quantity(parts, at)
        if quantity is None:
            continue
        start, end, marks = _without_separators(parts, at, end)
        edge = int(start == 0 or end == len(parts))
        if parts[at] not in NUMBERS:
            yield Reading(text, _name(parts[:start] + parts[end:]), quantity, "", 2 + 2 * marks + edge)
        if end < len(parts) and (unit := unit_of(parts[end])):
            rest = parts[:start] + _past_separator(parts[end + 1 :])
            yield Reading(text, _name(rest), quantity, unit, 4 + 2 * marks + edge)
        elif start and (unit := unit_of(parts[start - 1])) and parts[at] not in NUMBERS:
            rest = parts[: start - 1] + parts[end:]
            yield Reading(text, _name(rest), quantity, unit, 1 + 2 * marks + edge)


def _quantity(parts: list[str], at: int) -> tuple[Decimal | None, int]:
    """The number that begins there and where it ends; `2 1/2` is one number."""
    part = parts[at]
    if part in NUMBERS:
        return NUMBERS[part], at + 1
    if not is_number(part) or (at and "/" in part and is_number(parts[at - 1])):
        return None, at
    if "/" not in part and at + 1 < len(parts) and "/" in parts[at + 1] and is_number(parts[at + 1]):
        fraction = _decimal(parts[at + 1])
        return (None if fraction is None else Decimal(part) + fraction), at + 2
    return _decimal(part), at + 1


def _decimal(number: str) -> Decimal | None:
    over, _, under = number.partition("/")
    try:
        return Decimal(over) / Decimal(under or 1)
    except DivisionByZero:
        return None


def _without_separators(parts: list[str], start: int, end: int) -> tuple[int, int, int]:
    """The stretch widened by the separators around it, and whether there was one."""
    before = start
    while start and parts[start - 1] in _SEPARATORS:
        start -= 1
    widened = end + (end < len(parts) and parts[end] in _SEPARATORS)
    return start, widened, int(start < before or widened > end)


def _past_separator(parts: list[str]) -> list[str]:
    return parts[1:] if parts and parts[0] in _SEPARATORS else parts


def _name(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(words([part for part in parts if part not in FILLERS]))
