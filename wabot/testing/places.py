"""Where a project is: the directory with wabot.toml, here or above."""

from pathlib import Path

SETTINGS = "wabot.toml"
SUFFIXES = (".yaml", ".yml")


def project_of(path: Path) -> Path | None:
    """The nearest directory at or above `path` that holds wabot.toml."""
    path = path.absolute()
    for folder in (path, *path.parents):
        if (folder / SETTINGS).is_file():
            return folder
    return None


def display(path: Path) -> str:
    """`path` as a message shows it: from here, where it is below here."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
