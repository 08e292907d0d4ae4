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


def read(file: Path) -> str:
    """The text of an author's file. Raises FlowSyntaxError where it isn't UTF-8."""
    from wabot.engine.problems import Place, Problem
    from wabot.errors import FlowSyntaxError

    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        problem = Problem(Place(display(file)), "not-utf-8", "the file isn't UTF-8", "save it as UTF-8")
        raise FlowSyntaxError(problems=[problem]) from None


def with_neighbours(file: Path) -> list[Path]:
    """A flow's file, then those beside it that it names, as `invoke` and `digress` do, and so on.

    A flow is looked for in the file of its name. Nothing else is read: whatever lies in a
    directory may lie beside a flow.
    """
    files = [file]
    for known in files:
        for name in sorted(_flows_named(known)):
            beside = (file.parent / f"{name}{suffix}" for suffix in SUFFIXES)
            files += [path for path in beside if path.is_file() and path not in files]
    return files


def _flows_named(file: Path) -> set[str]:
    """The flows that a file names; none where it can't be read, which is for others to tell."""
    from wabot.engine.yaml import read_yaml, walk
    from wabot.errors import FlowError

    try:
        data, _ = read_yaml(read(file), str(file))
    except FlowError:
        return set()
    names: set[str] = set()
    for path, value in walk(data):
        if isinstance(value, str) and "/" not in value:
            above = [part for part in path[-3:] if isinstance(part, str)]
            if above[-1:] == ["digress"] or (above[-1:] in (["flow"], ["src"]) and len(above) > 1):
                names.add(value)
    return names
