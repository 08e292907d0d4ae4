"""A blueprint whose routes are documented, guarded and answered in one way."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, get_origin, get_type_hints

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.parameter import Parameter
from flask_openapi3.types import ParametersTuple
from flask_openapi3.utils import parse_rule
from pydantic import BaseModel, TypeAdapter, ValidationError

from wabot.adapters.web.idempotency import HEADER, Idempotency
from wabot.adapters.web.limits import json_body, plain_arguments
from wabot.adapters.web.problems import MEDIA_TYPE, Mistake, Refused, invalid
from wabot.adapters.web.security import PUBLIC, SCHEME, Guard, scope_of

Model = type[BaseModel]

_IDEMPOTENT: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "description": "the same for a request that is sent once more: it works once",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
_PLACES = ("header", "cookie", "path", "query", "form", "body", "raw")
_WHY = {
    "400": "what was sent can't be read",
    "401": "no key, or none that is known",
    "403": "the key isn't for this",
    "404": "it isn't on record",
    "409": "the first request with this Idempotency-Key is at work still",
    "413": "the body is too large",
    "415": "the body isn't JSON",
    "422": "what was sent doesn't fit, or was refused",
    "503": "the database can't be used now",
}


class Api(APIBlueprint):
    """Routes are added as with flask-openapi3: `@api.get("/orders/<id>")` over `@require("orders:read")`.

    The view takes `path`, `query` and `body` as models, and gives a model, plain data, a `Response`, or
    one of the first two with a status. It is called when key, scope and models fit.

    What is in `before_documented` is called once, when somebody asks for the documentation.
    """

    def __init__(self, name: str, guard: Guard, idempotency: Idempotency, **options: Any) -> None:
        super().__init__(name, __name__, operation_id_callback=lambda name, **_: name, **options)
        self.guard, self.idempotency = guard, idempotency
        self.before_documented: list[Callable[[], None]] = []

    def create_view_func(  # type: ignore[override]  # it is called on us, and needs what we know
        self,
        func: Callable[..., Any],
        header: Model | None,
        cookie: Model | None,
        path: Model | None,
        query: Model | None,
        form: Model | None,
        body: Model | None,
        raw: Any,
        **_: Any,
    ) -> Callable[..., Response]:
        scope = scope_of(func)
        if header or cookie or form or raw:
            raise TypeError(f"{func.__qualname__}: a view takes path, query and body")

        @wraps(func)
        def view(**variables: Any) -> Response:
            if scope != PUBLIC:
                self.guard.check(request, scope)
            arguments: dict[str, BaseModel] = {}
            if path:
                arguments["path"] = _fitted(path, variables, "path")
            if query:
                arguments["query"] = _fitted(query, _query(query), "query")
            if body:
                arguments["body"] = _read(body)
            return self.idempotency.once(request, lambda: respond(func(**arguments)))

        return view

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **told: Any) -> ParametersTuple:
        scope, method = scope_of(func), str(told["method"])
        possible = dict(_WHY)
        if scope == PUBLIC:
            possible = {"503": _WHY["503"]}
        elif method in ("GET", "DELETE"):
            possible = {status: why for status, why in _WHY.items() if status not in ("409", "413", "415")}
        told["responses"] = {**{status: _problem(why) for status, why in possible.items()}, **_named(told)}
        if scope != PUBLIC:
            told["security"] = [{SCHEME: [scope]}]
        super()._collect_openapi_info(rule, _without_models(func), **told)
        if method == "POST" and self.doc_ui and told.get("doc_ui", True):
            operation = self.paths[parse_rule(rule, self.url_prefix)].post
            operation.parameters = [*(operation.parameters or []), Parameter(**_IDEMPOTENT)]
        hints = get_type_hints(func)
        header, cookie, path, query, form, body, raw = map(hints.get, _PLACES)
        return header, cookie, path, query, form, body, raw


def _without_models(func: Callable[..., Any]) -> Callable[..., Any]:
    """flask-openapi3 stumbles over examples in models, and `resources.routes` documents models anyway."""

    def bare() -> None:
        return None

    bare.__name__, bare.__doc__ = func.__name__, func.__doc__
    return bare


def respond(result: Any) -> Response:
    """The result of a view as an answer: a `Response` as it is, anything else as JSON."""
    if isinstance(result, Response):
        return result
    status = 200
    if isinstance(result, tuple):
        result, status = result
    if result is None:
        return Response(status=204)
    return Response(_ANYTHING.dump_json(result), status, mimetype="application/json")


def _read(model: Model) -> BaseModel:
    try:
        return model.model_validate_json(json_body(request))
    except ValidationError as error:
        if any(each["type"] == "json_invalid" for each in error.errors(include_url=False)):
            raise Refused(400, "The body can't be read as JSON.", code="not_json") from error
        raise invalid(error) from error


def _query(model: Model) -> dict[str, Any]:
    """The query's fields, each once unless the model has a list there."""
    lists = {field.alias or name for name, field in model.model_fields.items() if _is_list(field.annotation)}
    found: dict[str, Any] = {}
    for name, values in request.args.lists():
        if len(values) > 1 and name not in lists:
            mistake = Mistake(where=f"query.{name[:60]}", message="Give it once")
            raise Refused(422, "The request doesn't fit what is documented.", errors=[mistake])
        found[name] = values if name in lists else values[0]
    return found


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (list, tuple, set, frozenset)


def _fitted(model: Model, values: Mapping[str, Any], place: str) -> BaseModel:
    try:
        return model.model_validate(plain_arguments(values, place))
    except ValidationError as error:
        raise invalid(error, place) from error


def _problem(why: str) -> dict[str, Any]:
    return {"description": why, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _named(told: Mapping[str, Any]) -> dict[str, Any]:
    return {str(status): model for status, model in (told.get("responses") or {}).items()}
