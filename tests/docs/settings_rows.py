"""What docs/settings.md has to say of each setting, from the models themselves."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from wabot.bootstrap import find_modules
from wabot.settings import PREFIX, USUAL_NAMES, Settings

HIDDEN = {"directory", "sections"}
NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    timedelta: "duration",
    Path: "path",
    SecretStr: "secret",
}
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True)
class Row:
    """One setting: `[table] key`, and the cells of its type, its default and the variable's usual name."""

    table: str
    key: str
    type: str
    default: str
    variables: tuple[str, ...]


def tables() -> dict[str, type[BaseModel]]:
    """The model of each table, the settings of no table under the empty name."""
    found: dict[str, Any] = {"": Settings}
    found |= {n: each.annotation for n, each in Settings.model_fields.items() if _is_model(each.annotation)}
    found |= {module.name: module.settings for module in find_modules() if module.settings}
    return found


def rows() -> Iterator[Row]:
    for table, model in tables().items():
        for key, field in model.model_fields.items():
            if (table or key not in HIDDEN) and not _is_model(field.annotation):
                usual = tuple(
                    name for name, path in USUAL_NAMES.items() if path == (*filter(None, [table]), key)
                )
                variable = PREFIX + "__".join(filter(None, [table, key])).upper()
                yield Row(table, key, type_of(field.annotation), default_of(field), (*usual, variable))


def type_of(annotation: Any) -> str:
    """As an author of wabot.toml thinks of it."""
    if annotation in NAMES:
        return NAMES[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(type_of(each) for each in inner if each is not types.NoneType)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in inner)
    if origin is list:
        return f"list of {type_of(inner[0])}"
    if origin is dict:
        return f"table of {type_of(inner[1])}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return type_of(inner[0])
    return "table" if _is_model(annotation) else str(annotation)


def default_of(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "needed"
    if value is None or value in ("", [], {}):
        return "none"
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            seconds = value.total_seconds()
            unit, size = next((unit, size) for unit, size in UNITS.items() if seconds % size == 0)
            return f'"{seconds // size:.0f}{unit}"'
        case SecretStr():
            return f'"{value.get_secret_value()}"'
        case str() | Path():
            return f'"{value}"'
        case list():
            return f"[{', '.join(map(_written, value))}]"
    return str(value)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
