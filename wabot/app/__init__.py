"""The app, and how the flows and texts of a project are read for it."""

from wabot.app.app import App
from wabot.app.parts import load_flows, load_texts

__all__ = ["App", "load_flows", "load_texts"]
