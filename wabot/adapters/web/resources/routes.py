"""Routes whose models, answers and examples are documented under names that don't clash."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from flask_openapi3.models.operation import Operation
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from wabot.adapters.web.api import Api
from wabot.adapters.web.security import require
from wabot.errors import DuplicateName

View = TypeVar("View", bound=Callable[..., Any])
Method = Literal["get", "post"]
Mode = Literal["validation", "serialization"]
Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
JSON = "application/json"


class Routes:
    """Adds views to an `Api` and writes down what they take and give.

    flask-openapi3 names a schema by its class alone: two modules with an `Order` each would be documented
    by one of them. Here pydantic names all of them together, once they are known: `document`.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._written: list[Callable[[], None]] = []
        self._wanted: list[tuple[Callable[[Schema], None], Mode, TypeAdapter[Any]]] = []

    def add(
        self,
        method: Method,
        rule: str,
        scope: str,
        *,
        tag: str,
        name: str = "",
        status: int = 200,
        examples: Mapping[str, Any] | None = None,
    ) -> Callable[[View], View]:
        """Serve the view under `rule` (`/orders/{id}`) to keys with `scope`.

        Its annotations `path`, `query` and `body` are models; what it returns is documented as `status`, or
        204 where that is None. `examples` are of the body, by their names. Raises DuplicateName where the
        rule is taken.
        """

        def register(view: View) -> View:
            taken = self._api.paths.get(f"{self._api.url_prefix}{rule}")
            if taken is not None and getattr(taken, method) is not None:
                raise DuplicateName(f"two things are served as {method.upper()} {rule}")
            told = " ".join((view.__doc__ or "").split())
            add = getattr(self._api, method)(
                rule.replace("{", "<").replace("}", ">"),
                summary=told.partition(". ")[0].removesuffix("."),
                description=told,
                operation_id=name or view.__name__,
                endpoint=f"{method}_{name or view.__name__}".replace(".", "_"),
                tags=[Tag(name=tag)],
                responses={str(status): {"description": "done"}, **_nothing(view)},
            )
            add(require(scope)(view))
            operation = getattr(self._api.paths[f"{self._api.url_prefix}{rule}"], method)
            hints = get_type_hints(view)
            self._written.append(partial(self._write, operation, hints, str(status), examples or {}))
            return view

        return register

    def document(self) -> None:
        """Name all schemas, once every route is there."""
        for write in self._written:
            write()
        inputs = [(at, mode, adapter) for at, (_, mode, adapter) in enumerate(self._wanted)]
        named, definitions = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE)
        for at, (put, mode, _) in enumerate(self._wanted):
            put(named[(at, mode)])
        self._api.components_schemas |= definitions.get("$defs", {})

    def _write(
        self, operation: Operation, hints: Mapping[str, Any], status: str, examples: Mapping[str, Any]
    ) -> None:
        ours = [
            parameter for place in ("path", "query") for parameter in _parameters(place, hints.get(place))
        ]
        known = [each for each in operation.parameters or [] if each.param_in.value not in ("path", "query")]
        if ours or known:
            # Written as the dictionaries that they become: their models leave out what they don't know.
            operation.parameters = [*known, *ours]
        if "body" in hints:
            content: Schema = {"schema": {}}
            if examples:
                content["examples"] = {key: {"value": value} for key, value in examples.items()}
            operation.requestBody = {"required": True, "content": {JSON: content}}  # type: ignore[assignment]
            self._later(content, "validation", hints["body"])
        answer = _answer(hints)
        if answer is not type(None):
            given: Schema = {"schema": {}}
            responses: dict[str, Any] = dict(operation.responses or {})
            responses[status] = {"description": _described(answer), "content": {JSON: given}}
            operation.responses = responses
            self._later(given, "serialization", answer)

    def _later(self, content: Schema, mode: Mode, type_: Any) -> None:
        def put(schema: Schema) -> None:
            content["schema"] = schema

        self._wanted.append((put, mode, _adapter(type_)))


def _nothing(view: Callable[..., Any]) -> dict[str, Any]:
    """204 where the view may have nothing to give."""
    answer = _answer(get_type_hints(view))
    maybe = answer is Any or type(None) in (answer, *getattr(answer, "__args__", ()))
    return {"204": {"description": "done, and nothing to tell"}} if maybe else {}


def _answer(hints: Mapping[str, Any]) -> Any:
    """What a view gives, without the status that may stand beside it."""
    answer = hints.get("return", Any)
    return get_args(answer)[0] if get_origin(answer) is tuple else answer


def _described(answer: Any) -> str:
    if isinstance(answer, type) and issubclass(answer, BaseModel) and answer.__doc__:
        own = answer.__doc__ is not BaseModel.__doc__
        return " ".join(answer.__doc__.split("\n\n")[0].split()) if own else answer.__name__
    return "what it gives"


def _adapter(type_: Any) -> TypeAdapter[Any]:
    """Of a module's type that pydantic knows nothing of, anything may come."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(type_)
        adapter.json_schema(mode="serialization")
    except (PydanticSchemaGenerationError, PydanticUserError):
        return TypeAdapter(Any)
    return adapter


def _parameters(place: str, model: type[BaseModel] | None) -> list[Any]:
    if model is None:
        return []
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return [
        _parameter(place, name, _inlined(each, definitions), required=name in schema.get("required", ()))
        for name, each in schema.get("properties", {}).items()
    ]


def _parameter(place: str, name: str, schema: Schema, *, required: bool) -> Schema:
    """One that may be left out is null in Python; in a URL there is no null."""
    options = [each for each in schema.pop("anyOf", []) if each.get("type") != "null"]
    schema = {**(options[0] if len(options) == 1 else {"anyOf": options} if options else {}), **schema}
    if schema.get("default", ...) is None:
        del schema["default"]
    schema.pop("title", None)
    found: Schema = {"name": name, "in": place, "required": required or place == "path", "schema": schema}
    if "description" in schema:
        found["description"] = schema.pop("description")
    return found


def _inlined(value: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        reference = value.get("$ref", "").rpartition("/")[2]
        rest = {key: _inlined(each, definitions) for key, each in value.items() if key != "$ref"}
        return {**_inlined(definitions[reference], definitions), **rest} if reference else rest
    if isinstance(value, list):
        return [_inlined(each, definitions) for each in value]
    return value


def part(model: type[BaseModel], names: Iterable[str], called: str) -> type[BaseModel] | None:
    """A model of these fields of `model` alone; None where there are none."""

    fields: dict[str, Any] = {
        name: (model.model_fields[name].annotation, model.model_fields[name]) for name in names
    }
    return create_model(called, __config__=model.model_config, **fields) if fields else None
