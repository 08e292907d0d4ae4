"""`wabot db`: the schema of a project's database."""

from contextlib import closing
from pathlib import Path

from wabot.bootstrap import modules_of
from wabot.cli import run as running
from wabot.cli.screen import show, show_json
from wabot.core.database import Database
from wabot.core.migrate import pending
from wabot.core.migrate import upgrade as upgrade_schema
from wabot.settings import Settings


def upgrade(project: Path | None, *, as_json: bool) -> None:
    """Bring the tables of wabot and of the project's modules to their newest form."""
    settings = running.settings_here(project)
    with closing(Database(settings.database_url)) as database:
        changed = upgrade_schema(database, modules_of(settings))
    if as_json:
        show_json({"database": _shown(settings), "upgraded": changed})
    else:
        show(f"{_shown(settings)}: {'upgraded ' + ', '.join(changed) if changed else 'nothing to do'}")


def current(project: Path | None, *, as_json: bool) -> None:
    """Say whose tables aren't in their newest form, and leave with 1 where there are any."""
    settings = running.settings_here(project)
    with closing(Database(settings.database_url)) as database:
        behind = pending(database, modules_of(settings))
    if as_json:
        show_json({"database": _shown(settings), "pending": behind})
    elif behind:
        show(
            f"{_shown(settings)}: not up to date are the tables of {', '.join(behind)}",
            "  mend: wabot db upgrade",
        )
    else:
        show(f"{_shown(settings)}: up to date")
    if behind:
        raise SystemExit(1)


def _shown(settings: Settings) -> str:
    """The URL without its password."""
    from sqlalchemy.engine import make_url

    return make_url(settings.database_url).render_as_string(hide_password=True)
