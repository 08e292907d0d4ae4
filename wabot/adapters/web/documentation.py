"""The API's documentation as OpenAPI 3.1, and a page to read it on, which loads nothing from elsewhere."""

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from flask import Response, send_from_directory
from flask_openapi3.models.info import Info
from flask_openapi3.models.server import Server
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.types import SecuritySchemesDict

from wabot import __version__
from wabot.adapters.web.problems import Problem, Refused
from wabot.adapters.web.security import SCHEME

if TYPE_CHECKING:
    from wabot.adapters.web.api import Api

ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "swagger.svg")
FOLDERS = {"css": "css", "js": "js", "svg": "images"}
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>wabot</title>
<link rel="icon" href="docs/swagger.svg">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/begin.js"></script>
</body>
</html>
"""
BEGIN = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#docs", deepLinking: true});\n'
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)
SECURITY: SecuritySchemesDict = {
    SCHEME: {"type": "http", "scheme": "bearer", "description": "`wabot keys new` makes one."}
}


def documented(public_url: str = "") -> OpenAPI:
    """A Flask app of which flask-openapi3 keeps the documentation, without its own pages."""
    info = Info(title="wabot", version=__version__, description="Conversations on WhatsApp, for programs.")
    return OpenAPI(
        "wabot",
        info=info,
        security_schemes=SECURITY,
        servers=[Server(url=public_url)] if public_url else None,
        validation_error_model=Problem,
        doc_ui=False,
    )


def register(api: "Api", public_url: str) -> None:
    """Add the documentation, for everybody: it has no data in it."""

    @cache
    def specification() -> dict[str, Any]:
        for write in api.before_documented:
            write()
        # Of an app of its own: the blueprint may be in one that knows nothing of OpenAPI.
        app = documented(public_url)
        app.register_api(api)
        return app.api_doc

    def page() -> Response:
        return Response(PAGE, mimetype="text/html", headers={"Content-Security-Policy": POLICY})

    def asset(name: str) -> Response:
        if name == "begin.js":
            return Response(BEGIN, mimetype="text/javascript")
        if name not in ASSETS:
            raise Refused(404)
        folder = resources.files("flask_openapi3_swagger") / "templates" / "swagger"
        return send_from_directory(str(folder), f"{FOLDERS[name.rpartition('.')[2]]}/{name}", max_age=86400)

    api.add_url_rule("/openapi.json", "openapi", specification)
    api.add_url_rule("/docs", "docs", page)
    api.add_url_rule("/docs/<name>", "docs_asset", asset)
