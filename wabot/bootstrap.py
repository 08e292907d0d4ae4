"""From settings to an app: the only place that chooses adapters and finds modules."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from wabot.adapters.channels.console import ConsoleChannel
from wabot.adapters.channels.meta import MetaChannel, MetaWebhook
from wabot.adapters.http import Http
from wabot.adapters.media import FolderStore, MediaFetch, MetaSource, Source, TwilioSource
from wabot.app import App
from wabot.app.parts import circuits_of, pace_of, rate_of
from wabot.core.buckets import NoBuckets
from wabot.core.circuits import counted
from wabot.core.doors import MetaSettings, TwilioSettings
from wabot.core.log import NAME
from wabot.core.media import MEDIA
from wabot.core.metrics import MemoryMetrics
from wabot.core.module import Module
from wabot.engine.problems import did_you_mean
from wabot.errors import ConfigurationError, SettingsError, WabotError
from wabot.pipeline import Middleware
from wabot.settings import Settings, load_settings

if TYPE_CHECKING:
    from wabot.adapters.redis import Link

__all__ = [
    "GROUP",
    "build",
    "configure_logging",
    "find_modules",
    "import_queue",
    "import_web",
    "import_wsgi",
    "load_settings",
    "modules_of",
    "web_app",
]

GROUP = "wabot.modules"
"""The entry points under which packages offer modules."""
NO_WORKER = 3
"""The exit code at which gunicorn doesn't start another worker in place of this one."""


def build(settings: Settings, **overrides: Any) -> App:
    """An app of these settings, not bound yet. `overrides` are arguments of `App` instead of ours.

    It talks by the providers that the settings name, else on the console; with a `channel` of one's own by
    that alone.
    """
    closers: list[Callable[[], object]] = []
    parts: dict[str, Any] = {"modules": modules_of(settings)}
    if not (settings.twilio.configured or settings.meta.configured):
        parts["channel"] = ConsoleChannel()
    if settings.redis_url:
        try:
            link, shared = _in_redis(settings, settings.redis_url)
            bell = import_queue().RqDoorbell(settings.redis_url, shared["metrics"])
        except SettingsError as error:
            raise settings.told(error) from error
        parts |= {**shared, "doorbell": bell}
        closers += [link.close, bell.close]
    app = App(settings, **{**parts, **overrides})
    for closer in closers:
        app.on_close(closer)
    app.runner("http", Http(settings.http, breaker=app.breaker))
    if "channel" not in overrides:
        _add_providers(app)
    for middleware in find_middleware(settings):
        app.use(middleware)
    return app


def _add_providers(app: App) -> None:
    """The channels, what reads the providers' requests, and what fetches contacts' files. Raises
    ConfigurationError where an extra isn't installed."""
    sources: list[Source] = []
    if app.settings.twilio.configured:
        _add_twilio(app, app.settings.twilio)
        sources.append(_twilio_source(app.settings.twilio))
    if app.settings.meta.configured:
        _add_meta(app, app.settings.meta)
        sources.append(_meta_source(app.settings.meta))
    if sources:
        store, most = FolderStore(app.settings.media_folder), app.settings.media.max_bytes
        app.runner(MEDIA, MediaFetch(lambda: app.database, store, sources, max_bytes=most))


def _add_twilio(app: App, twilio: TwilioSettings) -> None:
    with _wanting("twilio"):
        from wabot.adapters.channels.twilio import TwilioChannel, TwilioWebhook
    token = _secret(twilio.auth_token)
    public = app.settings.web.public_url
    app.channel(
        TwilioChannel(
            twilio.account_sid,
            token,
            database=lambda: app.database,
            clock=app.clock,
            messaging_service=twilio.messaging_service,
            status_url=f"{public}/whatsapp/webhook/status" if public else "",
            api_base=twilio.api_base,
            timeout=twilio.timeout.total_seconds(),
        )
    )
    previous = [secret.get_secret_value() for secret in twilio.previous_tokens]
    app.webhook("twilio", TwilioWebhook(token, previous_tokens=previous))


def _twilio_source(twilio: TwilioSettings) -> Source:
    return TwilioSource(twilio.account_sid, _secret(twilio.auth_token), api_base=twilio.api_base)


def _add_meta(app: App, meta: MetaSettings) -> None:
    app.channel(
        MetaChannel(
            _secret(meta.access_token),
            meta.phone_numbers,
            language=app.settings.locale,
            api_base=meta.api_base,
            api_version=meta.api_version,
            timeout=meta.timeout.total_seconds(),
        )
    )
    webhook = MetaWebhook(
        _secret(meta.app_secret),
        _secret(meta.verify_token),
        previous_secrets=[secret.get_secret_value() for secret in meta.previous_secrets],
        phone_numbers=meta.phone_numbers,
        api_base=meta.api_base,
        api_version=meta.api_version,
    )
    app.webhook("meta", webhook)


