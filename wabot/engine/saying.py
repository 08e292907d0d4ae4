"""What a flow says: an author's message, compiled, and the channel-neutral one made from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import ValidationError

from wabot.core import limits
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template
from wabot.engine import document as doc
from wabot.engine.formula import Compiler
from wabot.engine.payload import encode
from wabot.engine.problems import Path
from wabot.errors import ExpressionError

if TYPE_CHECKING:
    from wabot.engine.chart import Spot
    from wabot.engine.play import Play

Scope = Mapping[str, Any]
Write = Callable[[Scope], str]
OptionKind = Literal["button", "list", ""]


class Item(NamedTuple):
    """An option as the contact will see it."""

    id: str
    title: str
    description: str = ""


Items = Callable[[Scope], list[Item]]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of a list under one title."""

    title: Write
    items: Items


@dataclass(frozen=True, slots=True)
class Message:
    """A message of an author. `where` is its place in the file, for errors."""

    where: str
    text: Write
    header: Write
    footer: Write
    buttons: Items | None
    button: Write
    groups: tuple[Group, ...] | None
    extras: "Callable[[Play], dict[str, Any]] | None"
    spot: "Spot"
    approved: Callable[[Scope], Template | None] | None = None

    @property
    def has_options(self) -> bool:
        return self.buttons is not None or self.groups is not None

    def render(self, play: "Play", number: int) -> tuple[Outbound, OptionKind, list[tuple[str, str]]]:
        """The message, the kind of its options, and their ids and titles in the order shown.

        `number` goes into what each option carries. Raises ExpressionError, UnknownName for a text
        that isn't there, TurnError for an option's id that is too long.
        """
        play.here = self.spot
        scope = play.scope
        kind: OptionKind = ""
        options: list[tuple[str, str]] = []
        parts: dict[str, Any] = {"text": self.text(scope)}
        if self.header is not _nothing:
            parts["header"] = self.header(scope)
        if self.footer is not _nothing:
            parts["footer"] = self.footer(scope)
        if self.groups is not None:
            sections = self._sections(self.groups, play, number, options)
            if options:
                kind = "list"
                parts["choices"] = Choices(button=self.button(scope), sections=sections)
        elif self.buttons is not None:
            items = self.buttons(scope)
            options += [(item.id, item.title) for item in items]
            kind = "button" if items else ""
            parts["buttons"] = tuple(
                Button(id=item.id, title=item.title, payload=self._payload(play, number, item))
                for item in items
            )
        if self.approved is not None:
            parts["template"] = self.approved(scope)
        if self.extras is not None:
            parts |= self.extras(play)
        return Outbound(**parts), kind, options

    def _sections(
        self, groups: tuple[Group, ...], play: "Play", number: int, options: list[tuple[str, str]]
    ) -> tuple[Section, ...]:
        sections = []
        for group in groups:
            items = group.items(play.scope)
            options += [(item.id, item.title) for item in items]
            rows = tuple(
                Row(
                    id=item.id,
                    title=item.title,
                    description=item.description,
                    payload=self._payload(play, number, item),
                )
                for item in items
            )
            if rows:
                sections.append(Section(title=group.title(play.scope), rows=rows))
        return tuple(sections)

    def _payload(self, play: "Play", number: int, item: Item) -> str:
        return encode(play.frame.flow, play.frame.version, number, item.id)


def _nothing(_scope: Scope) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class _Writer:
    compiler: Compiler
    path: Path

    def text(self, source: str, *path: str | int) -> Write:
        """A text of the flow: a key, or literal text."""
        if not source:
            return _nothing
        line = self.compiler.texts.line(source, self.compiler.locate((*self.path, *path)))
        if line.template is not None and line.template.constant:
            return _constantly(line.template.render({}))
        return lambda scope: line.render(scope, scope["_locale"])

    def approved(self, rich: doc.Rich) -> Callable[[Scope], Template | None] | None:
        """The template that the message's text names, where the message has none of its own."""
        if rich.template is not None or not self.compiler.texts.names_template(rich.text):
            return None
        line = self.compiler.texts.line(rich.text)
        return lambda scope: line.fill(scope, scope["_locale"])

    def plain(self, source: str, *path: str | int) -> Write:
        """A template that is never a key: an id, a URL."""
        template = self.compiler.sandbox.template(source, self.compiler.locate((*self.path, *path)))
        return _constantly(template.render({})) if template.constant else template.render

    def items(self, options: "doc.Options", *path: str | int) -> Items:
        if isinstance(options, doc.EachOption):
            return self._each(options, *path)
        lines = [self._option(option, *path, index) for index, option in enumerate(options)]
        return lambda scope: [
            Item(id(scope), title(scope), description(scope)) for id, title, description in lines
        ]

    def _option(self, option: "doc.Option | doc.EachOption", *path: str | int) -> tuple[Write, Write, Write]:
        return (
            self.plain(option.id, *path, "id"),
            self.text(option.title, *path, "title"),
            self.text(option.description, *path, "description"),
        )

    def _each(self, options: doc.EachOption, *path: str | int) -> Items:
        where = self.compiler.locate((*self.path, *path))
        each = self.compiler.sandbox.expression(options.each, where)
        id, title, description = self._option(options, *path)

        def items(scope: Scope) -> list[Item]:
            data = each.evaluate(scope)
            if not isinstance(data, list | tuple):
                raise ExpressionError(f'{where}: "{options.each}" is not a list')
            inner = dict(scope)
            shown = []
            for entry in data:
                inner[options.as_] = entry
                shown.append(Item(id(inner), title(inner), description(inner)))
            return shown

        return items


