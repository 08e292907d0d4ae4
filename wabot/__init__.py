"""Conversations on WhatsApp, written as statecharts in YAML, and the commerce behind them."""

from importlib.metadata import version

__version__ = version("wabot")

__all__ = ["__version__"]
