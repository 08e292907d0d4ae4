"""Rules on messages: the platforms' limits, at the longest rendering that can be known."""

import itertools
import re
from collections.abc import Iterator, Mapping

from jinja2 import nodes

from wabot.core import limits
from wabot.engine import patterns
from wabot.engine.check.codes import CODES
from wabot.engine.check.flow import Flow, Message
from wabot.engine.check.uses import Use, message_uses
from wabot.engine.document import Ask, EachOption, ListPicker, LocationPart, Option, Options, Rich
from wabot.engine.expressions import Template
from wabot.engine.expressions.source import is_template
from wabot.engine.payload import encode
from wabot.engine.problems import Path, Problem
from wabot.engine.texts import Texts
from wabot.errors import ExpressionError, TurnError

_NUMBERED = re.compile(r"[1-9][0-9]*")


def lengths(flow: Flow) -> Iterator[Problem]:
    """Texts that are too long, per locale."""
    compiled = {use.path: use for use in flow.uses}
    for message in flow.messages:
        for use in message_uses(message):
            found = _longest_of(flow, compiled.get(use.path, use)) if use.kind == "text" else None
            limit = _limit(message, use.path[len(message.path) :])
            if found is None or limit is None or found[0] <= limit[0]:
                continue
            length, locale = found
            where = f" in {locale}" if locale else ""
            text = f"{length:,} characters{where}, {limit[1]} takes {limit[0]:,}"
            yield flow.problem("too-long", use.path, text, "shorten it")


def _longest_of(flow: Flow, use: Use) -> tuple[int, str] | None:
    """The length that can be known, and the locale it is reached in; that one is empty for literal text."""
    if not use.is_key:
        return (use.compiled.known_length, "") if isinstance(use.compiled, Template) else None
    locales = [*flow.locales, *(locale for locale in flow.texts.locales if locale not in flow.locales)]
    known = [
        (text.known_length, locale) for locale in locales if (text := flow.texts.own(use.source, locale))
    ]
    return max(known, key=lambda pair: pair[0], default=None)


def _limit(message: Message, path: Path) -> tuple[int, str] | None:
    rich = message.rich
    match path:
        case ("text",):
            return _body(rich)
        case ("header",):
            return limits.HEADER, "a header"
        case ("footer",):
            return limits.FOOTER, "a footer"
        case ("retry",):
            return limits.TWILIO_BODY, "a message"
        case ("list", "button"):
            return limits.LIST_BUTTON, "the button of a list"
        case ("list", "sections", int(), "title"):
            return limits.SECTION_TITLE, "the title of a section"
        case (("buttons" | "list" | "choices"), *_, ("title" | "description") as field):
            return _option_limit(rich, path, field)
    return None


def _option_limit(rich: Rich, path: Path, field: str | int) -> tuple[int, str] | None:
    if not _are_rows(rich, path):
        return (limits.BUTTON_TITLE, "a button") if field == "title" else None
    if field == "title":
        return limits.ROW_TITLE, "the title of a row"
    return limits.ROW_DESCRIPTION, "the description of a row"


def _are_rows(rich: Rich, path: Path) -> bool:
    choices = rich.choices if isinstance(rich, Ask) else None
    return path[0] == "list" or (path[0] == "choices" and not _fit_buttons(choices))


def _fit_buttons(options: Options | None) -> bool:
    """Whether choices are shown as buttons; as a list otherwise."""
    if options is None or isinstance(options, EachOption):
        return False
    return len(options) <= limits.BUTTONS and not any(option.description for option in options)


def _body(rich: Rich) -> tuple[int, str]:
    if rich.template is not None:
        return limits.TEMPLATE_BODY, "an approved template"
    if rich.list_ is not None:
        return limits.LIST_BODY, "a message with a list"
    offers = isinstance(rich, Ask) and (rich.choices is not None or rich.type == "yesno")
    if rich.buttons is not None or offers:
        return limits.BUTTONS_BODY, "a message with buttons"
    return limits.TWILIO_BODY, "a message"


def options(flow: Flow) -> Iterator[Problem]:
    """How many options there are, and that each can be told from the others."""
    for message in flow.messages:
        rich, path = message.rich, message.path
        most = limits.BUTTONS_IN_TEMPLATE if rich.template else limits.BUTTONS
        if isinstance(rich.buttons, list):
            yield from _count(flow, (*path, "buttons"), len(rich.buttons), most, "buttons")
            yield from _distinct(flow, [((*path, "buttons"), rich.buttons)])
        if isinstance(rich, Ask) and isinstance(rich.choices, list):
            yield from _count(flow, (*path, "choices"), len(rich.choices), limits.LIST_ROWS, "choices")
            yield from _distinct(flow, [((*path, "choices"), rich.choices)])
        if rich.list_ is not None:
            yield from _list(flow, (*path, "list"), rich.list_)