def _constantly(text: str) -> Write:
    return lambda _scope: text


def compile_text(source: str, compiler: Compiler, path: Path) -> Write:
    """A text of a flow: a key, or literal text. Raises ExpressionError where it is no template."""
    return _Writer(compiler, path).text(source)


def compile_message(rich: doc.Rich, compiler: Compiler, spot: "Spot", path: Path) -> Message:
    """Raises ExpressionError for a text that is no template."""
    writer = _Writer(compiler, path)
    buttons = writer.items(rich.buttons, "buttons") if rich.buttons is not None else None
    groups = _groups(writer, rich.list_) if rich.list_ is not None else None
    button = writer.text(rich.list_.button if rich.list_ else "wabot.list_button", "list", "button")
    if isinstance(rich, doc.Ask) and rich.choices is not None and not (buttons or groups):
        if _fits_buttons(rich.choices):
            buttons = writer.items(rich.choices, "choices")
        else:
            groups = (Group(_nothing, writer.items(rich.choices, "choices")),)
    if isinstance(rich, doc.Ask) and rich.answer_type == "yesno" and not (buttons or groups):
        shown = [doc.Option(id="yes", title="wabot.yes"), doc.Option(id="no", title="wabot.no")]
        buttons = writer.items(shown)
    return Message(
        where=str(compiler.locate(path)),
        text=writer.text(rich.text, "text"),
        header=writer.text(rich.header, "header"),
        footer=writer.text(rich.footer, "footer"),
        buttons=buttons,
        button=button,
        groups=groups,
        extras=_extras(rich, compiler, spot, path),
        spot=spot,
        approved=writer.approved(rich),
    )


def _fits_buttons(options: "doc.Options") -> bool:
    return (
        not isinstance(options, doc.EachOption)
        and len(options) <= limits.BUTTONS
        and not any(option.description for option in options)
    )


def _groups(writer: _Writer, picker: doc.ListPicker) -> tuple[Group, ...]:
    if picker.rows is not None:
        return (Group(_nothing, writer.items(picker.rows, "list", "rows")),)
    return tuple(
        Group(
            writer.text(section.title, "list", "sections", index, "title"),
            writer.items(section.rows, "list", "sections", index, "rows"),
        )
        for index, section in enumerate(picker.sections or [])
    )


def _extras(
    rich: doc.Rich, compiler: Compiler, spot: "Spot", path: Path
) -> "Callable[[Play], dict[str, Any]] | None":
    """Media, location and template of a message, which few have."""
    writer = _Writer(compiler, path)
    makers: dict[str, Callable[[Play], Any]] = {}
    if rich.media is not None:
        makers["media"] = _media(writer, rich.media)
    if rich.location is not None:
        makers["location"] = _location(writer, rich.location, spot)
    if rich.template is not None:
        makers["template"] = _template(writer, rich.template)
    if not makers:
        return None
    where = compiler.locate(path)

    def extras(play: "Play") -> dict[str, Any]:
        try:
            return {name: make(play) for name, make in makers.items()}
        except ValidationError as error:
            first = error.errors()[0]
            raise ExpressionError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    return extras


def _media(writer: _Writer, part: doc.MediaPart) -> "Callable[[Play], Media]":
    url = writer.plain(part.url, "media", "url")
    filename = writer.plain(part.filename, "media", "filename")
    return lambda play: Media(kind=part.kind, url=url(play.scope), filename=filename(play.scope))


def _location(writer: _Writer, part: doc.LocationPart, spot: "Spot") -> "Callable[[Play], Location]":
    compiler, here = writer.compiler, (*writer.path, "location")
    latitude = compiler.value(part.latitude, spot, (*here, "latitude"))
    longitude = compiler.value(part.longitude, spot, (*here, "longitude"))
    name, address = (
        writer.text(part.name, "location", "name"),
        writer.text(part.address, "location", "address"),
    )
    return lambda play: Location(
        latitude=latitude(play), longitude=longitude(play), name=name(play.scope), address=address(play.scope)
    )


def _template(writer: _Writer, part: doc.TemplatePart) -> "Callable[[Play], Template]":
    variables = {
        name: writer.text(source, "template", "variables", name) for name, source in part.variables.items()
    }
    return lambda play: Template(
        name=part.name,
        language=part.language or play.run.locale,
        variables={name: write(play.scope) for name, write in variables.items()},
    )
