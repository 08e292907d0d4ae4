"""From settings to an app: the only place that chooses adapters and finds modules."""

import logging
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wabot.adapters.channels.console import ConsoleChannel
from wabot.adapters.http import Http
from wabot.app import App
from wabot.app.parts import circuits_of, rate_of
from wabot.core.buckets import NoBuckets
from wabot.core.circuits import counted
from wabot.core.log import NAME
from wabot.core.metrics import MemoryMetrics
from wabot.core.module import Module
from wabot.engine.problems import did_you_mean
from wabot.errors import ConfigurationError, SettingsError
from wabot.pipeline import Middleware
from wabot.settings import FILE, Settings, load_settings

if TYPE_CHECKING:
    from wabot.adapters.redis import Link

__all__ = ["GROUP", "build", "configure_logging", "find_modules", "import_queue", "load_settings"]

GROUP = "wabot.modules"
"""The entry points under which packages offer modules."""


def build(settings: Settings, **overrides: Any) -> App:
    """An app of these settings, not bound yet. `overrides` are arguments of `App` instead of ours."""
    parts: dict[str, Any] = {"modules": find_modules(settings.modules), "channel": ConsoleChannel()}
    closers: list[Callable[[], object]] = []
    if settings.redis_url:
        link, shared = _in_redis(settings, settings.redis_url)
        bell = import_queue().RqDoorbell(settings.redis_url, shared["metrics"])
        parts |= {**shared, "doorbell": bell}
        closers += [link.close, bell.close]
    app = App(settings, **{**parts, **overrides})
    for closer in closers:
        app.on_close(closer)
    app.runner("http", Http(settings.http, breaker=app.breaker))
    for middleware in find_middleware(settings):
        app.use(middleware)
    return app


def _in_redis(settings: Settings, url: str) -> tuple["Link", dict[str, Any]]:
    """The link to Redis, and what all processes share by it. Raises ConfigurationError where the adapter's
    extra isn't installed."""
    try:
        from wabot.adapters.redis import Link, RedisBreaker, RedisBuckets
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} isn't installed", hint='pip install "wabot[redis]"'
        ) from error
    link, metrics, rate = Link(url), MemoryMetrics(), rate_of(settings)
    return link, {
        "metrics": metrics,
        "breaker": RedisBreaker(link, circuits_of(settings), counted(metrics)),
        "buckets": RedisBuckets(link, rate) if rate else NoBuckets(),
    }


def find_middleware(settings: Settings) -> list[Middleware]:
    """What `middleware` in the settings names, imported as from the project's directory.

    Raises SettingsError for a name that can't be found, or that is nothing to call.
    """
    if settings.middleware:
        folder = str(settings.directory.absolute())
        if folder not in sys.path:
            sys.path.insert(0, folder)
    return [_import(name) for name in settings.middleware]


def _import(name: str) -> Middleware:
    where = f'{FILE}: middleware: "{name}"'
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise SettingsError(f"{where} names no function", hint="write it like shop.audit:log_turn")
    try:
        found: Any = import_module(module)
    except ImportError as error:
        raise SettingsError(
            f"{where} can't be imported: {error}",
            hint="a module is looked for in the project's directory and among what is installed",
        ) from error
    for part in attribute.split("."):
        names = [other for other in vars(found) if not other.startswith("_")]
        found = getattr(found, part, None)
        if found is None:
            hint = did_you_mean(part, names) or f"there are {', '.join(names) or 'no names'}"
            raise SettingsError(f'{where}: there is no "{part}" in {module}', hint=hint)
    if not callable(found):
        raise SettingsError(
            f"{where} can't be called", hint="a middleware is a function of turn and call_next"
        )
    middleware: Middleware = found
    return middleware


def import_queue() -> ModuleType:
    """The adapter of RQ. Raises ConfigurationError where it isn't installed."""
    try:
        from wabot.adapters import queue
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} isn't installed", hint='pip install "wabot[redis]"'
        ) from error
    return queue


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
    # Its warnings quote URLs, and a contact's number may be in one.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
