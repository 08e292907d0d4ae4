"""Plays a written conversation on the real runtime and says where it went another way."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any

from wabot.core.durations import format_duration, parse_duration
from wabot.core.messages import Media, Outbound
from wabot.engine.problems import Place
from wabot.errors import Rejected, WabotError
from wabot.testing.conversation import BEGIN, Conversation, InvokeFailed
from wabot.testing.files import ACTS, MEDIA, Bubble, Case, Sending, Step, Tap
from wabot.testing.matching import as_expected, described, differences, mismatches, shown
from wabot.testing.outcome import Failure, Outcome, as_line
from wabot.testing.projects import Project


def begin(case: Case, project: Project) -> Conversation:
    """The conversation of `case`, with its setup done. Raises what the project's app raises."""
    settings = case.settings
    stubs = {
        id: [
            InvokeFailed(stub.fail) if "fail" in stub.model_fields_set else stub.complete for stub in answers
        ]
        for id, answers in settings.stubs.items()
    }
    conversation = Conversation(
        project,
        flow=settings.flow,
        locale=settings.locale,
        name=settings.contact.name,
        phone=settings.contact.phone,
        now=settings.now or BEGIN,
        stubs=stubs,
    )
    try:
        for commands in settings.setup:
            for name, arguments in commands.items():
                conversation.command(name, arguments or {})
    except BaseException:
        conversation.close()
        raise
    return conversation


def play(case: Case, project: Project, *, update: bool = False) -> Outcome:
    """Play `case` on the real runtime, in memory.

    With `update` an answer of the bot that differs is noted in `Outcome.updates` and is no failure.
    """
    outcome = Outcome(case)
    if case.settings.skip:
        outcome.status = "skipped"
        return outcome
    started = perf_counter()
    player: _Player | None = None
    try:
        with begin(case, project) as conversation:
            player = _Player(case, conversation, outcome, update)
            player.run()
    except WabotError as error:
        outcome.status = "error"
        hint = (f"mend: {error.hint}",) if error.hint else ()
        outcome.failures.append(Failure(_where(case, player), error.message, hint))
    except Exception as error:  # noqa: BLE001 - a module's own code raises anything; the others go on
        outcome.status = "error"
        lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
        outcome.failures.append(
            Failure(_where(case, player), f"{type(error).__name__}: {error}", tuple(lines))
        )
    outcome.seconds = perf_counter() - started
    return outcome


def _where(case: Case, player: "_Player | None") -> Place:
    return case.place(player.index) if player else case.start


