"""What an operator's programs read and change over HTTP, one file for each kind of thing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wabot.adapters.web.api import Api
    from wabot.app import App

__all__ = ["register"]


def register(api: "Api", app: "App") -> None:
    """Add the routes of all resources."""