def _list(flow: Flow, path: Path, picker: ListPicker) -> Iterator[Problem]:
    if (picker.rows is None) == (picker.sections is None):
        yield flow.problem("bad-message", path, "a list has either rows or sections", key=True)
        return
    groups = [((*path, "rows"), picker.rows)] if picker.rows is not None else []
    sections = picker.sections or []
    groups += [((*path, "sections", index, "rows"), section.rows) for index, section in enumerate(sections)]
    known = [(place, rows) for place, rows in groups if isinstance(rows, list)]
    rows_ = sum(len(rows) for _, rows in known)
    if len(known) == len(groups) and rows_ == 0:
        yield flow.problem("bad-message", path, "a list has at least one row", "add one", key=True)
    yield from _count(flow, path, rows_, limits.LIST_ROWS, "rows")
    yield from _count(flow, (*path, "sections"), len(sections), limits.LIST_SECTIONS, "sections")
    if len(sections) > 1:
        for index, section in enumerate(sections):
            if not section.title:
                message = "with several sections each has a title"
                yield flow.problem("bad-message", (*path, "sections", index), message, "add title: …")
    yield from _distinct(flow, known)


def _count(flow: Flow, path: Path, count: int, most: int, what: str) -> Iterator[Problem]:
    if count > most:
        hint = "use a list" if what == "buttons" and most == limits.BUTTONS else "ask in two steps"
        message = f"{count} {what}, a message takes {most}"
        yield flow.problem("too-many", path, message, hint, key=True)


def _distinct(flow: Flow, groups: list[tuple[Path, list[Option]]]) -> Iterator[Problem]:
    ids: set[str] = set()
    titles: set[str] = set()
    for path, group in groups:
        for index, option in enumerate(group):
            here = (*path, index)
            for field, value, seen in (("id", option.id, ids), ("title", option.title, titles)):
                folded = value.strip().casefold() if field == "title" else value
                if folded in seen and not is_template(value):
                    message = f'two options have the {field} "{value}"'
                    yield flow.problem("duplicate-option", (*here, field), message, "rename one of them")
                seen.add(folded)
            yield from _id(flow, option.id, (*here, "id"))


def _id(flow: Flow, id: str, path: Path) -> Iterator[Problem]:
    if not id.strip():
        yield flow.problem("bad-message", path, "an option has an empty id", "give it a word")
    elif not is_template(id):
        try:
            encode(flow.document.flow, flow.document.version, 10**9, id)
        except TurnError:
            room = limits.PAYLOAD - len(encode(flow.document.flow, flow.document.version, 10**9, ""))
            message = f"{len(id)} characters, the id of an option here takes {room}"
            yield flow.problem("too-long", path, message, "shorten it")


def messages(flow: Flow) -> Iterator[Problem]:
    """Parts that don't go together."""
    for message in flow.messages:
        rich, path = message.rich, message.path
        choices = rich.choices if isinstance(rich, Ask) else None
        given = [
            name
            for name, part in (("buttons", rich.buttons), ("list", rich.list_), ("choices", choices))
            if part is not None
        ]
        if len(given) > 1:
            text = f"a message has either {' or '.join(given)}"
            yield flow.problem("bad-message", path, text, "keep one of them", key=True)
        parts = (rich.media, rich.location, rich.template)
        if given and not rich.text:
            text = f"a message with {given[0]} needs a text"
            yield flow.problem("bad-message", path, text, "add text: …", key=True)
        elif not rich.text and not any(parts):
            yield flow.problem("bad-message", path, "the message says nothing", "add text: …", key=True)
        if rich.list_ is not None and rich.media is not None:
            text = "a message with a list takes no media"
            yield flow.problem("bad-message", (*path, "media"), text, "send the media first", key=True)
        if rich.header and rich.media is not None:
            text = "media takes the place of the header"
            yield flow.problem("bad-message", (*path, "header"), text, "leave one of them out", key=True)
        if rich.location is not None:
            yield from _degrees(flow, rich.location, (*path, "location"))


def _degrees(flow: Flow, point: LocationPart, path: Path) -> Iterator[Problem]:
    for field, most in (("latitude", 90), ("longitude", 180)):
        value = getattr(point, field)
        if isinstance(value, str) and is_template(value):
            continue
        try:
            fits = abs(float(value)) <= most
        except ValueError:
            fits = False
        if not fits:
            text = f"{value!r} is no {field}" if isinstance(value, str) else f"{value:g} is no {field}"
            hint = f"a number from -{most} to {most}, or a template such as {{{{ shop.{field} }}}}"
            yield flow.problem("bad-message", (*path, field), text, hint)


_SENT = ("location", "contact", "image", "document", "audio", "video")


def questions(flow: Flow) -> Iterator[Problem]:
    """What an `ask` of its type can't have, and what it needs."""
    for node, ask in flow.asks.items():
        path = (*node.document_path, "ask")
        offers = ask.buttons is not None or ask.list_ is not None or ask.choices is not None
        if ask.type == "choice" and not offers:
            text = "a choice needs its choices"
            yield flow.problem("bad-ask", path, text, "add buttons, list or choices", key=True)
        elif offers and ask.type in _SENT:
            text = f"an answer of type {ask.type} is sent, not chosen from options"
            yield flow.problem("bad-ask", (*path, "type"), text, "leave type or the options out")
        yield from _bounds(flow, ask, path)


