"""Files of an author as values: a flow with the places of its parts, and texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from wabot.engine.document import FlowDocument, TemplatePart
from wabot.engine.names import Tree
from wabot.engine.problems import Path, Place, Problem
from wabot.engine.shape import described, shape_problems
from wabot.engine.yaml import Positions, read_yaml
from wabot.errors import FlowInvalid

__all__ = ["Entry", "Positions", "Source", "load_flow", "load_texts", "read_yaml"]


_OPTIONS = ("buttons", "rows", "choices")


@dataclass(frozen=True)
class Source:
    """A flow that is well formed: its file, the raw data, the document and where everything is.

    `document.flow` is never empty: the name of the file stands in where the author gave none.
    """

    file: str
    data: Any
    document: FlowDocument
    positions: Positions
    tree: Tree = field(repr=False, compare=False)

    @property
    def flow(self) -> str:
        return self.document.flow

    @property
    def version(self) -> int:
        return self.document.version

    def place(self, path: Path = (), *, key: bool = False) -> Place:
        """The place of a part of the document, also where its author used a short form for it."""
        return self.positions.place(written(path, self.data), key=key)


def written(path: Path, data: Any) -> Path:
    """The path in the raw data of what is at `path` in the document.

    They differ in short forms: one entry for a list of one, text for a mapping of text, options as
    a mapping, the data model and the variables of a template as a list.
    """
    found: list[str | int] = []
    for element in path:
        if isinstance(data, dict) and isinstance(element, int) and (not found or found[-1] not in _OPTIONS):
            continue
        key = _raw_key(element, data)
        if key is None:
            break
        data = data[key]
        found.append(key)
    return tuple(found)


def _raw_key(element: str | int, data: Any) -> Any:
    if isinstance(data, dict):
        keys = list(data)
        if isinstance(element, int):
            return keys[element] if element < len(keys) else None
        return element if element in data else None
    if isinstance(data, list):
        if isinstance(element, int):
            return element if element < len(data) else None
        ids = [item.get("id") if isinstance(item, dict) else None for item in data]
        if element in ids:
            return ids.index(element)
        return int(element) - 1 if element.isdecimal() and 0 < int(element) <= len(data) else None
    return None


def load_flow(text: str, file: str) -> Source:
    """The flow in this YAML text. `file` is what messages call it.

    Raises FlowSyntaxError where it is not YAML, FlowInvalid with every finding where it is not a
    flow. What the parts mean together is for `wabot.engine.check`.
    """
    data, positions = read_yaml(text, file)
    if not isinstance(data, dict):
        hint = "begin with flow: <name> and states:"
        raise FlowInvalid(
            problems=[
                Problem(positions.place(), "bad-value", f"a flow is a mapping, not {described(data)}", hint)
            ]
        )
    try:
        document = FlowDocument.model_validate(data)
    except ValidationError as error:
        raise FlowInvalid(problems=shape_problems(error, FlowDocument, data, positions.place)) from None
    name = document.flow or document.name or PurePath(file).name.split(".")[0] or "flow"
    document = document.model_copy(update={"flow": name})
    return Source(file, data, document, positions, Tree.of(document))


@dataclass(frozen=True, slots=True)
class Entry:
    """One text: a string, or a plural as `{"count": expression, "one": …, "other": …}`.

    `template` is what it leaves as outside of the 24-hour window.
    """

    value: str | Mapping[str, str]
    place: Place
    template: TemplatePart | None = None


def has_template(value: Any) -> bool:
    """Whether this is a text or a plural beside the template that it leaves as: `{text, template}`."""
    beside = isinstance(value, Mapping) and isinstance(value.get("template"), Mapping)
    return beside and ("text" in value or "count" in value)


def load_texts(text: str, file: str) -> dict[str, Entry]:
    """The texts in this YAML text by their dotted keys.

    Raises FlowSyntaxError, or FlowInvalid where something is neither text, nor a plural, nor a
    mapping of such.
    """
    data, positions = read_yaml(text, file)
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    if not isinstance(data, dict | None):
        problems.append(
            Problem(positions.place(), "bad-value", f"a file of texts is a mapping, not {described(data)}")
        )
    elif data:
        _flatten(data, (), positions, entries, problems)
    if problems:
        raise FlowInvalid(problems=problems)
    return entries


def _flatten(
    data: dict[str, Any], path: Path, positions: Positions, entries: dict[str, Entry], problems: list[Problem]
) -> None:
    for name, given in data.items():
        here = (*path, name)
        key, place = ".".join(map(str, here)), positions.place(here)
        value, template = given, None
        if has_template(given):
            template = _template(given["template"], here, positions, problems)
            value = _without_template(given, here, positions, problems)
        if isinstance(value, dict) and "count" not in value:
            _flatten(value, here, positions, entries, problems)
            continue
        if key in entries:
            problems.append(
                Problem(place, "bad-value", f'the text "{key}" is here a second time', "keep one")
            )
        parts = value if isinstance(value, dict) else {"": value}
        wrong = [part for part in parts.values() if isinstance(part, bool | list | dict | None)]
        if wrong:
            hint = "put it in quotes" if isinstance(wrong[0], bool) else ""
            problems.append(
                Problem(place, "bad-value", f'"{key}" must be text, not {described(wrong[0])}', hint)
            )
            continue
        texts = {form: str(part) for form, part in parts.items()}
        entries[key] = Entry(texts if isinstance(value, dict) else texts[""], place, template)


def _template(data: Any, path: Path, positions: Positions, problems: list[Problem]) -> TemplatePart | None:
    def locate(inner: Path = (), /, *, key: bool = False) -> Place:
        return positions.place((*path, "template", *inner), key=key)

    try:
        return TemplatePart.model_validate(data)
    except ValidationError as error:
        problems += shape_problems(error, TemplatePart, data, locate)
        return None


def _without_template(
    value: dict[str, Any], path: Path, positions: Positions, problems: list[Problem]
) -> Any:
    """The text, or the plural, beside a template."""
    rest = {name: part for name, part in value.items() if name != "template"}
    if "count" in rest:
        return rest
    for name in rest:
        if name != "text":
            place, hint = positions.place((*path, name), key=True), "known here: template, text"
            problems.append(Problem(place, "unknown-key", f'unknown key "{name}"', hint))
    return rest["text"]
