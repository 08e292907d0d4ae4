"""Where in its file a mistake in the settings is."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wabot.engine.problems import Place, Problem
from wabot.errors import ConfigurationError, SettingsError
from wabot.settings import FILE
from wabot.testing.places import display

CODE = "settings"
_IN_A_FILE = re.compile(r"(?P<file>.+?):(?P<line>[0-9]+): (?P<what>.+)")
_NO_TOML = re.compile(r"(?P<what>.+) \(at line (?P<line>[0-9]+), column (?P<column>[0-9]+)\)")

Keys = tuple[str, ...]


def problems_of(error: ConfigurationError, folder: Path) -> list[Problem]:
    """What keeps the project in `folder` from running: at its key, at the line of a file that it leads to,
    or at the variable of the environment that gave it."""
    found = [_IN_A_FILE.fullmatch(line) for line in error.message.splitlines()]
    if any(each and Path(each["file"]).is_file() for each in found):
        return [
            Problem(
                Place(display(Path(each["file"])), int(each["line"])), CODE, each["what"], error.hint or ""
            )
            for each in found
            if each
        ]
    file = folder / FILE
    source = error.source if isinstance(error, SettingsError) else ""
    message = error.message.removeprefix(f"{source}: ").removeprefix(f"{file}: ")
    place = Place(source, 0, 0)
    if source in ("", FILE):
        place = Place(display(file), 0, 0)
        if wrong := _NO_TOML.fullmatch(message):
            message, place = wrong["what"], Place(place.file, int(wrong["line"]), int(wrong["column"]))
        elif isinstance(error, SettingsError) and error.keys:
            place = place_of(file, error.keys)
    return [Problem(place, CODE, message, error.hint or "")]


def place_of(file: Path, keys: Sequence[str]) -> Place:
    """Of this key in a TOML file; of the nearest table around it, where it isn't there."""
    best, place = 0, Place(display(file), 0, 0)
    for path, line, column in _keys_of(file.read_text(encoding="utf-8-sig")):
        shared = len(path) if path == tuple(keys[: len(path)]) else 0
        if shared > best:
            best, place = shared, Place(place.file, line, column)
    return place


def _keys_of(text: str) -> Iterator[tuple[Keys, int, int]]:
    """Each key with its tables, and the line and column where it is written."""
    table: Keys = ()
    statement, begins = "", 1
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        statement += line
        try:
            data = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # It goes on: a list or a text of several lines.
        header = statement.lstrip().startswith("[")
        for path in _paths(data):
            whole = path if header else (*table, *path)
            yield whole, *_position(statement, begins, path[-1])
            table = whole if header else table
        statement, begins = "", number + 1


def _paths(data: Any, above: Keys = ()) -> Iterator[Keys]:
    """The paths of a statement's keys, the outer ones first."""
    if isinstance(data, list) and data and isinstance(data[0], dict):
        data = data[0]
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*above, key)
            yield from _paths(value, (*above, key))


def _position(statement: str, begins: int, key: str) -> tuple[int, int]:
    found = re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", statement)
    before = statement[: found.start() if found else 0]
    return begins + before.count("\n"), len(before) - (before.rfind("\n") + 1) + 1
