"""What a conversation runs on: a project's settings, flows, texts and modules, read once."""

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir
from typing import Self

from pydantic import SecretStr

from wabot.app import App, load_flows, load_texts
from wabot.bootstrap import build, modules_of
from wabot.core.module import Module
from wabot.core.ports import Channel, Clock, Ids
from wabot.engine.loader import Source as FlowSource
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.errors import UsageError
from wabot.settings import FILE, RateLimitSettings, Settings, load_settings
from wabot.testing.fakes import ManualClock
from wabot.testing.places import SUFFIXES, display, project_of, read, with_neighbours
from wabot.testing.stage import Stage

Source = Path | str
IN_MEMORY = "sqlite://"


@dataclass(frozen=True, eq=False)
class Project:
    """A project, or a single flow with what lies beside it. Read once, however many conversations it has.

    `text` is a flow that is in no file, `extra` are modules beside the installed ones. Settings of the
    environment are left out, so that tests mean the same everywhere.
    """

    settings: Settings
    text: str = ""
    extra: tuple[Module, ...] = ()
    _idle: list[Stage] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        # Who forgets to close it leaves no open connection behind.
        weakref.finalize(self, _close_all, self._idle)

    @classmethod
    def open(cls, source: Source, *, modules: Iterable[Module] = ()) -> Self:
        """`source` is a project's directory, a flow's file, or the YAML text of a flow; `modules` are
        taken beside those that the settings name.

        Raises UsageError where there is no such thing, SettingsError for settings that are wrong.
        """
        if isinstance(source, str) and "\n" in source:
            settings = Settings(directory=Path(gettempdir()), flows=[], texts=[])
            return cls(settings, source, tuple(modules))
        path = Path(source)
        if path.is_dir():
            if not (path / FILE).is_file():
                raise UsageError(f"{path} is no project", hint=f"a project has a {FILE}; wabot new makes one")
            return cls(load_settings(path, environment={}), extra=tuple(modules))
        if not path.is_file():
            raise UsageError(
                f"there is no {path}", hint="name a project, a flow's file, or give a flow's text"
            )
        return cls(settings_of_flow(path, environment={}), extra=tuple(modules))

    @cached_property
    def sources(self) -> list[FlowSource]:
        """Raises FlowInvalid with the findings of all files."""
        if self.text:
            return [load_flow(self.text, "flow.yaml")]
        return load_flows(self.settings)

    @cached_property
    def texts(self) -> Texts:
        return load_texts(self.settings)

    @cached_property
    def modules(self) -> list[Module]:
        return [*modules_of(self.settings), *self.extra]

    def verify(self) -> None:
        """Put the app together once. Raises what keeps it from running: FlowInvalid, SettingsError."""
        self.give_back(self.borrow(ManualClock().now()))

    def borrow(self, now: datetime, flow: str | None = None) -> Stage:
        """A stage as if it were new; `flow` starts the conversations. Raises what `verify` does."""
        stage = next((kept for kept in self._idle if kept.flow == flow), None)
        if stage is None:
            stage = Stage(self, flow)
        else:
            self._idle.remove(stage)
        stage.set(now)
        return stage

    def give_back(self, stage: Stage) -> None:
        """The conversation on `stage` is over."""
        self._idle.append(stage)

    def close(self) -> None:
        """Let go of the databases; the project can be used again all the same."""
        _close_all(self._idle)

    def app(
        self, channel: Channel, clock: Clock, ids: Ids, *, flow: str | None = None, database: str = IN_MEMORY
    ) -> App:
        """An app of this project, not bound yet; `flow` starts the conversations."""
        # No service, and nobody who writes too fast: in a test no time passes between two messages.
        chosen: dict[str, object] = {
            "database": SecretStr(database),
            "redis": None,
            "rate_limit": RateLimitSettings(per_minute=0),
        }
        if flow:
            chosen["flow"] = flow
        return build(
            self.settings.model_copy(update=chosen),
            modules=self.modules,
            channel=channel,
            clock=clock,
            ids=ids,
            sources=self.sources,
            texts=self.texts,
            outside=False,
        )


def _close_all(idle: list[Stage]) -> None:
    while idle:
        idle.pop().close()


def settings_of_flow(file: Path, environment: dict[str, str] | None = None) -> Settings:
    """The settings under which a flow's file runs: its project's, or defaults with the flows that it
    names. Raises FlowError where the flow itself can't be read."""
    folder = project_of(file)
    if folder is None:
        file = file.absolute()
        settings = Settings(directory=file.parent, flows=with_neighbours(file), texts=text_folders(file))
    else:
        settings = load_settings(folder, environment=environment)
        known = [path.resolve() for path in settings.flow_files]
        if file.resolve() not in known:
            settings = settings.model_copy(update={"flows": [*settings.flows, file.absolute()]})
    flow = load_flow(read(file), display(file)).flow
    return settings.model_copy(update={"flow": flow})


def text_folders(file: Path) -> list[Path]:
    """Where the texts of a flow that is in no project may lie: beside it, or beside its directory."""
    home = file.absolute().parent
    return [folder for folder in (home.parent / "texts", home / "texts") if folder.is_dir()]


def tests_of(settings: Settings) -> Sequence[Path]:
    """The test files of a project."""
    folder = settings.path(Path("tests"))
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES) if folder.is_dir() else []
