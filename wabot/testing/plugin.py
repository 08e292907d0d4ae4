"""The pytest plugin: collects conversations written in YAML, and offers them as fixtures.

A YAML file is taken where it lies in a wabot project (a `wabot.toml` above it) and has the key
`conversations` or `conversation` at its top; any other is left alone. What is needed to play one is
imported when the first is found: pytest loads this module in every run.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wabot.testing.places import SUFFIXES, display, project_of, read

if TYPE_CHECKING:
    from wabot.testing.conversation import Conversation
    from wabot.testing.files import Case
    from wabot.testing.outcome import Outcome
    from wabot.testing.projects import Project

_projects = pytest.StashKey[dict[Path, "Project"]]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ConversationFile | None":
    if file_path.suffix not in SUFFIXES or project_of(file_path.parent) is None:
        return None
    from wabot.testing.files import looks_like_cases

    return ConversationFile.from_parent(parent, path=file_path) if looks_like_cases(file_path) else None


def pytest_unconfigure(config: pytest.Config) -> None:
    for project in config.stash.get(_projects, {}).values():
        project.close()


class ConversationFile(pytest.File):
    """A file of conversations."""

    def collect(self) -> Iterable["ConversationItem"]:
        from wabot.errors import FlowError
        from wabot.testing.files import read_cases

        try:
            cases = read_cases(display(self.path), read(self.path))
        except FlowError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            yield ConversationItem.from_parent(self, name=case.name, case=case)


class ConversationItem(pytest.Item):
    """One conversation."""

    def __init__(self, *, case: "Case", **options: Any) -> None:
        super().__init__(**options)
        self.case = case

    def runtest(self) -> None:
        from wabot.testing.player import play

        outcome = play(self.case, open_project(self.config, self.path))
        if outcome.status == "skipped":
            pytest.skip(self.case.settings.skip)
        if outcome.failures:
            raise ConversationFailed(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from wabot.errors import WabotError

        if isinstance(excinfo.value, ConversationFailed | WabotError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.start.line - 1, f"conversation: {self.name}"


class ConversationFailed(AssertionError):
    """A conversation went another way than it was written."""

    def __init__(self, outcome: "Outcome") -> None:
        self.outcome = outcome
        super().__init__("\n\n".join(map(str, outcome.failures)))


def open_project(config: pytest.Config, path: Path) -> "Project":
    """The project that `path` is in, read once a run. Raises UsageError where it is in none."""
    from wabot.errors import UsageError
    from wabot.testing.projects import Project

    folder = project_of(path)
    if folder is None:
        raise UsageError(f"{path} is in no project", hint="put a wabot.toml above it: wabot new makes one")
    known = config.stash.setdefault(_projects, {})
    if folder not in known:
        known[folder] = Project.open(folder)
    return known[folder]


@pytest.fixture
def wabot_project(request: pytest.FixtureRequest) -> "Project":
    """The project that the test's own file is in."""
    return open_project(request.config, request.path)


@pytest.fixture
def new_conversation(request: pytest.FixtureRequest) -> Iterator[Callable[..., "Conversation"]]:
    """Begins conversations: `new_conversation(locale="hi")`, or with a source of its own first.

    Takes the arguments of `wabot.testing.Conversation`; closes what it began.
    """
    from wabot.testing.conversation import Conversation

    begun: list[Conversation] = []

    def begin(source: Any = None, **options: Any) -> Conversation:
        begun.append(Conversation(source or open_project(request.config, request.path), **options))
        return begun[-1]

    yield begin
    for conversation in begun:
        conversation.close()


@pytest.fixture
def conversation(new_conversation: Callable[..., "Conversation"]) -> "Conversation":
    """A conversation with the project that the test's own file is in."""
    return new_conversation()