class _Different(Exception):
    """What a check found; the conversation stops here."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))


@dataclass(slots=True)
class _Player:
    case: Case
    conversation: Conversation
    outcome: Outcome
    update: bool
    index: int = 0
    read: int = 0
    answered: int | None = None
    result: Any = None
    rejected: str | None = None

    def run(self) -> None:
        try:
            for index, step in enumerate(self.case.steps):
                self.index = index
                self._step(step)
            self._leftover()
        except _Different as different:
            self.outcome.status = "failed"
            self.outcome.failures.append(different.failure)
        finally:
            self.outcome.transcript = self.conversation.transcript
            self.outcome.trace = self.conversation.trace

    def _step(self, step: Step) -> None:
        given = self.case.orders[self.index]
        for name in given:
            if name in ACTS:
                self._leftover()
                self.read, self.answered = 0, None
                self.rejected, self.result = None, None
                getattr(self, f"_do_{name}")(getattr(step, name))
        if self.rejected is not None and "rejected" not in given:
            self._differ(("command",), f"the command was refused: {self.rejected}")
        for name in given:
            if name not in ACTS:
                getattr(self, f"_see_{name}")(getattr(step, name))

    def _differ(self, inner: Sequence[str | int], message: str, lines: Sequence[str] = ()) -> None:
        """Raise what a check found, with what was said before it."""
        said = [as_line(who, text) for who, text in self.conversation.transcript[-6:]]
        context = ["", "so far:", *said] if said else []
        split = tuple(part for line in [*lines, *context] for part in line.split("\n"))
        raise _Different(Failure(self.case.place(self.index, *inner), message, split))

    def _do_contact(self, text: str) -> None:
        self.conversation.say(text)

    def _do_tap(self, tap: Tap) -> None:
        self.conversation.tap(tap.option, message=tap.message)

    def _do_pick(self, tap: Tap) -> None:
        self.conversation.pick(tap.option, message=tap.message)

    def _do_send(self, sending: Sending) -> None:
        if sending.location is not None:
            self.conversation.send(location=sending.location, text=sending.text)
        elif sending.card is not None:
            self.conversation.send(card=sending.card, text=sending.text)
        else:
            kind = next(name for name in MEDIA if getattr(sending, name) is not None)
            value = getattr(sending, kind)
            fields = {"url": value} if isinstance(value, str) else value
            self.conversation.send(media=Media(kind=kind, **fields), text=sending.text)

    def _do_wait(self, length: str) -> None:
        self.conversation.wait(length)

    def _do_complete(self, answers: dict[str, Any]) -> None:
        for id, data in answers.items():
            self.conversation.complete(id, data)

    def _do_fail(self, reasons: dict[str, Any]) -> None:
        for id, data in reasons.items():
            self.conversation.fail(id, data)

    def _do_command(self, commands: dict[str, Any]) -> None:
        for name, arguments in commands.items():
            try:
                self.result = self.conversation.command(name, arguments or {})
            except Rejected as error:
                self.rejected = error.code

    def _see_bot(self, expected: list[Bubble] | None) -> None:
        self.answered = self.index
        unread = self.conversation.replies[self.read :]
        if expected is None:
            self._fill_in(unread)
            return
        last = not self._bot_follows()
        for number, bubble in enumerate(expected):
            if bubble.rest:
                self.read = len(self.conversation.replies)
                return
            if self.read >= len(self.conversation.replies):
                self._missing(number, bubble, unread)
                return
            message = self.conversation.replies[self.read]
            self.read += 1
            if not bubble.any and (found := mismatches(bubble, message)):
                self._wrong(number, len(expected), found, message)
        if last and self.update and self.read < len(self.conversation.replies):
            self._replace(("bot",), unread)

    def _bot_follows(self) -> bool:
        """Whether the next step goes on reading the same answers."""
        following = self.index + 1
        if following >= len(self.case.steps):
            return False
        order = self.case.orders[following]
        return "bot" in order and not set(ACTS) & set(order)

    def _fill_in(self, unread: list[Outbound]) -> None:
        if not self.update:
            said = [f"+ {line}" for message in unread for line in described(message).splitlines()]
            self._differ(("bot",), "nothing is expected here yet; wabot test --update fills it in", said)
        self._replace(("bot",), unread)

    def _missing(self, number: int, bubble: Bubble, unread: list[Outbound]) -> None:
        if self.update:
            self._replace(("bot",), unread)
            return
        wanted = shown(bubble.model_dump(exclude_defaults=True, by_alias=True))
        after = f" after {len(self.conversation.replies)}" if self.conversation.replies else ""
        self._differ(("bot",), f"the bot said nothing more{after}", [f"- {wanted}"])

    def _wrong(self, number: int, total: int, found: list[str], message: Outbound) -> None:
        if self.update:
            raw_is_list = total > 1
            path = ("bot", number) if raw_is_list else ("bot",)
            self.outcome.updates.append(
                ((*self.case.path, self.index, *path), as_expected(message)),
            )
            return
        inner = ("bot", number) if total > 1 else ("bot",)
        got = [f"+ {line}" for line in described(message).splitlines()]
        detail = (
            found if any(line.startswith("text:\n") for line in found) else [*found, "the bot said:", *got]
        )
        self._differ(inner, "the bot answered otherwise", detail)

    def _replace(self, inner: tuple[str | int, ...], messages: list[Outbound]) -> None:
        path = (*self.case.path, self.index, *inner)
        self.outcome.updates = [
            (known, value) for known, value in self.outcome.updates if known[: len(path)] != path
        ]
        written = [as_expected(message) for message in messages]
        self.outcome.updates.append((path, written[0] if len(written) == 1 else written))
        self.read = len(self.conversation.replies)

    def _leftover(self) -> None:
        """A bot that says more than the last `bot` expects differs too."""
        if self.answered is None or self.read >= len(self.conversation.replies):
            return
        more = self.conversation.replies[self.read :]
        self.index = self.answered
        lines = [f"+ {line}" for message in more for line in described(message).splitlines()]
        self._differ(("bot",), "the bot said more than expected", lines)

    def _see_silent(self, silent: bool | None) -> None:
        replies = self.conversation.replies
        if bool(silent) == bool(replies):
            lines = [f"+ {line}" for message in replies for line in described(message).splitlines()]
            self._differ(("silent",), "the bot spoke" if replies else "the bot is silent", lines)

    def _see_state(self, states: list[str]) -> None:
        missing = [state for state in states if not self.conversation.is_in(state)]
        if missing:
            active = ", ".join(self.conversation.state) or "none"
            self._differ(("state",), f"not in {', '.join(missing)}", [f"active: {active}"])

    def _see_flow(self, flow: str) -> None:
        if flow != self.conversation.flow:
            self._differ(("flow",), f'expected the flow "{flow}", got "{self.conversation.flow}"')

    def _see_ended(self, ended: bool) -> None:
        if ended != self.conversation.ended:
            self._differ(("ended",), "the flow has ended" if self.conversation.ended else "the flow goes on")

    def _see_variables(self, expected: dict[str, Any]) -> None:
        self._compare("variables", expected, self.conversation.variables)

    def _see_check(self, expressions: list[str]) -> None:
        for expression in expressions:
            value = self.conversation.evaluate(expression)
            if not value:
                self._differ(("check",), f"{expression} is {shown(value)}")

    def _see_timers(self, expected: list[str] | dict[str, str]) -> None:
        open_timers = self.conversation.timers
        if isinstance(expected, dict):
            wanted: dict[str, timedelta] = {id: parse_duration(text) for id, text in expected.items()}
            if wanted == open_timers:
                return
        elif sorted(expected) == sorted(open_timers):
            return
        got = [f"+ {id}: {format_duration(left)}" for id, left in open_timers.items()] or ["+ none"]
        self._differ(("timers",), "other timers are open", got)

    def _see_effects(self, expected: list[dict[str, Any]]) -> None:
        asked = self.conversation.effects
        rest = list(asked)
        for number, wanted in enumerate(expected):
            found = next((i for i, effect in enumerate(rest) if not differences(wanted, effect)), None)
            if found is None:
                got = [f"+ {shown(effect)}" for effect in asked] or ["+ nothing"]
                self._differ(("effects", number), f"{shown(wanted)} was not asked for", got)
                return
            del rest[: found + 1]

    def _see_rows(self, expected: dict[str, int | list[dict[str, Any]]]) -> None:
        for table, wanted in expected.items():
            rows = self.conversation.rows(table)
            if isinstance(wanted, int):
                if len(rows) != wanted:
                    got = [f"+ {shown(row)}" for row in rows[:10]]
                    self._differ(("rows", table), f"{table}: expected {wanted} rows, got {len(rows)}", got)
            else:
                self._compare("rows", wanted, rows, table)

    def _see_result(self, expected: Any) -> None:
        self._compare("result", expected, self.result)

    def _see_rejected(self, code: str) -> None:
        if code != self.rejected:
            self._differ(("rejected",), f'expected to be refused with "{code}", got {shown(self.rejected)}')

    def _compare(self, name: str, expected: Any, actual: Any, *inner: str) -> None:
        if found := differences(expected, actual, ".".join(inner)):
            self._differ(
                (name, *inner), f"{name} differ" if name != "result" else "the result differs", found
            )
