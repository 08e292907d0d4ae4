"""Where a project is: the directory with wabot.toml, here or above."""

from pathlib import Path

SETTINGS = "wabot.toml"


def project_of(path: Path) -> Path | None:
    """The nearest directory at or above `path` that holds wabot.toml."""
    path = path.absolute()
    for folder in (path, *path.parents):
        if (folder / SETTINGS).is_file():
            return folder
    return None


def display(path: Path) -> str:
    """`path` as a message shows it: from here, where it is below here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
