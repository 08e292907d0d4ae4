"""The Flask app of a wabot app, or a blueprint of it for a Flask app of one's own."""

from typing import TYPE_CHECKING

import structlog
from flask import Response, g
from flask.sansio.scaffold import Scaffold
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from wabot.adapters.web import documentation, health, problems, resources, webhooks
from wabot.adapters.web.api import Api
from wabot.adapters.web.idempotency import Idempotency
from wabot.adapters.web.security import Guard
from wabot.core.doors import WebSettings

if TYPE_CHECKING:
    from wabot.app import App

PREFIX = "/whatsapp"


def create_app(app: "App", settings: WebSettings | None = None) -> OpenAPI:
    """A Flask app with everything under `/whatsapp`, its documentation at `/whatsapp/docs`.

    Binds the app where that wasn't done. Raises ConfigurationError where there is no key to the API yet,
    unless in dev mode.
    """
    settings = settings or app.settings.web
    guard, api = _made(app, settings, PREFIX)
    flask = documentation.documented(settings.public_url)
    flask.register_api(api)
    flask.add_url_rule("/metrics", "metrics", health.metrics_view(app, guard))
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
    api = Api("wabot", guard, Idempotency(app.database, app.clock), url_prefix=prefix)
    webhooks.register(api, app, settings)
    health.register(api, app, guard)
    resources.register(api, app)
    documentation.register(api, settings.public_url)
    return guard, api


def _dress(target: Scaffold, app: "App", guard: Guard) -> None:
    """What each request gets: a name, headers that protect, and errors in one form."""

    def begin() -> None:
        """Name the request: on its log lines, its answer, and the turn that it brings about."""
        g.request_id = app.ids.new()
        structlog.contextvars.bind_contextvars(correlation=g.request_id)

    def end(response: Response) -> Response:
        structlog.contextvars.unbind_contextvars("correlation")
        return guard.protect(response)

    target.before_request(begin)
    target.after_request(end)
    target.register_error_handler(Exception, problems.answer)
