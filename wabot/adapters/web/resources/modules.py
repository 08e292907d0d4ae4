"""What modules bring: their queries as GET, their commands as POST."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from wabot.adapters.web.resources.routes import Routes, part
from wabot.core.module import Command, Query
from wabot.core.paging import Phone
from wabot.errors import Rejected, TurnError, UnknownName

if TYPE_CHECKING:
    from wabot.app import App


class ForWhom(BaseModel):
    """The contact that a command is for."""

    model_config = ConfigDict(extra="forbid")

    phone: Phone | None = None


def register(routes: Routes, app: "App") -> None:
    for query in app.registry.queries.values():
        _add_query(routes, app, query)
    for command in app.registry.commands.values():
        _add_command(routes, app, command)


def _add_query(routes: Routes, app: "App", query: Query) -> None:
    in_path = re.findall(r"{(\w+)}", query.path)
    rest = [name for name in query.model.model_fields if name not in in_path]

    def view(**given: BaseModel) -> Any:
        arguments = {key: value for model in given.values() for key, value in _given(model).items()}
        query.model.model_validate(arguments)
        return app.query(query.name, arguments)

    models = {"path": part(query.model, in_path, "Path"), "query": part(query.model, rest, "Query")}
    annotations = {place: model for place, model in models.items() if model is not None}
    view.__annotations__ = {**annotations, "return": query.returns}
    view.__doc__ = query.summary
    module = query.name.partition(".")[0]
    routes.add("get", f"/{query.path}", query.scope, tag=module, name=query.name)(view)


def _add_command(routes: Routes, app: "App", command: Command) -> None:
    module = command.name.partition(".")[0]

    def view(query: ForWhom, body: BaseModel) -> Any:
        try:
            return app.run(command.name, _given(body), phone=query.phone)
        except (UnknownName, Rejected):
            raise
        except TurnError as error:
            # Such as one that sends a message: that is done in conversations alone.
            raise Rejected(error.message, code="not_here") from error

    view.__annotations__ = {"query": ForWhom, "body": command.model, "return": command.returns}
    view.__doc__ = command.summary
    rule = f"/commands/{command.name}"
    routes.add("post", rule, f"{module}:write", tag=module, name=f"commands.{command.name}")(view)


def _given(model: BaseModel) -> Mapping[str, Any]:
    """What was sent, as it was read, by the names under which its model takes it."""
    fields = type(model).model_fields
    return {
        (field.alias or name): getattr(model, name)
        for name, field in fields.items()
        if name in model.model_fields_set
    }