_BOUNDED = ("text", "integer", "number", "money", "date")


def _bounds(flow: Flow, ask: Ask, path: Path) -> Iterator[Problem]:
    for field in ("min", "max"):
        if getattr(ask, field) is not None and ask.answer_type not in _BOUNDED:
            text = f"an answer of type {ask.answer_type} has no {field}"
            yield flow.problem("bad-ask", (*path, field), text, "leave it out", key=True)
    low, high = ask.min, ask.max
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield flow.problem("bad-ask", (*path, "min"), f"min {low:g} is more than max {high:g}", key=True)
    if ask.pattern is None:
        return
    if ask.answer_type != "text":
        text = f"an answer of type {ask.answer_type} has no pattern"
        yield flow.problem("bad-ask", (*path, "pattern"), text, "leave it out", key=True)
        return
    try:
        patterns.Pattern(ask.pattern)
    except ExpressionError as error:
        yield flow.problem("bad-ask", (*path, "pattern"), error.message, error.hint or "")


def templates(flow: Flow) -> Iterator[Problem]:
    """Approved templates: a name, and variables numbered from 1 on, or named."""
    compiled = {use.path: use for use in flow.uses}
    for message in flow.messages:
        part = message.rich.template
        if part is None:
            continue
        path = (*message.path, "template")
        for inner, text, hint in wrong_template(part.name, part.variables):
            yield flow.problem("bad-template", (*path, *inner), text, hint, key=inner[-1:] == ("variables",))
        uses = (compiled.get((*path, "variables", name)) for name in part.variables)
        length = sum(found[0] for use in uses if use is not None and (found := _longest_of(flow, use)))
        if length > limits.TEMPLATE_BODY:
            text = f"{length:,} characters, an approved template takes {limits.TEMPLATE_BODY:,} with all else"
            yield flow.problem("too-long", (*path, "variables"), text, "shorten it", key=True)
        if (use := compiled.get((*message.path, "text"))) and any(map(_crowded, _trees(flow, use))):
            text = "a variable of a template stands neither first nor last nor next to another"
            yield flow.problem("bad-template", use.path, text, "put words around it")


def text_templates(texts: Texts) -> Iterator[Problem]:
    """The templates that texts name, in all texts, whoever uses them."""
    for locale in texts.locales:
        for key in sorted(texts.keys(locale)):
            text = texts.own(key, locale)
            if text is None or text.approved is None:
                continue
            variables = text.approved.variables
            sources = {name: variable.source for name, variable in variables.items()}
            for _, message, hint in wrong_template(text.approved.name, sources):
                said = f'the template of "{key}": {message}'
                yield Problem(text.place, "bad-template", said, hint, CODES["bad-template"].severity)
            length = sum(variable.known_length for variable in variables.values())
            if length > limits.TEMPLATE_BODY:
                said = (
                    f'the template of "{key}": its variables have {length:,} characters, '
                    f"an approved template takes {limits.TEMPLATE_BODY:,} with all else"
                )
                yield Problem(text.place, "too-long", said, "shorten them", CODES["too-long"].severity)


def wrong_template(name: str, variables: Mapping[str, str]) -> Iterator[tuple[Path, str, str]]:
    """What no provider takes as a template, whatever its body is: the place within, message, hint."""
    if not name or len(name) > limits.TEMPLATE_NAME:
        yield ("name",), f"the name of a template has 1 to {limits.TEMPLATE_NAME} characters", ""
    numbers = sorted(int(each) for each in variables if _NUMBERED.fullmatch(each))
    if numbers and numbers != list(range(1, len(variables) + 1)):
        yield ("variables",), "the variables of a template are numbered from 1 without a gap", ""
    for each, value in variables.items():
        if not value.strip():
            yield ("variables", each), f'the variable "{each}" is empty', "give it a value"


def _trees(flow: Flow, use: Use) -> Iterator[Template]:
    if isinstance(use.compiled, Template):
        yield use.compiled
    elif use.is_key:
        for locale in flow.texts.locales:
            if text := flow.texts.own(use.source, locale):
                yield from text.forms.values()


def _crowded(template: Template) -> bool:
    """Whether a value begins or ends the text, or touches another."""
    parts = [part for output in template.tree.find_all(nodes.Output) for part in output.nodes]
    is_value = [not isinstance(part, nodes.TemplateData) for part in parts if _shows(part)]
    if not any(is_value):
        return False
    return is_value[0] or is_value[-1] or any(a and b for a, b in itertools.pairwise(is_value))


def _shows(part: nodes.Node) -> bool:
    return not isinstance(part, nodes.TemplateData) or bool(part.data.strip())
