"""`wabot test`: plays the conversations written under tests/."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from wabot.cli.screen import console, counted, show, show_json, show_problems, table
from wabot.engine.problems import Problem
from wabot.errors import FlowError, UsageError
from wabot.testing.coverage import Coverage, percent
from wabot.testing.files import Case, looks_like_cases, read_cases
from wabot.testing.junit import junit
from wabot.testing.outcome import Outcome
from wabot.testing.places import SUFFIXES, display, project_of, read
from wabot.testing.player import play
from wabot.testing.projects import Project, tests_of
from wabot.testing.update import rewritten

MARKS = {
    "passed": (".", "green"),
    "failed": ("F", "bold red"),
    "error": ("E", "bold red"),
    "skipped": ("s", "yellow"),
}
PARTLY = "  with -k not everything is played, so what was never taken is not listed"


@dataclass(frozen=True, slots=True)
class Options:
    match: str = ""
    update: bool = False
    junit: Path | None = None
    coverage: bool = True
    fail_under: float | None = None
    as_json: bool = False


@dataclass(slots=True)
class Run:
    """All that was played, and the files that couldn't be read."""

    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    coverage: dict[Path, Coverage] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not self.problems and all(o.status in ("passed", "skipped") for o in self.outcomes)

    @property
    def percent(self) -> float:
        flows = [flow for coverage in self.coverage.values() for flow in coverage.flows()]
        taken = sum(flow.states_taken + flow.transitions_taken for flow in flows)
        return percent(taken, sum(flow.states + flow.transitions for flow in flows))

    def count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)


def run(paths: Sequence[Path], options: Options) -> None:
    """Play, report, and leave with 1 where a conversation went another way or coverage is too low."""
    with ExitStack() as stack:
        done = _play(paths, options, stack)
    if options.junit:
        options.junit.write_text(junit(done.outcomes), encoding="utf-8")
    low = options.fail_under is not None and done.percent < options.fail_under
    if options.as_json:
        show_json(_as_json(done, options))
    else:
        _report(done, options)
        if low:
            show(Text(f"coverage {done.percent:.1f}% is below {options.fail_under:g}%", "bold red"))
    if low or not done.good:
        raise SystemExit(1)


def _play(paths: Sequence[Path], options: Options, stack: ExitStack) -> Run:
    done = Run()
    projects: dict[Path, Project] = {}
    for file in find(paths):
        folder = project_of(file)
        if folder is None:
            raise UsageError(
                f"{display(file)} is in no project", hint="put a wabot.toml above it: wabot new makes one"
            )
        try:
            cases = [case for case in read_cases(display(file), read(file)) if _wanted(case, options)]
        except FlowError as error:
            done.problems += error.problems
            continue
        if cases and folder not in projects:
            projects[folder] = project = stack.enter_context(closing(Project.open(folder)))
            project.verify()
            done.coverage[folder] = Coverage(project.sources)
        _play_file(file, cases, projects.get(folder), done, options)
    if not done.outcomes and not done.problems:
        raise UsageError("there is no conversation to play", hint="write one into tests/, or mend the -k")
    return done


def _play_file(
    file: Path, cases: Sequence[Case], project: Project | None, done: Run, options: Options
) -> None:
    if project is None or not cases:
        return
    screen = console()
    if not options.as_json:
        screen.print(f"{display(file)}  ", end="")
    played = []
    for case in cases:
        outcome = play(case, project, update=options.update)
        played.append(outcome)
        done.coverage[project.settings.directory].record(outcome.trace)
        if not options.as_json:
            screen.print(Text(*MARKS[outcome.status]), end="")
    done.outcomes += played
    updates = [update for outcome in played for update in outcome.updates]
    if updates:
        file.write_text(rewritten(file.read_text("utf-8"), updates), encoding="utf-8")
    if not options.as_json:
        screen.print(f"  {counted(len(updates), 'answer')} written" if updates else "")


def find(paths: Sequence[Path]) -> Iterator[Path]:
    """The test files of these files, directories and projects; of the project here without any."""
    for path in paths or [_here()]:
        if path.is_file():
            yield path
        elif not path.is_dir():
            raise UsageError(f"there is no {path}", hint="name a test file or a directory")
        elif (path / "wabot.toml").is_file():
            yield from tests_of(Project.open(path).settings)
        else:
            files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
            yield from (file for file in files if looks_like_cases(file))


def _here() -> Path:
    folder = project_of(Path())
    if folder is None:
        raise UsageError("there is no project here", hint="make one with wabot new")
    return folder


def _wanted(case: Case, options: Options) -> bool:
    return options.match.casefold() in str(case).casefold()


def _as_json(done: Run, options: Options) -> dict[str, object]:
    made: dict[str, object] = {
        "passed": done.count("passed"),
        "failed": done.count("failed"),
        "errors": done.count("error") + len(done.problems),
        "skipped": done.count("skipped"),
        "conversations": [outcome.as_json() for outcome in done.outcomes],
        "problems": [problem.as_json() for problem in done.problems],
    }
    if options.coverage:
        flows = [flow.as_json() for coverage in done.coverage.values() for flow in coverage.flows()]
        made["coverage"] = {"percent": round(done.percent, 1), "flows": flows}
    return made


def _report(done: Run, options: Options) -> None:
    for outcome in done.outcomes:
        if outcome.failures:
            show("", Text(f"{outcome.case.name}", "bold"), *map(_coloured, _failure_lines(outcome)))
    if done.problems:
        show("")
        show_problems(done.problems)
    show("", _summary(done))
    if options.coverage and done.coverage:
        show("", *_coverage(done, options))


def _failure_lines(outcome: Outcome) -> Iterable[str]:
    for failure in outcome.failures:
        yield from str(failure).splitlines()


def _coloured(line: str) -> Text:
    mark = line.strip()[:2]
    return Text(line, {"- ": "red", "+ ": "green"}.get(mark, ""))


def _summary(done: Run) -> Text:
    seconds = sum(outcome.seconds for outcome in done.outcomes)
    parts = [f"{done.count('passed')} passed"]
    for status, word in (("failed", "failed"), ("skipped", "skipped")):
        if done.count(status):
            parts.append(f"{done.count(status)} {word}")
    if wrong := done.count("error") + len(done.problems):
        parts.append(counted(wrong, "error"))
    return Text(f"{', '.join(parts)} in {seconds:.2f} s", "bold green" if done.good else "bold red")


def _coverage(done: Run, options: Options) -> list[Text]:
    flows = [flow for coverage in done.coverage.values() for flow in coverage.flows()]
    rows = [
        (
            flow.flow,
            f"{flow.states_taken}/{flow.states}",
            f"{flow.transitions_taken}/{flow.transitions}",
            f"{flow.percent:.0f}%",
        )
        for flow in flows
    ]
    columns = {"flow": "bold", "states": "", "transitions": "", "covered": ""}
    if options.match:
        return [*table(rows, columns), Text(PARTLY, "dim")]
    missing = [
        Text(f"  {place}  {item.label}  never taken", "dim") for flow in flows for item, place in flow.missing
    ]
    return [*table(rows, columns), *missing]
