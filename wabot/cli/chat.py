"""`wabot chat`: talk to a flow at the terminal, through the real runtime."""

import contextlib
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from wabot.bootstrap import load_settings
from wabot.cli import panes
from wabot.cli.screen import show, show_error
from wabot.cli.talk import Talk
from wabot.core.fallback import numbered
from wabot.core.messages import Outbound
from wabot.errors import UsageError, WabotError
from wabot.settings import FILE, Settings
from wabot.testing.places import project_of
from wabot.testing.projects import settings_of_flow


def run(
    source: Path | None, *, trace: bool, phone: str, name: str, locale: str | None, database: str | None
) -> None:
    """Talk until the input ends. From a pipe, leave with 1 where a turn failed."""
    settings = chosen(source, database)
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    chat = Chat.open(settings, phone=phone, name=name, trace=trace, at_terminal=at_terminal)
    with contextlib.closing(chat):
        if locale:
            chat.talk.speak(locale)
        chat.go_on(typed() if at_terminal else _piped())
    if chat.failed and not at_terminal:
        raise SystemExit(1)


def chosen(source: Path | None, database: str | None) -> Settings:
    """The settings to talk under. Raises UsageError where there is nothing to talk to."""
    if source is not None and source.is_file():
        settings = settings_of_flow(source)
        folder = (project_of(source) or source.absolute().parent) / ".wabot"
        if database is None:
            folder.mkdir(exist_ok=True)
        name = re.sub(r"[^\w-]", "_", settings.flow)
        database = database or str(folder / f"{name}.db")
    elif source is not None and not (source / FILE).is_file():
        raise UsageError(f"{source} is no project and no flow", hint=f"a project has a {FILE}")
    else:
        folder = source or project_of(Path()) or Path()
        if not (folder / FILE).is_file():
            raise UsageError(
                "there is no project here", hint="name a flow's file, or make one with wabot new"
            )
        settings = load_settings(folder)
    if database is None:
        return settings
    url = database if "://" in database else f"sqlite:///{Path(database).absolute()}"
    return settings.model_copy(update={"database": SecretStr(url)})


def _piped() -> Iterator[str]:
    for line in sys.stdin:
        yield line.rstrip("\r\n")


def typed() -> Iterator[str]:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - input() then knows arrows and history
    while True:
        try:
            yield input("you: ")
        except EOFError:
            print()
            return


def plain(message: Outbound) -> None:
    """A message of the bot where there is no terminal: its text, then an empty line."""
    print(f"{numbered(message)}\n", flush=True)


@dataclass(slots=True)
class Chat:
    """The loop: a line is a message, or a command that begins with a slash."""

    talk: Talk
    trace: bool
    at_terminal: bool
    failed: bool = field(default=False)

    @classmethod
    def open(cls, settings: Settings, *, phone: str, name: str, trace: bool, at_terminal: bool) -> "Chat":
        shown = panes.bubble if at_terminal else plain
        talk = Talk(settings, shown, phone=phone, name=name, buttons=at_terminal)
        return cls(talk, trace, at_terminal)

    def close(self) -> None:
        self.talk.close()

    def go_on(self, lines: Iterator[str]) -> None:
        """Take lines until there are no more, or `/quit`."""
        if self.at_terminal:
            show(*panes.greeting(self.talk))
        self.talk.settle()
        self._after()
        for line in lines:
            try:
                if not self._take(line.strip()):
                    return
            except UsageError as error:
                self.failed = True
                show_error(error)
            self._after()

    def _take(self, line: str) -> bool:
        if not line:
            self.talk.settle()
        elif line.startswith("//"):
            self.talk.say(line[1:])
        elif line.startswith("/"):
            return self._command(line)
        else:
            self.talk.say(line)
        return True

    def _after(self) -> None:
        for step in self.talk.steps():
            if self.trace:
                show(*panes.trace(self.talk, step))
        for error in self.talk.errors():
            self.failed = True
            if isinstance(error, WabotError):
                show_error(error)
            else:
                # A module's own code: whoever wrote it wants to see where.
                traceback.print_exception(error)

    def _command(self, line: str) -> bool:
        name, _, rest = line[1:].partition(" ")
        if name in ("quit", "exit", "q"):
            return False
        if name not in COMMANDS:
            raise UsageError(
                f"there is no /{name}", hint="/help lists what there is; // sends a text with a slash"
            )
        COMMANDS[name](self, rest.strip())
        return True

    def do_help(self, rest: str) -> None:
        show(*panes.HELP)

    def do_state(self, rest: str) -> None:
        show(*panes.state(self.talk))

    def do_events(self, rest: str) -> None:
        show(*panes.events(self.talk))

    def do_reset(self, rest: str) -> None:
        self.talk.forget()
        show("The conversation is forgotten; your next message begins anew.")

    def do_wait(self, rest: str) -> None:
        self.talk.wait(rest)

    def do_tap(self, rest: str) -> None:
        self.talk.tap(rest)

    def do_locale(self, rest: str) -> None:
        self.talk.speak(rest)

    def do_trace(self, rest: str) -> None:
        self.trace = not self.trace
        show(f"Traces are {'shown' if self.trace else 'hidden'}.")

    def do_done(self, rest: str) -> None:
        id, _, text = rest.partition(" ")
        try:
            data = json.loads(text) if text.strip() else None
        except ValueError as error:
            raise UsageError(f"this is not JSON: {error}", hint='/done lookup {"status": 200}') from None
        self.talk.finish(id, data, failed=False)

    def do_fail(self, rest: str) -> None:
        id, _, text = rest.partition(" ")
        self.talk.finish(id, {"message": text.strip()}, failed=True)


COMMANDS: dict[str, Callable[[Chat, str], None]] = {
    "help": Chat.do_help,
    "state": Chat.do_state,
    "events": Chat.do_events,
    "reset": Chat.do_reset,
    "wait": Chat.do_wait,
    "tap": Chat.do_tap,
    "locale": Chat.do_locale,
    "trace": Chat.do_trace,
    "done": Chat.do_done,
    "fail": Chat.do_fail,
}
