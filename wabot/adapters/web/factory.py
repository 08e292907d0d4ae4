"""The Flask app of a wabot app, or a blueprint of it for a Flask app of one's own."""

from typing import TYPE_CHECKING

import structlog
from flask import Response, g
from flask.sansio.scaffold import Scaffold
from flask_openapi3.models import Info
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.types import SecuritySchemesDict
from werkzeug.middleware.proxy_fix import ProxyFix

from wabot import __version__
from wabot.adapters.web import problems, resources
from wabot.adapters.web.api import Api
from wabot.adapters.web.idempotency import Idempotency
from wabot.adapters.web.problems import Problem
from wabot.adapters.web.security import SCHEME, Guard
from wabot.core.doors import WebSettings

if TYPE_CHECKING:
    from wabot.app import App

PREFIX = "/whatsapp"
SECURITY: SecuritySchemesDict = {
    SCHEME: {"type": "http", "scheme": "bearer", "description": "`wabot keys new` makes one."}
}


def create_app(app: "App", settings: WebSettings | None = None) -> OpenAPI:
    """A Flask app with everything under `/whatsapp`, its documentation at `/whatsapp/docs`.

    Binds the app where that wasn't done. Raises ConfigurationError where there is no key to the API yet,
    unless in dev mode.
    """
    settings = settings or app.settings.web
    flask = _documented()
    guard, api = _made(app, settings, PREFIX)
    flask.register_api(api)
    _dress(flask, app, guard)
    if settings.trust_proxy:
        hops = settings.trust_proxy
        flask.wsgi_app = ProxyFix(flask.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return flask


def blueprint(app: "App", settings: WebSettings | None = None, *, prefix: str = PREFIX) -> Api:
    """Everything, to be registered in a Flask app of one's own.

    What isn't under the prefix is that app's, and so is the 404 of a path that isn't there.
    """
    guard, api = _made(app, settings or app.settings.web, prefix)
    _dress(api, app, guard)
    return api


def _made(app: "App", settings: WebSettings, prefix: str) -> tuple[Guard, Api]:
    app.bind()
    guard = Guard(app, settings)
    guard.may_start()
    api = Api("wabot", guard, Idempotency(), url_prefix=prefix)
    resources.register(api, app)
    return guard, api


def _dress(target: Scaffold, app: "App", guard: Guard) -> None:
    """What each request gets: a name, headers that protect, and errors in one form."""
    target.before_request(lambda: _begin(app))
    target.after_request(guard.protect)
    target.after_request(_named)
    target.teardown_request(_end)
    target.register_error_handler(Exception, problems.answer)


def _documented() -> OpenAPI:
    info = Info(title="wabot", version=__version__, description="Conversations on WhatsApp, for programs.")
    return OpenAPI(
        "wabot", info=info, security_schemes=SECURITY, validation_error_model=Problem, doc_ui=False
    )


def _begin(app: "App") -> None:
    """A name for this request, on its log lines, its answer, and the turn that it brings about."""
    g.request_id = app.ids.new()
    structlog.contextvars.bind_contextvars(request=g.request_id)


def _named(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    return response


def _end(_error: BaseException | None) -> None:
    structlog.contextvars.unbind_contextvars("request")
