"""Whether the platforms take a message as it is, for messages that no flow was checked for."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from wabot.core import limits
from wabot.core.messages import Button, Choices, Outbound, Row, Template


def check(message: Outbound) -> None:
    """Raises ValueError with a sentence on the first thing that no platform takes."""
    for problem in _problems(message):
        raise ValueError(problem)


def _problems(message: Outbound) -> Iterator[str]:
    if message == Outbound():
        yield "a message says something: text, media, a location or a template"
    if message.buttons and message.choices:
        yield "a message has buttons or a list, not both"
    if message.options and not message.text:
        yield "buttons and a list need a text"
    rich = bool(message.options)
    yield from _long(message.text, limits.BUTTONS_BODY if rich else limits.META_TEXT, "text")
    yield from _long(message.header, limits.HEADER, "header")
    yield from _long(message.footer, limits.FOOTER, "footer")
    if message.media and urlsplit(message.media.url).scheme not in ("http", "https"):
        yield "media.url begins with https://"
    most = limits.BUTTONS_IN_TEMPLATE if message.template else limits.BUTTONS
    if len(message.buttons) > most:
        yield f"a message has at most {most} buttons"
    yield from _options(message.buttons, limits.BUTTON_TITLE, limits.BUTTON_ID)
    if message.choices:
        yield from _list(message.choices)
    if message.template:
        yield from _template(message.template)


def _list(choices: Choices) -> Iterator[str]:
    if not 1 <= len(choices.rows) <= limits.LIST_ROWS or len(choices.sections) > limits.LIST_SECTIONS:
        yield f"a list has one to {limits.LIST_ROWS} rows"
    yield from _long(choices.button, limits.LIST_BUTTON, "choices.button", least=1)
    for section in choices.sections:
        yield from _long(section.title, limits.SECTION_TITLE, "a section's title")
    yield from _options(choices.rows, limits.ROW_TITLE, limits.ROW_ID)
    for row in choices.rows:
        yield from _long(row.description, limits.ROW_DESCRIPTION, "a row's description")


def _options(options: Sequence[Button | Row], title: int, id: int) -> Iterator[str]:
    for option in options:
        yield from _long(option.title, title, "a title", least=1)
        yield from _long(option.id, id, "an id", least=1)
        yield from _long(option.payload, id, "a payload")
    for name, values in (("title", [o.title for o in options]), ("id", [o.id for o in options])):
        if len(set(values)) < len(values):
            yield f"no two options have one {name}"


def _template(template: Template) -> Iterator[str]:
    yield from _long(template.name, limits.TEMPLATE_NAME, "template.name", least=1)
    for value in template.variables.values():
        yield from _long(value, limits.TWILIO_VARIABLE, "a variable of a template", least=1)


def _long(text: str, most: int, what: str, least: int = 0) -> Iterator[str]:
    if len(text) > most:
        yield f"{what} has at most {most} characters, not {len(text)}"
    if len(text) < least:
        yield f"{what} is empty"
