"""The flows and texts that belong to one flow's file: its project's, or what lies beside it."""

from dataclasses import dataclass
from pathlib import Path

from wabot.engine.library import Library
from wabot.engine.loader import Source, load_flow
from wabot.engine.texts import Texts
from wabot.errors import FlowError
from wabot.settings import load_settings
from wabot.testing.places import display, project_of, read, with_neighbours


@dataclass(frozen=True, slots=True)
class Flows:
    """One flow, and the library in which it runs."""

    source: Source
    library: Library

    @classmethod
    def of(cls, file: Path) -> "Flows":
        """Raises FlowError where the flow itself can't be used; a neighbour that can't is left out."""
        source = load_flow(read(file), display(file))
        sources, folders, default = [source], text_folders(file), "en"
        project = project_of(file)
        if project is not None:
            settings = load_settings(project)
            sources += neighbours(settings.flow_files, file)
            folders, default = list(settings.text_directories), settings.locale
        else:
            sources += neighbours(with_neighbours(file), file)
        known = {(source.flow, source.version)}
        unique = [source]
        for other in sources[1:]:
            if (other.flow, other.version) not in known:
                known.add((other.flow, other.version))
                unique.append(other)
        texts = Texts.load(folders, default=default, display=display)
        return cls(source, Library(unique, texts))


def text_folders(file: Path) -> list[Path]:
    """Where the texts of a flow that is in no project may lie."""
    return [folder for folder in (file.parent / "texts", file.parent.parent / "texts") if folder.is_dir()]


def neighbours(files: list[Path], file: Path) -> list[Source]:
    found = []
    for other in files:
        if other.resolve() != file.resolve():
            try:
                found.append(load_flow(read(other), display(other)))
            except FlowError:
                continue
    return found
