"""From settings to an app: the only place that chooses adapters and finds modules."""

import logging
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from wabot.adapters.channels.console import ConsoleChannel
from wabot.app import App
from wabot.core.log import NAME
from wabot.core.module import Module
from wabot.engine.problems import did_you_mean
from wabot.errors import ConfigurationError, SettingsError
from wabot.settings import FILE, Settings, load_settings

__all__ = ["GROUP", "build", "configure_logging", "find_modules", "load_settings"]

GROUP = "wabot.modules"
"""The entry points under which packages offer modules."""


def build(settings: Settings, **overrides: Any) -> App:
    """An app of these settings, not bound yet. `overrides` are arguments of `App` instead of ours."""
    parts: dict[str, Any] = {"modules": find_modules(settings.modules), "channel": ConsoleChannel()}
    return App(settings, **{**parts, **overrides})


def find_modules(names: Iterable[str] | None = None) -> list[Module]:
    """The installed modules of these names, or all, in the order of the names given.

    Raises SettingsError for a name that isn't installed, ConfigurationError for a broken one.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    wanted = sorted(found) if names is None else list(names)
    for name in wanted:
        if name not in found:
            there = (
                f"there are {', '.join(sorted(found))}; a package offers its own by the entry point {GROUP}"
            )
            hint = did_you_mean(name, found) or there
            raise SettingsError(f'{FILE}: modules: no module "{name}" is installed', hint=hint)
    return [_load(found[name]) for name in wanted]


def _load(point: EntryPoint) -> Module:
    try:
        module = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f'the module "{point.name}" can\'t be loaded from {point.value}: {error}'
        ) from error
    if not isinstance(module, Module):
        raise ConfigurationError(f"{point.value} is no wabot.core.module.Module")
    return module


def configure_logging(settings: Settings) -> None:
    """Write wabot's log lines, JSON, one a line, to standard error."""
    logger = logging.getLogger(NAME)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(settings.log_level.upper())
