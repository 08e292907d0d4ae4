"""HTTP requests of flows, to public servers only."""

from wabot.adapters.http.runner import Http

__all__ = ["Http"]
