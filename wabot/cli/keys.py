"""`wabot keys`: who may use the HTTP API."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from wabot.app.parts import prepare
from wabot.bootstrap import modules_of
from wabot.cli.run import settings_here
from wabot.cli.screen import show, show_json, table
from wabot.core.database import Database
from wabot.core.ports import SystemClock
from wabot.engine.problems import did_you_mean
from wabot.errors import UsageError
from wabot.runtime import keys
from wabot.runtime.keys import ApiKey
from wabot.settings import Settings


def new(name: str, scopes: Sequence[str], project: Path | None, *, as_json: bool) -> None:
    """Raises UsageError for a scope that no route of this project asks for."""
    settings = settings_here(project)
    known = keys.known_scopes(module.name for module in modules_of(settings))
    for scope in scopes:
        if scope not in known:
            hint = did_you_mean(scope, known) or f"there are {', '.join(known)}"
            raise UsageError(f'"{scope}" is no scope', hint=hint)
    with _database(settings) as database:
        made, secret = keys.new_key(database, SystemClock(), name, scopes)
    if as_json:
        show_json({**_as_json(made), "key": secret})
        return
    show(secret, f"  for {_scopes(made)}; it is shown this once: keep it where secrets are kept")


def list_all(project: Path | None, *, as_json: bool) -> None:
    with _database(settings_here(project)) as database:
        found = keys.api_keys(database)
    if as_json:
        show_json([_as_json(key) for key in found])
    elif found:
        rows = [
            (key.prefix, key.name, _scopes(key), f"{key.created_at:%Y-%m-%d %H:%M}", _state(key))
            for key in found
        ]
        show(*table(rows, {"prefix": "bold", "name": "", "scopes": "", "made": "", "state": ""}))
    else:
        show("There is no key yet: wabot keys new NAME --scope admin")


def revoke(prefix: str, project: Path | None, *, as_json: bool) -> None:
    with _database(settings_here(project)) as database:
        changed = keys.revoke(database, SystemClock(), prefix)
    if as_json:
        show_json({"revoked": changed})
    else:
        show("The key opens nothing any more." if changed else "It was revoked before.")


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    with closing(Database(settings.database_url)) as database:
        # A deployment's first key is made before anything has run.
        prepare(database, modules_of(settings))
        yield database


def _scopes(key: ApiKey) -> str:
    return ", ".join(sorted(key.scopes))


def _state(key: ApiKey) -> str:
    return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "open"


def _as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }
