"""What an operator's programs read and change over HTTP, one file for each kind of thing."""

from typing import TYPE_CHECKING

from wabot.adapters.web.resources import conversations, failed, messages, modules
from wabot.adapters.web.resources.routes import Routes

if TYPE_CHECKING:
    from wabot.adapters.web.api import Api
    from wabot.app import App

__all__ = ["register"]


def register(api: "Api", app: "App") -> None:
    """Add the routes of all resources. The app is bound: its modules bring theirs."""
    routes = Routes(api)
    for resource in (conversations, messages, failed, modules):
        resource.register(routes, app)
    # It takes longer than all the rest, and most processes are never asked for it.
    api.before_documented.append(routes.document)
