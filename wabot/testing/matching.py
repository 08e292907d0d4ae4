"""What a test expects beside what it got: one difference, or none."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import BaseModel

from wabot.core.messages import Button, Outbound, Row
from wabot.core.money import Money
from wabot.testing.files import Bubble


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    """How `actual` falls short of `expected`: one line each, none where it fits.

    Of a mapping the keys that `expected` names are compared; of a list every item and the length.
    """
    if isinstance(actual, BaseModel):
        actual = {name: getattr(actual, name) for name in type(actual).model_fields}
    if isinstance(expected, Mapping):
        return _mapping(expected, actual, where)
    if isinstance(expected, list):
        return _items(expected, actual, where)
    if same(expected, actual):
        return []
    return [f"{where or 'value'}: expected {shown(expected)}, got {shown(actual)}"]


def _mapping(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, Mapping):
        return [f"{where or 'value'}: expected {shown(expected)}, got {shown(actual)}"]
    found: list[str] = []
    for key, value in expected.items():
        name = f"{where}.{key}" if where else str(key)
        if key in actual:
            found += differences(value, actual[key], name)
        else:
            known = ", ".join(map(str, actual)) or "nothing"
            found.append(f"{name}: expected {shown(value)}, there is none (there is {known})")
    return found


def _items(expected: Sequence[Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, list | tuple):
        return [f"{where or 'value'}: expected {shown(expected)}, got {shown(actual)}"]
    if len(expected) != len(actual):
        return [
            f"{where or 'value'}: expected {len(expected)} items, got {len(actual)}: {shown(list(actual))}"
        ]
    found: list[str] = []
    for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
        found += differences(one, other, f"{where}[{index}]")
    return found


def same(expected: Any, actual: Any) -> bool:
    """Whether a value from YAML means this value: `118.00 INR` is money, `2026-11-22` a date."""
    if isinstance(actual, Money):
        return str(expected) == str(actual) or _number(expected) == actual.amount
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, Decimal | int | float):
        return _number(expected) == _number(actual)
    if isinstance(actual, date | datetime):
        return str(expected) in (str(actual), actual.isoformat())
    return bool(expected == actual)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def shown(value: Any) -> str:
    """`value` as a failure shows it: texts in quotes, money and dates readable."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"'
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if _word(value) else str(value)


def _word(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def mismatches(expected: Bubble, message: Outbound) -> list[str]:
    """How one message of the bot falls short of what a test expects of it."""
    found: list[str] = []
    if expected.text is not None and expected.text.strip() != message.text.strip():
        found.append(_text(expected.text.strip(), message.text.strip()))
    found += [f"text: {shown(part)} is not in it" for part in expected.contains if part not in message.text]
    found += [f"text: {shown(part)} is in it" for part in expected.lacks if part in message.text]
    if expected.matches is not None and not re.search(expected.matches, message.text, re.MULTILINE):
        found.append(f"text: /{expected.matches}/ is not found in it")
    for name in ("header", "footer"):
        wanted = getattr(expected, name)
        if wanted is not None:
            found += differences(wanted, getattr(message, name), name)
    found += _options("buttons", expected.buttons, message.buttons)
    found += _options("list", expected.list_, message.choices.rows if message.choices else ())
    found += _options("options", expected.options, message.options)
    for name in ("media", "location", "template"):
        found += _part(name, getattr(expected, name), getattr(message, name))
    return found


def _text(expected: str, actual: str) -> str:
    lines = [f"- {line}" for line in expected.splitlines() or [""]]
    lines += [f"+ {line}" for line in actual.splitlines() or [""]]
    return "\n".join(["text:", *lines])


def _options(
    name: str, expected: list[str] | dict[str, str] | None, options: Sequence[Button | Row]
) -> list[str]:
    if expected is None:
        return []
    actual: Any = [option.title for option in options]
    if isinstance(expected, dict):
        actual = {option.id: option.title for option in options}
        if list(expected.items()) == list(actual.items()):
            return []
    elif expected == actual:
        return []
    return [f"{name}: expected {shown(expected)}, got {shown(actual)}"]


def _part(name: str, expected: Any, actual: BaseModel | None) -> list[str]:
    if expected is None:
        return []
    if isinstance(expected, str):
        expected = {"name" if name == "template" else "url": expected}
    if actual is None:
        return [f"{name}: there is none"]
    return differences(expected, actual, name)


def described(message: Outbound) -> str:
    """A message as a failure shows it: its text, then what hangs on it."""
    parts = [message.header, message.text, message.footer]
    lines = [part for part in parts if part]
    if message.options:
        lines.append(" ".join(f"[{option.title}]" for option in message.options))
    if message.media:
        lines.append(f"({message.media.kind} {message.media.url})")
    if message.location:
        lines.append(f"(location {message.location.latitude}, {message.location.longitude})")
    if message.template:
        lines.append(f"(template {message.template.name})")
    return "\n".join(lines)


def as_expected(message: Outbound) -> Any:
    """A message as `--update` writes it: a text where that says all, else a mapping."""
    made: dict[str, Any] = {"text": message.text} if message.text else {}
    made |= {name: getattr(message, name) for name in ("header", "footer") if getattr(message, name)}
    if message.buttons:
        made["buttons"] = [button.title for button in message.buttons]
    if message.choices:
        made["list"] = [row.title for row in message.choices.rows]
    for name in ("media", "location", "template"):
        if (part := getattr(message, name)) is not None:
            made[name] = part.model_dump(mode="json", exclude_defaults=True)
    return made["text"] if list(made) == ["text"] else made or {"any": True}
