"""`wabot actions` and `wabot schema`: what a flow may name."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wabot.bootstrap import find_modules, load_settings, modules_of
from wabot.cli.screen import compact, show, show_json, table
from wabot.core.module import Command, Registry, bind
from wabot.core.money import Money
from wabot.engine import document as doc
from wabot.engine.problems import did_you_mean
from wabot.engine.schema import json_schema
from wabot.errors import UsageError
from wabot.testing.places import project_of

BUILT_IN: Mapping[str, tuple[type[BaseModel] | None, str]] = {
    "say": (doc.Rich, "Send the contact a message: a text, or a mapping of these."),
    "assign": (None, "Set variables: {variable: value, …}, or {location: variable, expr: expression}."),
    "raise": (doc.RaiseBody, "Raise an event within this turn: its name, or a mapping of these."),
    "send": (doc.SendBody, "Send an event to the flow itself, later with a delay."),
    "cancel": (doc.CancelBody, "Cancel a delayed send by its id."),
    "if": (doc.IfBody, "Do the actions under then, or those of the first elif that holds, or else."),
    "foreach": (doc.ForeachBody, "Do actions for each item of a list."),
    "log": (doc.LogBody, "Write a line to the operator's log."),
    "digress": (doc.DigressBody, "Run another flow, then come back to the open question."),
    "locale": (None, "Speak this locale with the contact from now on."),
}


def run(name: str | None, *, as_json: bool) -> None:
    """Print all actions, or those whose name is `name` or begins with it."""
    found = list(described(registry_here().commands))
    if name is not None:
        found = _chosen(found, name)
    if as_json:
        show_json({"actions": found})
        return
    for number, action in enumerate(found):
        _show(action, first=not number)


def run_schema(output: Path | None) -> None:
    here = registry_here()
    text = json.dumps(json_schema(here.commands, here.invokes), ensure_ascii=False, indent=2) + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def registry_here() -> Registry:
    """The modules of the project here, or all that are installed."""
    folder = project_of(Path())
    return bind(modules_of(load_settings(folder)) if folder else find_modules())


def _chosen(actions: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    exact = [action for action in actions if action["name"] == name]
    within = exact or [action for action in actions if action["name"].startswith(f"{name}.")]
    if not within:
        names = [action["name"] for action in actions]
        modules = {one.partition(".")[0] for one in names}
        hint = did_you_mean(name, [*names, *modules]) or "wabot actions lists them"
        raise UsageError(f'there is no action "{name}"', hint=hint)
    return within


def described(commands: Mapping[str, Command]) -> Iterator[dict[str, Any]]:
    """Every action: the language's own, then the modules' by name."""
    for name, (model, summary) in BUILT_IN.items():
        arguments = _arguments(model) if model else []
        yield {"name": name, "summary": summary, "arguments": arguments, "returns": None}
    for name, command in sorted(commands.items()):
        returns = command.returns
        yield {
            "name": name,
            "summary": " ".join(command.summary.split()),
            "arguments": _arguments(command.model),
            "returns": None if returns in (None, NoneType) else type_name(returns),
        }


def _arguments(model: type[BaseModel]) -> list[dict[str, Any]]:
    return [_argument(field.alias or name, field) for name, field in model.model_fields.items()]


def _argument(name: str, field: FieldInfo) -> dict[str, Any]:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        default = default.model_dump(mode="json")
    return {
        "name": name,
        "type": type_name(field.annotation),
        "required": field.is_required(),
        "default": default,
        "description": field.description or "",
    }


_NAMES: Mapping[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    Decimal: "number",
    bool: "true or false",
    Money: "money",
    date: "date",
    datetime: "datetime",
    dict: "object",
    list: "list",
    NoneType: "nothing",
    Any: "any",
}


def type_name(annotation: Any) -> str:
    """A type in the words of the language: `text`, `list of text`, `integer or nothing`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _NAMES:
        return _NAMES[annotation]
    if annotation in (doc.Action, list[doc.Action]):
        return "actions"
    if origin is Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return " or ".join(str(value) for value in arguments)
    if origin in (Union, UnionType):
        real = [part for part in arguments if part is not NoneType]
        if any(doc.EachOption in (part, *get_args(part)) for part in real):
            return "options"
        return " or ".join(dict.fromkeys(map(type_name, real)))
    if isinstance(origin, type) and issubclass(origin, Iterable) and not issubclass(origin, Mapping):
        return f"list of {type_name(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object of " + ", ".join(info.alias or name for name, info in annotation.model_fields.items())
    return "object" if isinstance(origin, type) else getattr(annotation, "__name__", "any")


def _show(action: Mapping[str, Any], *, first: bool) -> None:
    from rich.text import Text

    show(*([] if first else [""]), Text.assemble((action["name"], "bold cyan"), "  ", action["summary"]))
    rows = [
        (
            f"  {argument['name']}",
            argument["type"],
            "needed" if argument["required"] else _default(argument["default"]),
            argument["description"],
        )
        for argument in action["arguments"]
    ]
    if rows:
        columns = {"name": "bold", "type": "green", "default": "dim", "description": ""}
        show(*table(rows, columns, heads=False))
    if action["returns"]:
        show(Text(f"  → {action['returns']}", "dim"))


def _default(value: Any) -> str:
    return "" if value in (None, "", [], {}) and value is not False else f"= {compact(value)}"