def _meta_source(meta: MetaSettings) -> Source:
    return MetaSource(_secret(meta.access_token), api_base=meta.api_base)


def _secret(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def web_app(directory: Path) -> Any:
    """The project in this directory as a Flask app, for a WSGI server:

        def create():
            return web_app(Path(__file__).parent)

    What is wrong with it is told in a line, and ends the process as gunicorn expects of a worker that can't
    start.
    """
    try:
        settings = load_settings(directory)
        configure_logging(settings)
        app = build(settings).bind()
        try:
            return import_web().create_app(app)
        except BaseException:
            app.close()
            raise
    except WabotError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(NO_WORKER) from None


def _in_redis(settings: Settings, url: str) -> tuple["Link", dict[str, Any]]:
    """The link to Redis, and what all processes share by it. Raises ConfigurationError where the adapter's
    extra isn't installed."""
    with _wanting("redis"):
        from wabot.adapters.redis import Link, RedisBreaker, RedisBuckets
    link, metrics, rate = Link(url), MemoryMetrics(), rate_of(settings)
    pace = pace_of(settings)
    return link, {
        "metrics": metrics,
        "breaker": RedisBreaker(link, circuits_of(settings), counted(metrics)),
        "buckets": RedisBuckets(link, rate) if rate else NoBuckets(),
        "quota": RedisBuckets(link, pace) if pace else NoBuckets(),
    }


def find_middleware(settings: Settings) -> list[Middleware]:
    """What `middleware` in the settings names, imported as from the project's directory.

    Raises SettingsError for a name that can't be found, or that is nothing to call.
    """
    if settings.middleware:
        folder = str(settings.directory.absolute())
        if folder not in sys.path:
            sys.path.insert(0, folder)
    return [_import(settings, name) for name in settings.middleware]


def _import(settings: Settings, name: str) -> Middleware:
    def refused(what: str, hint: str) -> SettingsError:
        return settings.refused(["middleware"], f'"{name}" {what}', hint)

    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise refused("names no function", "write it like shop.audit:log_turn")
    try:
        found: Any = import_module(module)
    except Exception as error:  # As it is imported, code of anybody's runs.
        reason = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise refused(
            f"can't be imported: {reason}",
            "a module is looked for in the project's directory and among what is installed",
        ) from error
    for part in attribute.split("."):
        names = [other for other in vars(found) if not other.startswith("_")]
        found = getattr(found, part, None)
        if found is None:
            hint = did_you_mean(part, names) or f"there are {', '.join(names) or 'no names'}"
            raise refused(f'can\'t be found: there is no "{part}" in {module}', hint)
    if not callable(found):
        raise refused("can't be called", "a middleware is a function of turn and call_next")
    middleware: Middleware = found
    return middleware


def import_queue() -> ModuleType:
    """The adapter of RQ. Raises ConfigurationError where it isn't installed."""
    with _wanting("redis"):
        from wabot.adapters import queue
    return queue


def import_web() -> ModuleType:
    """The adapter of Flask. Raises ConfigurationError where it isn't installed."""
    with _wanting("web"):
        from wabot.adapters import web
    return web


def import_wsgi() -> ModuleType:
    """The servers that serve it. Raises ConfigurationError where they aren't installed."""
    with _wanting("web"):
        from wabot.adapters import wsgi
    return wsgi


@contextmanager
def _wanting(extra: str) -> Iterator[None]:
    """Name the extra in place of the package that isn't there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "wabot").partition(".")[0] == "wabot":
            raise
        raise ConfigurationError(
            f"{error.name} isn't installed", hint=f'pip install "wabot[{extra}]"'
        ) from error


def find_modules(names: Iterable[str] | None = None) -> list[Module]:
    """The installed modules of these names, or all, in the order of the names given.

    Raises SettingsError for a name that isn't installed, ConfigurationError for a broken one.
    """
    return modules_of(Settings(modules=None if names is None else list(names)))


def modules_of(settings: Settings) -> list[Module]:
    """As `find_modules`, of those that the settings name."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    wanted = sorted(found) if settings.modules is None else settings.modules
    for name in wanted:
        if name not in found:
            there = (
                f"there are {', '.join(sorted(found))}; a package offers its own by the entry point {GROUP}"
            )
            hint = did_you_mean(name, found) or there
            raise settings.refused(["modules"], f'no module "{name}" is installed', hint)
        if wanted.count(name) > 1:
            raise settings.refused(["modules"], f'"{name}" is there twice', "name it once")
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
