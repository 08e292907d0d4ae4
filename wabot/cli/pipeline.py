"""`wabot pipeline`: what a message goes through."""

import inspect
from pathlib import Path

from wabot.bootstrap import build
from wabot.cli.run import settings_here
from wabot.cli.screen import show, show_json, table
from wabot.core.ports import NoDoorbell
from wabot.pipeline.compose import Middleware, name_of


def run(project: Path | None, *, as_json: bool) -> None:
    """Show the middleware of the project in the order in which a message meets them."""
    settings = settings_here(project)
    # In memory: showing an order must not touch the project's database.
    shown = settings.model_copy(update={"database": type(settings.database)("sqlite://"), "redis": None})
    with build(shown, doorbell=NoDoorbell()).bind() as app:
        rows = [(name_of(each), _home(each), _summary(each)) for each in app.pipeline.middleware]
    if as_json:
        show_json([{"name": name, "module": home, "summary": summary} for name, home, summary in rows])
    else:
        show(*table(rows, {"middleware": "bold", "module": "", "does": ""}))


def _home(middleware: Middleware) -> str:
    return str(getattr(middleware, "__module__", "") or type(middleware).__module__)


def _summary(middleware: Middleware) -> str:
    """The first sentence of its docstring; for one of ours, of its module's."""
    documented = middleware if hasattr(middleware, "__name__") else type(middleware)
    home = _home(middleware)
    text = inspect.getdoc(documented) or (
        inspect.getdoc(inspect.getmodule(documented)) if home.startswith("wabot.pipeline.") else ""
    )
    return " ".join((text or "").split("\n\n")[0].split())
