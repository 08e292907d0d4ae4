"""The shop as a Flask app, for any WSGI server: `gunicorn 'wsgi:create()'`."""

from pathlib import Path
from typing import Any

from wabot.bootstrap import web_app


def create() -> Any:
    """Called in each process of the server: none shares a connection with another."""
    return web_app(Path(__file__).parent)
