"""`wabot check`: every finding of flows, texts, tests and settings, with its place and its mend."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from wabot.app.parts import starting_flow, starting_flows
from wabot.bootstrap import build, find_middleware, modules_of
from wabot.cli.findings import problems_of
from wabot.cli.screen import counted, show, show_json, show_problems
from wabot.core.module import bind
from wabot.engine.check import CheckOptions, check
from wabot.engine.loader import Source, load_flow
from wabot.engine.problems import Problem
from wabot.engine.texts import Texts
from wabot.errors import ConfigurationError, FlowError, SettingsError, UsageError
from wabot.settings import FILE, Settings, read_settings
from wabot.testing.files import looks_like_cases, read_cases
from wabot.testing.places import SUFFIXES, display, project_of, read, with_neighbours
from wabot.testing.projects import IN_MEMORY, tests_of, text_folders

_SILENT = "flow: silent\nstates: {silent: {initial: true, final: true}}\n"


def run(paths: Sequence[Path], *, strict: bool, as_json: bool) -> None:
    """Print what is found, and leave with 1 where it is an error, or with `strict` anything."""
    report = Report()
    for path in paths or [Path()]:
        report.add(path, explicit=bool(paths))
    problems = report.sorted
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    if as_json:
        show_json(
            {
                "errors": errors,
                "warnings": warnings,
                "files": len(report.files),
                "problems": [problem.as_json() for problem in problems],
            }
        )
    else:
        show_problems(problems)
        found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}" if problems else "nothing found"
        show(f"{counted(len(report.files), 'file')} checked: {found}")
    if errors or (strict and warnings):
        raise SystemExit(1)


@dataclass(slots=True)
class Report:
    """What was checked, and what was found; a finding that two paths lead to counts once."""

    files: set[Path] = field(default_factory=set)
    problems: set[Problem] = field(default_factory=set)

    @property
    def sorted(self) -> list[Problem]:
        return sorted(self.problems, key=lambda problem: (problem.place, problem.code, problem.message))

    @property
    def _failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def add(self, path: Path, *, explicit: bool = True) -> None:
        """Check a project, a directory or a file. Raises UsageError where there is nothing to check."""
        if path.is_file():
            self._file(path)
        elif not path.is_dir():
            raise UsageError(f"there is no {path}", hint="name a flow, a directory or a project")
        elif (folder := path if (path / FILE).is_file() else None) or not explicit:
            folder = folder or project_of(path)
            if folder is None:
                raise UsageError(
                    "there is no project here", hint="name a flow's file, or make a project with wabot new"
                )
            self._project(folder)
        else:
            self._directory(path)

    @contextmanager
    def _noting(self, folder: Path) -> Iterator[None]:
        """What keeps the project in `folder` from running is a finding."""
        try:
            yield
        except FlowError as error:
            self.problems.update(error.problems)
        except ConfigurationError as error:
            self.problems.update(problems_of(error, folder))

    def _settings(self, folder: Path) -> tuple[Settings, set[str]]:
        """With the defaults in place of what is wrong, and the keys of that. Raises SettingsError where
        nothing can be read."""
        settings, wrong = read_settings(folder)
        try:
            modules_of(settings)
        except SettingsError as error:
            wrong.append(error)
            settings = settings.model_copy(update={"modules": None})
        for each in wrong:
            self.problems.update(problems_of(each, folder))
        return settings, {each.keys[0] for each in wrong if each.keys}

    def _file(self, file: Path) -> None:
        folder = project_of(file)
        if file.name == FILE:
            self._project(file.parent)
        elif looks_like_cases(file):
            self._tests([file])
        elif folder is None:
            self._within([file], loose_settings([file]))
        else:
            with self._noting(folder):
                settings, _ = self._settings(folder)
                if file.resolve().parent in [each.resolve() for each in settings.text_directories]:
                    self._texts(file, settings)
                else:
                    self._within([file], settings)

    def _within(self, files: Sequence[Path], settings: Settings) -> None:
        """These flows alone, among the others of the settings."""
        wanted = {file.resolve() for file in files}
        self._flows(
            files, settings, [other for other in settings.flow_files if other.resolve() not in wanted]
        )

    def _texts(self, file: Path, settings: Settings) -> None:
        """What a project's flows and texts have against this file of texts."""
        everything = Report()
        everything._flows(settings.flow_files, settings)
        self.files.add(file)
        self.problems.update(found for found in everything.problems if found.place.file == display(file))

    def _project(self, folder: Path) -> None:
        self.files.add(folder / FILE)
        with self._noting(folder):
            settings, unknown = self._settings(folder)
            for texts in settings.text_directories:
                self.files.update(path for path in texts.glob("*") if path.suffix in SUFFIXES)
            self._tests(tests_of(settings))
            # Without the right files there would be findings that are none.
            if not unknown & {"flows", "texts"}:
                with self._noting(folder):
                    flows = self._flows(settings.flow_files, settings)
                    if flows and not unknown & {"flow", "senders"}:
                        starting_flow(settings, flows)
            self._start(settings)

    def _start(self, settings: Settings) -> None:
        """Put the app together, on a database in memory: what its settings and modules refuse shows now.

        Where something is wrong already, it starts without that, and with another flow.
        """
        models = {name: module.settings for name, module in bind(modules_of(settings)).modules.items()}
        wrong = settings.wrong_sections(models)
        for error in wrong:
            self.problems.update(problems_of(error, settings.directory))
        with self._noting(settings.directory):
            find_middleware(settings)
        changes: dict[str, Any] = {"database": SecretStr(IN_MEMORY)}
        parts: dict[str, Any] = {}
        if self._failed:
            refused = {error.keys[0] for error in wrong}
            sound = {name: table for name, table in settings.sections.items() if name not in refused}
            changes |= {"flow": "", "senders": {}, "middleware": [], "sections": sound}
            parts = {"sources": [load_flow(_SILENT, FILE)], "texts": Texts()}
        with self._noting(settings.directory):
            build(settings.model_copy(update=changes), **parts).bind().close()

    def _directory(self, folder: Path) -> None:
        """A directory that is no project: its flows and tests, and the projects below it."""
        files = [path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES and path.is_file()]
        tests = [path for path in files if looks_like_cases(path)]
        flows = [path for path in files if path not in tests]
        projects = sorted(file.parent for file in folder.glob(f"*/{FILE}"))
        if not files and not projects:
            raise UsageError(f"there is no flow and no project in {folder}")
        for project in projects:
            self._project(project)
        self._tests(tests)
        if flows and (above := project_of(folder)):
            with self._noting(above):
                self._within(flows, self._settings(above)[0])
        elif flows:
            self._within(flows, loose_settings(flows))

    def _flows(self, files: Sequence[Path], settings: Settings, beside: Sequence[Path] = ()) -> set[str]:
        """Check these flows; `beside` are there to be named by them, and not themselves looked at.

        Gives the names of these, or none where one of them can't be read.
        """
        self.files.update(files)
        sources, failed = _read(files)
        others, _ = _read(beside)
        self.problems.update(failed)
        texts = Texts.load(settings.text_directories, default=settings.locale, display=display)
        known = bind(modules_of(settings))
        starts = starting_flows(settings, {source.flow for source in (*sources, *others)})
        found = check(
            [*sources, *others],
            texts,
            known.commands,
            known.invokes,
            options=CheckOptions(settings.all_locales, _secrets(settings), starts),
        )
        hidden = {source.file for source in others}
        self.problems.update(
            problem for problem in [*found, *texts.problems] if problem.place.file not in hidden
        )
        return set() if failed else {source.flow for source in sources}

    def _tests(self, files: Sequence[Path]) -> None:
        for file in files:
            self.files.add(file)
            try:
                read_cases(display(file), read(file))
            except FlowError as error:
                self.problems.update(error.problems)


def loose_settings(files: Sequence[Path]) -> Settings:
    """Settings for flows that are in no project: with the flows and texts that lie beside them."""
    folder = files[0].absolute().parent
    beside = [path for file in files for path in with_neighbours(file.absolute())]
    return Settings(directory=folder, flows=beside, texts=text_folders(files[0]))


def _secrets(settings: Settings) -> Collection[str] | None:
    """The names of the project's; None for flows that are in no project."""
    return settings.http.secrets.keys() if settings.path(Path(FILE)).is_file() else None


def _read(files: Iterable[Path]) -> tuple[list[Source], list[Problem]]:
    """The flows that can be read, and what is wrong with the others."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for file in files:
        try:
            sources.append(load_flow(read(file), display(file)))
        except FlowError as error:
            problems += error.problems
    return sources, problems
