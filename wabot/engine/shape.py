"""What pydantic finds in a document, told with the author's own words and places."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Protocol, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from wabot.engine.document import ACTION_KEYS, CommandAction, Node, Option
from wabot.engine.problems import Path, Place, Problem, did_you_mean


class Locate(Protocol):
    """Where something is: `Positions.place`, or one that knows a part of a file only."""

    def __call__(self, path: Path = (), /, *, key: bool = False) -> Place: ...


_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}


def shape_problems(
    error: ValidationError, model: type[BaseModel], data: Any, locate: Locate
) -> list[Problem]:
    """All findings of a failed validation of `data`, in the order of the file."""
    found: dict[tuple[Place, str], Problem] = {}
    for detail in error.errors(include_url=False):
        problem = shape_problem(detail, Walk(model, data).follow(detail["loc"]), locate)
        found.setdefault((problem.place, problem.message), problem)
    return sorted(found.values(), key=lambda problem: problem.place)


class Walk:
    """Follows an error's location through the models and the raw data side by side.

    The two differ where an author used a short form (`say: text` for `say: {text: text}`), and
    where pydantic names a member of a union.
    """

    def __init__(self, model: Any, data: Any) -> None:
        self.type: Any = model
        self.owner: type[BaseModel] | None = None
        self.data = data
        self.path: Path = ()
        self.key = ""
        self.in_key = False

    def follow(self, location: tuple[str | int, ...]) -> "Walk":
        for element in location:
            self._step(element)
        return self

    def _step(self, element: str | int) -> None:
        self.type = _bare(self.type)
        members = list(_members(self.type))
        if members:
            tagged = next((m for m in members if element in _tags(m)), None)
            self.type = tagged if tagged is not None else self.type
            return
        if element == "[key]":
            self.in_key = True
            return
        origin, arguments = get_origin(self.type), get_args(self.type)
        if origin is list:
            self._descend(element)
            self.type = arguments[0]
        elif origin is dict:
            self._descend(element)
            self.type = arguments[1]
        elif isinstance(self.type, type) and issubclass(self.type, BaseModel):
            self.owner = self.type
            self._descend(element)
            self.type = fields(self.owner).get(str(element), Any)

    def _descend(self, element: str | int) -> None:
        data = self.data
        if isinstance(element, int) and isinstance(data, dict) and get_args(self.type)[0] is Option:
            element = list(data)[element]
        if isinstance(element, str) and isinstance(data, list):
            place = int(element) - 1 if element.isdecimal() else element
            element = next((i for i, item in enumerate(data) if _id(item) == element), place)
        parts: dict[Any, Any] = dict(enumerate(data)) if isinstance(data, list) else {}
        parts = data if isinstance(data, dict) else parts
        if isinstance(element, str) and isinstance(data, dict):
            self.key = element
        if element in parts:
            self.data = parts[element]
            self.path = (*self.path, element)


def fields(model: type[BaseModel]) -> dict[str, Any]:
    """The keys that a model takes, as an author writes them, and their types."""
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _id(item: Any) -> Any:
    return item.get("id") if isinstance(item, dict) else None


def _bare(kind: Any) -> Any:
    """`kind` without annotations, and without None where that leaves one type."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        real = [member for member in get_args(kind) if member is not type(None)]
        if len(real) == 1:
            return _bare(real[0])
    return kind


def _members(kind: Any) -> Iterator[Any]:
    if get_origin(kind) in (Union, UnionType):
        yield from (member for member in get_args(kind) if member is not type(None))


def _tags(member: Any) -> list[str]:
    if get_origin(member) is Annotated:
        return [part.tag for part in get_args(member)[1:] if isinstance(part, Tag)]
    return []


def shape_problem(detail: ErrorDetails, walk: Walk, locate: Locate) -> Problem:
    """One finding. `walk` has followed its location."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(walk, locate)
    place = locate(walk.path, key=walk.in_key)
    if kind == "missing":
        return Problem(place, "missing-key", f'"{walk.key}" is missing', _missing_hint(walk))
    if kind == "value_error":
        message = str(detail["ctx"]["error"])
        return Problem(place, "bad-duration" if walk.in_key else "bad-value", message)
    if kind == "too_short":
        return Problem(place, "bad-value", f'"{walk.key}" is empty', "give it at least one entry")
    if kind == "action":
        return Problem(place, "bad-action", detail["msg"], _action_hint(detail["input"]))
    return Problem(place, "bad-value", *_bad_value(detail, walk))


def _missing_hint(walk: Walk) -> str:
    return f"add it: {walk.key}: …" if walk.key else ""


def _action_hint(value: Any) -> str:
    return f'to send it write "say: {value}"' if isinstance(value, str) else ""


def _unknown_key(walk: Walk, locate: Locate) -> Problem:
    known = fields(walk.owner) if walk.owner else {}
    place = locate(walk.path, key=True)
    if _is_action(walk.owner) and (walk.key in ACTION_KEYS or "." in walk.key):
        message = f'a second action, "{walk.key}", in one list item'
        return Problem(place, "two-actions", message, 'begin each action with "- "')
    hint = did_you_mean(walk.key, known) or f"known here: {', '.join(sorted(known))}"
    return Problem(place, "unknown-key", f'unknown key "{walk.key}"', hint)


def _is_action(model: type[BaseModel] | None) -> bool:
    if model is None:
        return False
    return model is CommandAction or (
        issubclass(model, Node) and len(model.model_fields) == 1 and next(iter(fields(model))) in ACTION_KEYS
    )


def _bad_value(detail: ErrorDetails, walk: Walk) -> tuple[str, str]:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = f'"{walk.key}"' if walk.key else "a flow"
    if kind == "literal_error":
        allowed = [choice.strip("'") for choice in str(context["expected"]).replace(" or ", ", ").split(", ")]
        said = f'"{value}"' if isinstance(value, str) else described(value)
        return f"{name} can't be {said}", did_you_mean(str(value), allowed) or f"one of {', '.join(allowed)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = "at least" if kind == "greater_than_equal" else "at most"
        return f"{name} must be {bound} {context.get('ge', context.get('le'))}", ""
    wanted = _wanted(kind, walk)
    if wanted is None:
        return f"{name}: {detail['msg'][0].lower()}{detail['msg'][1:]}", ""
    return f"{name} must be {wanted}, not {described(value)}", _kind_hint(value, wanted, walk)


def _kind_hint(value: Any, wanted: str, walk: Walk) -> str:
    if isinstance(value, bool) and wanted == "text":
        return f'put it in quotes: "{str(value).lower()}"'
    if isinstance(value, str) and wanted in ("a number", "a whole number"):
        return f"write digits: {walk.key}: 3" if walk.key else "write digits"
    return ""


def _wanted(kind: str, walk: Walk) -> str | None:
    choices = list(_members(_bare(walk.type)))
    if choices and not any(map(_tags, choices)):
        return " or ".join("text" if choice is str else "a number" for choice in choices)
    return _KINDS.get(kind.split("_")[0])


def described(value: Any) -> str:
    """A value as it may stand in a sentence: `a list`, `true`, `7`, `the text "x"`."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 40 else value[:39] + "…"}"'
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else str(value)
