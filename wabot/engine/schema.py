"""A JSON Schema of flows, for editors: what the loader takes, short forms included."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from wabot.core.http import HttpRequest
from wabot.engine import document
from wabot.engine import shortforms as short
from wabot.engine.check.flow import CommandInfo

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_TEMPLATE: Schema = {"type": "string", "pattern": r"\{\{|\{%", "description": "A template."}
_NOTHING: Schema = {"type": "null"}
_ANY_COMMAND = "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_]+)+$"


def json_schema(
    commands: Mapping[str, CommandInfo] | None = None, invokes: Mapping[str, CommandInfo] | None = None
) -> Schema:
    """The schema (2020-12) of a flow. With `commands`, theirs are the only actions besides the language's,
    and the arguments of `http` are known; with `invokes`, theirs are the only ones to call."""
    made = document.FlowDocument.model_json_schema(schema_generator=_Generator)
    definitions = made["$defs"]
    # In python-statemachine's list form a variable has its name in `id`, and `content` for a default.
    definitions["Variable"]["properties"] |= {"id": _word(), "content": {}}
    states = definitions["FlowDocument"]["properties"]["states"]
    definitions["FlowDocument"]["properties"]["states"] = {**states["anyOf"][0], "minProperties": 1}
    definitions["CommandAction"] = _any_command() if commands is None else _commands(commands, definitions)
    invoke = definitions["Invoke"]["properties"]
    if commands is not None:
        invoke["http"] = _arguments("http", HttpRequest, definitions)
    if invokes is not None:
        invoke["call"] = {"enum": [*sorted(invokes), None]}
    return {"$schema": DRAFT, "title": "A flow of wabot", **made}


class _Generator(GenerateJsonSchema):
    """Adds to each model the short forms that its validators make long."""

    schema_dialect = DRAFT

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        return _SHORT_FORMS[schema["function"]["function"]](inner)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        members = [self.generate_inner(choice) for choice in schema["choices"].values()]
        return {"anyOf": members}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _word(_: Schema | None = None) -> Schema:
    """Anew each time: pydantic writes a field's default into it."""
    return {"type": ["string", "number"]}


def _or(*more: Schema) -> Callable[[Schema], Schema]:
    return lambda inner: {"anyOf": [inner, *more]}


def _listed(inner: Schema) -> Schema:
    return {"anyOf": [inner["items"], inner, _NOTHING]}


def _states(inner: Schema) -> Schema:
    """A mapping whose values may be empty."""
    values = {"anyOf": [inner["additionalProperties"], _NOTHING]}
    return {"anyOf": [{**inner, "additionalProperties": values}, _NOTHING]}


def _options(inner: Schema) -> Schema:
    """A list of options, also of bare words; a mapping of ids to titles; or one option for each item."""
    rows, each = inner["anyOf"]
    rich = {
        "type": "object",
        "properties": {"id": _word(), "title": _word(), "description": _word()},
        "required": ["title"],
        "additionalProperties": False,
    }
    named = {
        "type": "object",
        "not": {"required": ["for"]},
        "additionalProperties": {"anyOf": [_word(), rich]},
    }
    return {"anyOf": [{**rows, "items": {"anyOf": [_word(), rows["items"]]}}, named, each]}


def _numbered(inner: Schema) -> Schema:
    return {"anyOf": [inner, {"type": "array", "items": inner["additionalProperties"]}, _NOTHING]}


def _variables(inner: Schema) -> Schema:
    variable = inner["additionalProperties"]
    values = {"anyOf": [variable, {"type": ["string", "number", "boolean", "array", "null"]}]}
    items = {"type": "array", "items": variable}
    return {"anyOf": [{**inner, "additionalProperties": values}, items, _NOTHING]}


def _flag(inner: Schema) -> Schema:
    return {"anyOf": [inner, {"enum": [*short.FLAG_WORDS, 0, 1, None]}]}


_SHORT_FORMS: dict[Any, Callable[[Schema], Schema]] = {
    short.flag: _flag,
    short.word: _word,
    short.source: lambda _: {"type": ["string", "number", "boolean"]},
    short.listed: _listed,
    short.mapped: _or(_NOTHING),
    short.numbered: _numbered,
    short.lines: _options,
    short.empty_states: _states,
    short.text_is_rich: _or(_word()),
    short.event_body: _or(_word()),
    short.send_id: _or(_word()),
    short.logged: _or(_word()),
    short.flow_body: _or(_word()),
    short.target_body: _or(_word()),
    short.variables: _variables,
    short.command: lambda inner: inner,
}


def _any_command() -> Schema:
    return {
        "description": "A module's command: {<module>.<command>: arguments, into: variable}.",
        "type": "object",
        "patternProperties": {_ANY_COMMAND: {}},
        "properties": {"into": _word()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 2,
        "not": {"required": ["into"], "maxProperties": 1},
    }


def _commands(commands: Mapping[str, CommandInfo], definitions: Schema) -> Schema:
    choices = [_command(name, info, definitions) for name, info in sorted(commands.items())]
    return {"anyOf": choices} if choices else {"not": {}}


def _command(name: str, info: CommandInfo, definitions: Schema) -> Schema:
    arguments = _arguments(name, info.model, definitions)
    takes = [arguments, _TEMPLATE] if info.model.model_fields else [arguments, _TEMPLATE, _NOTHING]
    return {
        "type": "object",
        "description": getattr(info, "summary", "") or name,
        "properties": {name: {"anyOf": takes}, "into": _word()},
        "required": [name],
        "additionalProperties": False,
    }


def _arguments(name: str, model: type[BaseModel], definitions: Schema) -> Schema:
    """The schema of a command's arguments; a template may stand for each."""
    made = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    for inner, schema in made.pop("$defs", {}).items():
        definitions[f"{name}.{inner}"] = _templated(schema)
    return _templated(made)


def _templated(schema: Schema) -> Schema:
    """`schema` with a template allowed in place of each part; the model's own keys only."""
    if "properties" in schema:
        parts = {key: {"anyOf": [_templated(part), _TEMPLATE]} for key, part in schema["properties"].items()}
        return {"additionalProperties": False, **schema, "properties": parts}
    found = dict(schema)
    if "items" in found:
        found["items"] = {"anyOf": [_templated(found["items"]), _TEMPLATE]}
    if "anyOf" in found:
        found["anyOf"] = [_templated(member) for member in found["anyOf"]]
    return found
