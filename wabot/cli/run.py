"""`wabot run`: the whole runtime in this process, until it is told to stop."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from wabot.adapters.metrics import metrics_at, read_address
from wabot.app import App
from wabot.bootstrap import build, configure_logging, import_web, import_wsgi, load_settings
from wabot.core.doors import WebSettings
from wabot.errors import UsageError
from wabot.runtime import Sweeper
from wabot.runtime.keys import any_key
from wabot.settings import FILE, Settings
from wabot.testing.places import display, project_of

CONSOLE = "No provider in the settings: what the bot says is shown here. wabot chat talks to it."

AT_HOME = "leave --host out; or take dev out of [web], and make a key: wabot keys new NAME --scope admin"


def run(
    project: Path | None, *, web: bool | None, host: str | None, port: int | None, metrics: str | None = None
) -> None:
    """Sweep until SIGTERM or Ctrl-C, and serve HTTP beside it; the piece of work in hand is finished first.

    Without a word on `web` there is a server where anybody could use it: a provider or a key is there.
    """
    settings = with_options(settings_here(project), {"host": host, "port": port})
    address = read_address(metrics) if metrics else None
    configure_logging(settings)
    with build(settings).bind() as app, metrics_at(address, app.metrics_text):
        sweeper = app.sweeper()
        served = _server(app) if web or (web is None and _wanted(app)) else None
        with stopped_by_signals(sweeper), served or nullcontext():
            told = f", the web server at {served.url}" if served else ""
            say(f"{project_name(settings)} runs{told}; Ctrl-C stops it.")
            if served:
                say(who_needs_a_key(app))
            if not app.webhooks:
                say(CONSOLE)
            sweeper.run()
    say("Stopped.")


def say(line: str) -> None:
    """To whoever watches the process: standard output is for what the bot says."""
    print(line, file=sys.stderr, flush=True)


def project_name(settings: Settings) -> str:
    """The project's directory as lines of a process name it."""
    shown = display(settings.directory)
    return shown if shown != "." else settings.directory.resolve().name or shown


def who_needs_a_key(app: App) -> str:
    """Whether the HTTP API asks for keys, and why."""
    if not app.settings.web.dev:
        return "The HTTP API asks for a key: wabot keys list shows those there are."
    if any_key(app.database):
        return (
            "The HTTP API asks for a key, though dev is on in [web]: there is one, as wabot keys list shows."
        )
    return "Until wabot keys new makes a key, programs on this machine need none: dev is on in [web]."


def _wanted(app: App) -> bool:
    """Whether somebody could come in: a provider by its webhook, or a program with a key."""
    return bool(app.webhooks) or app.settings.web.dev or any_key(app.database)


def _server(app: App) -> Any:
    """A server for the app, that works within its `with` block. Raises ConfigurationError where
    there may be none."""
    web = app.settings.web
    application = import_web().create_app(app)
    return import_wsgi().Threads(application, host=web.host, port=web.port, threads=web.threads)


def settings_here(project: Path | None) -> Settings:
    """The settings of this project, or of the one here. Raises UsageError where there is none."""
    return load_settings(folder_here(project))


def folder_here(project: Path | None) -> Path:
    """This project's directory, or that of the one here. Raises UsageError where there is none."""
    folder = project or project_of(Path())
    if folder is None:
        raise UsageError("there is no project here", hint="make one with wabot new")
    if not (folder / FILE).is_file():
        raise UsageError(f"{folder} is no project", hint=f"a project has a {FILE}")
    return folder


def with_options(settings: Settings, options: dict[str, Any]) -> Settings:
    """The settings with what the command line says of `[web]`. Raises UsageError for what can't be."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        web = WebSettings.model_validate({**dict(settings.web), **given})
    except ValidationError as error:
        first = error.errors()[0]
        where = f"--{first['loc'][0]}: " if first["loc"] else ""
        hint = None if first["loc"] else AT_HOME
        raise UsageError(f"{where}{first['msg'].removeprefix('Value error, ')}", hint=hint) from error
    return settings.model_copy(update={"web": web})


@contextmanager
def stopped_by_signals(sweeper: Sweeper) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the sweeper while the block runs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        sweeper.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
