"""A message for a channel that has neither buttons nor lists: the options as numbered lines."""

from collections.abc import Iterable

from wabot.core.messages import Button, Location, Outbound, Row


def numbered(message: Outbound, prompt: str = "") -> str:
    """`message` as plain text, its options numbered from 1 in the order of `Outbound.options`.

    `prompt` ("Reply with a number.") is the last line before the footer where there are options.
    """
    parts = [message.header, message.text, *_extras(message), *_options(message)]
    if message.options:
        parts.append(prompt)
    parts.append(message.footer)
    return "\n\n".join(part for part in parts if part)


def _options(message: Outbound) -> list[str]:
    if message.choices is None:
        return [_lines(message.buttons, 1)] if message.buttons else []
    blocks, number = [], 1
    for section in message.choices.sections:
        lines = _lines(section.rows, number)
        number += len(section.rows)
        blocks.append(f"{section.title}\n{lines}" if section.title else lines)
    return blocks


def _lines(options: Iterable[Button | Row], first: int) -> str:
    return "\n".join(f"{number}. {_label(option)}" for number, option in enumerate(options, first))


def _label(option: Button | Row) -> str:
    description = option.description if isinstance(option, Row) else ""
    return f"{option.title} – {description}" if description else option.title


def _extras(message: Outbound) -> list[str]:
    extras = []
    if message.media:
        name = message.media.filename
        extras.append(f"{name}: {message.media.url}" if name else message.media.url)
    if message.location:
        extras.append(_place(message.location))
    return extras


def _place(location: Location) -> str:
    words = ", ".join(part for part in (location.name, location.address) if part)
    point = f"{location.latitude:.6f}, {location.longitude:.6f}"
    return f"{words} ({point})" if words else point
