"""One inbound message against one question: the typed answer, or why it is none."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from wabot.core.messages import Inbound, Kind
from wabot.core.money import Money
from wabot.engine import patterns
from wabot.engine.answers import dates, people, quantities
from wabot.engine.answers.choices import Options, choose, yes_or_no
from wabot.engine.document import AnswerType
from wabot.engine.expressions.data import harmless
from wabot.errors import ExpressionError


@dataclass(frozen=True, slots=True)
class Expected:
    """What a question takes. `minimum` and `maximum` are values already: of numbers, amounts, days
    (date, or ISO 8601 text), or the length of a text. `options` are (id, title) as shown."""

    type: AnswerType
    options: Options = ()
    minimum: Any = None
    maximum: Any = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Hearer:
    """For whom an answer is read: the contact's locale, the business's currency and country (ISO
    3166, may be empty), today in the contact's time zone."""

    today: date
    locale: str = "en"
    currency: str = "INR"
    region: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is str, int, Decimal, Money, date or dict, by the question's type.

    A choice is its option's id, a yes/no `"yes"` or `"no"`, a phone number E.164; a place, a file
    and a contact card are dicts.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class Invalid:
    """`reason` is a key of the built-in texts, `values` what it is rendered with."""

    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)


def parse_answer(
    expected: Expected, message: Inbound, hearer: Hearer, intents: Collection[str] = ()
) -> Answer | Invalid:
    """What `message` answers. `intents` are those of the flow that its text matches.

    A number must be all of the text: `1.5k` and `10 or 20` are none. Raises ExpressionError where
    `minimum` or `maximum` is of another kind than the answer.
    """
    value = _READERS[expected.type](expected, message, hearer, intents)
    if value is None or not _in_range(expected, value, hearer):
        return _invalid(expected, hearer)
    is_text = expected.type == "text" and expected.pattern is not None
    if is_text and not patterns.compiled(expected.pattern or "").matches(value):
        return Invalid("wabot.invalid.pattern")
    return Answer(value)


def _said(message: Inbound) -> str:
    if message.kind in (Kind.BUTTON, Kind.LIST):
        return message.title or message.text
    return message.text if message.kind is Kind.TEXT else ""


def _text(_expected: Expected, message: Inbound, _hearer: Hearer, _intents: Collection[str]) -> str | None:
    return harmless(_said(message)).strip() or None


def _integer(_expected: Expected, message: Inbound, hearer: Hearer, _intents: Collection[str]) -> int | None:
    return quantities.integer(_said(message), hearer.locale)


def _number(
    _expected: Expected, message: Inbound, hearer: Hearer, _intents: Collection[str]
) -> Decimal | None:
    return quantities.number(_said(message), hearer.locale)


def _money(expected: Expected, message: Inbound, hearer: Hearer, _intents: Collection[str]) -> Money | None:
    amount = quantities.money(_said(message), hearer.locale, hearer.currency)
    return None if amount is None or (amount.amount < 0 and expected.minimum is None) else amount


def _date(expected: Expected, message: Inbound, hearer: Hearer, _intents: Collection[str]) -> date | None:
    least, most = _bounds(expected, hearer)
    region = next(iter(_regions(message, hearer)), "")
    return dates.day(_said(message), hearer.locale, hearer.today, region=region, minimum=least, maximum=most)


def _phone(_expected: Expected, message: Inbound, hearer: Hearer, _intents: Collection[str]) -> str | None:
    if message.kind is Kind.CONTACT:
        card = people.card(message, _regions(message, hearer))
        return (card or {}).get("phone") or None
    return people.phone(_said(message), _regions(message, hearer))


def _email(_expected: Expected, message: Inbound, _hearer: Hearer, _intents: Collection[str]) -> str | None:
    return people.email(_said(message))


def _choice(expected: Expected, message: Inbound, _hearer: Hearer, intents: Collection[str]) -> str | None:
    return choose(expected.options, _said(message), intents)


def _yesno(expected: Expected, message: Inbound, hearer: Hearer, intents: Collection[str]) -> str | None:
    said = _said(message)
    return choose(expected.options, said, intents) or yes_or_no(said, hearer.locale, intents)


def _location(
    _expected: Expected, message: Inbound, _hearer: Hearer, _intents: Collection[str]
) -> dict[str, Any] | None:
    return people.location(message)


def _contact(
    _expected: Expected, message: Inbound, hearer: Hearer, _intents: Collection[str]
) -> dict[str, Any] | None:
    return people.card(message, _regions(message, hearer)) if message.kind is Kind.CONTACT else None


def _file(
    expected: Expected, message: Inbound, _hearer: Hearer, _intents: Collection[str]
) -> dict[str, Any] | None:
    """A picture that was sent as a document is a picture, too."""
    media = message.media
    if media is None:
        return None
    if media.kind != expected.type and not media.mime_type.startswith(f"{expected.type}/"):
        return None
    return {**media.model_dump(), "kind": expected.type, "caption": message.text}


def _regions(message: Inbound, hearer: Hearer) -> list[str]:
    """Where the contact may be at home, likeliest first."""
    found = (people.region_of(message.sender), hearer.region, people.territory(hearer.locale))
    return list(dict.fromkeys(region for region in found if region))


def _in_range(expected: Expected, value: Any, hearer: Hearer) -> bool:
    least, most = _bounds(expected, hearer)
    size = len(value) if expected.type == "text" else value
    try:
        return (least is None or size >= least) and (most is None or size <= most)
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"min and max don't fit the type {expected.type}: {error}") from error


def _bounds(expected: Expected, hearer: Hearer) -> tuple[Any, Any]:
    return _bound(expected, expected.minimum, hearer), _bound(expected, expected.maximum, hearer)


def _bound(expected: Expected, bound: Any, hearer: Hearer) -> Any:
    """A bound in the type of the answer; None for types without one."""
    convert = _BOUNDS.get(expected.type)
    if bound is None or convert is None:
        return None
    try:
        return convert(bound, hearer)
    except (TypeError, ValueError, InvalidOperation) as error:
        raise ExpressionError(f"{bound!r} is no limit for the type {expected.type}") from error


def _number_bound(bound: Any, _hearer: Hearer) -> Decimal:
    return Decimal(str(bound))


def _money_bound(bound: Any, hearer: Hearer) -> Money:
    return bound if isinstance(bound, Money) else Money.of(str(bound), hearer.currency)


def _date_bound(bound: Any, _hearer: Hearer) -> date:
    if isinstance(bound, datetime):
        return bound.date()
    return bound if isinstance(bound, date) else date.fromisoformat(bound)


def _invalid(expected: Expected, hearer: Hearer) -> Invalid:
    least, most = _bounds(expected, hearer)
    values = {"today": hearer.today, "currency": hearer.currency, "min": least, "max": most}
    known = {name: value for name, value in values.items() if value is not None}
    return Invalid(f"wabot.invalid.{expected.type}", known)


_BOUNDS: dict[str, Callable[[Any, Hearer], Any]] = {
    "text": _number_bound,
    "integer": _number_bound,
    "number": _number_bound,
    "money": _money_bound,
    "date": _date_bound,
}

_READERS: dict[AnswerType, Callable[[Expected, Inbound, Hearer, Collection[str]], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "money": _money,
    "date": _date,
    "phone": _phone,
    "email": _email,
    "choice": _choice,
    "yesno": _yesno,
    "location": _location,
    "contact": _contact,
    "image": _file,
    "document": _file,
    "audio": _file,
    "video": _file,
}
