"""A conversation with the real runtime, from the contact's chair."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from wabot.core.database import Base
from wabot.core.durations import parse_duration
from wabot.core.messages import Inbound, Kind, Location, Media, Outbound, Row
from wabot.core.module import Contact, Module
from wabot.core.tables import ContactRow
from wabot.engine.engine import Engine
from wabot.engine.expressions import Sandbox
from wabot.engine.problems import did_you_mean
from wabot.engine.state import Frame
from wabot.engine.step import Trace
from wabot.errors import UsageError
from wabot.runtime import ConversationView
from wabot.testing.matching import described
from wabot.testing.projects import Project, Source
from wabot.testing.terms import effect_json, moment, option_of, reason_data, within

SENDER = "+910000000000"
NAME, PHONE = "Asha", "+919800000001"
BEGIN = "2026-01-05T10:00:00"
"""A Monday morning, in the project's time zone."""


class InvokeFailed(Exception):
    """As a stub: the invoke fails for this reason, plain data; a text becomes `{"message": …}`."""

    def __init__(self, reason: Any = None) -> None:
        self.reason = reason
        super().__init__(reason)


class Conversation:
    """One contact and the bot, on SQLite in memory, with a clock that stands still.

        with Conversation("shop") as asha:
            asha.say("Hi")
            asha.tap("yes")
            assert asha.state == ["placed"]

    `source` is a project's directory, a flow's file, or the YAML text of a flow. `stubs` are the
    answers to invokes by their id, used up in order: data, or `InvokeFailed`. `now` is when it begins;
    without an offset it is in the project's time zone. `modules` are your own, beside the installed
    ones that the settings name.

    Every act gives the bot's answers to it. An act raises UsageError where it can't be done, and
    the error of a turn that failed.
    """

    def __init__(
        self,
        source: Source | Project,
        *,
        flow: str | None = None,
        locale: str | None = None,
        name: str = NAME,
        phone: str = PHONE,
        now: datetime | str = BEGIN,
        stubs: Mapping[str, Sequence[Any]] | None = None,
        modules: Iterable[Module] = (),
    ) -> None:
        self.project = source if isinstance(source, Project) else Project.open(source, modules=modules)
        self._owned = self.project is not source
        self.name, self.phone = name, phone
        self._stage = self.project.borrow(moment(now, self.project.settings.zone), flow)
        self.app, self.clock, self.channel = self._stage.app, self._stage.clock, self._stage.channel
        self.transcript: list[tuple[str, str]] = []
        self._deliveries, self._steps = self.channel.sent, self._stage.recorder.steps
        self._stubs = {id: deque(answers) for id, answers in (stubs or {}).items()}
        self._said = self._seen = self._sent = 0
        self._first_step = 0
        self._engine = Engine(self.app.library)
        self._closed = False
        if locale:
            self._meet(locale)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; what was said stays readable, the rest is gone."""
        if not self._closed:
            self._closed = True
            self.project.give_back(self._stage)
            if self._owned:
                self.project.close()

    def say(self, text: str) -> list[Outbound]:
        """The contact writes."""
        return self._write(text, kind=Kind.TEXT, text=text)

    def tap(self, option: str, *, message: int | None = None) -> list[Outbound]:
        """The contact taps a button or a row, by its id or its title.

        It is one of the last message that has any; `message` counts the bot's messages from 1, or
        from the end with -1, to tap an old one.
        """
        shown = self._message(message)
        found = option_of(shown, option)
        if found is None:
            known = [part for each in shown.options for part in (each.id, each.title)]
            there = ", ".join(f"{each.id} ({each.title})" for each in shown.options) or "nothing"
            hint = did_you_mean(option, known) or f"there is {there}"
            raise UsageError(f'there is no "{option}" to tap', hint=hint)
        kind = Kind.LIST if isinstance(found, Row) else Kind.BUTTON
        return self._write(f"[{found.title}]", kind=kind, payload=found.payload, title=found.title)

    def pick(self, option: str, *, message: int | None = None) -> list[Outbound]:
        """As `tap`, of a list."""
        if self._message(message).choices is None:
            raise UsageError("the bot showed no list", hint="use tap for a button")
        return self.tap(option, message=message)

    def send(
        self,
        *,
        media: Media | None = None,
        location: Location | None = None,
        card: Mapping[str, Any] | None = None,
        text: str = "",
    ) -> list[Outbound]:
        """The contact sends a file, a place or a contact card, with `text` as its caption."""
        if media is not None:
            return self._write(
                f"({media.kind}) {text}".strip(), kind=Kind(media.kind), media=media, text=text
            )
        if location is not None:
            return self._write("(location)", kind=Kind.LOCATION, location=location, text=text)
        return self._write("(contact card)", kind=Kind.CONTACT, raw=dict(card or {}), text=text)

    def wait(self, length: timedelta | str) -> list[Outbound]:
        """Time passes, `"1h30m"`; each timer that comes due fires at its own time."""
        until = self.clock.now() + (parse_duration(length) if isinstance(length, str) else length)
        self._begin(f"({length} later)")
        while (due := self.app.next_due()) is not None and due <= until:
            self.clock.set(max(due, self.clock.now()))
            if not self._settle():
                break
        self.clock.set(until)
        self._settle()
        return self.replies

    def complete(self, id: str, data: Any = None) -> list[Outbound]:
        """The open invoke `id` ends well, with `data`."""
        self._begin(f"({id} is done)")
        self._finish(id, data, failed=False)
        self._settle()
        return self.replies

    def fail(self, id: str, reason: Any = None) -> list[Outbound]:
        """The open invoke `id` fails; a text becomes `{"message": …}`."""
        self._begin(f"({id} fails)")
        self._finish(id, reason_data(reason), failed=True)
        self._settle()
        return self.replies

    def command(self, name: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Run a module's command, as the business's own staff would. Raises Rejected."""
        self._begin(f"({name})")
        result = self.app.run(name, arguments or {}, phone=self.phone if self._view else None)
        self._settle()
        return result

    @property
    def replies(self) -> list[Outbound]:
        """The bot's answers to the last act."""
        return self.messages[self._seen :]

    @property
    def messages(self) -> list[Outbound]:
        """All that the bot said."""
        return [delivery.message for delivery in self._deliveries]

    @property
    def last(self) -> str:
        """The text of the bot's last message."""
        return self.messages[-1].text if self.messages else ""

    @property
    def state(self) -> list[str]:
        """The active atomic states of the flow that answers now, by id, or by dotted path."""
        view = self._view
        return self._engine.configuration(view.state) if view and view.state else []

    def is_in(self, state: str) -> bool:
        """Whether this state is active: atomic, or around an active one; by id or by dotted path."""
        frame = self._frame
        return any(within(path, state) for path in frame.configuration) if frame else False

    @property
    def flow(self) -> str:
        """The flow that answers now: the sub-flow, while one runs."""
        frame = self._frame
        return frame.flow if frame else ""

    @property
    def ended(self) -> bool:
        view = self._view
        return bool(view and view.state and view.state.status == "ended")

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the flow that answers now."""
        frame = self._frame
        return dict(frame.variables) if frame else {}

    @property
    def timers(self) -> dict[str, timedelta]:
        """The open timers by their id, with the time that is left."""
        view = self._view
        rows = self.app.timers(view.id) if view else []
        return {row.name: row.due_at - self.clock.now() for row in rows}

    @property
    def invokes(self) -> dict[str, str]:
        """What is under way outside the turn: its id and its kind."""
        view = self._view
        return {row.name: row.kind for row in self.app.effects(view.id, pending=True)} if view else {}

    @property
    def effects(self) -> list[dict[str, Any]]:
        """What the last act asked of the world outside, in order, as JSON; `{"invoke": id, …}`."""
        steps = self._steps[self._first_step :]
        return [effect_json(effect) for step in steps for effect in step.effects]

    @property
    def trace(self) -> list[Trace]:
        """What happened in the flows since the conversation began."""
        return [trace for step in self._steps for trace in step.trace]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, the runtime's or a module's, by primary key."""
        known = Base.metadata.tables
        if table not in known:
            raise UsageError(f'there is no table "{table}"', hint=did_you_mean(table, known) or None)
        query = select(known[table]).order_by(*known[table].primary_key.columns)
        with self.app.database.reading() as session:
            return [dict(row._mapping) for row in session.execute(query)]  # noqa: SLF001 - its public name

    def evaluate(self, expression: str) -> Any:
        """An expression over the variables, as a guard of the flow would see them."""
        now = self.clock.now().astimezone(self.project.settings.zone)
        view = self._view
        contact = view.contact if view else Contact(0, self.phone, self.name)
        scope = {
            **self.variables,
            "contact": {"name": contact.name, "phone": contact.phone, "locale": contact.locale},
            "now": now,
            "today": now.date(),
            "In": self.is_in,
        }
        return Sandbox().expression(expression).evaluate(scope)

    @property
    def _view(self) -> ConversationView | None:
        return self.app.conversation(self.phone)

    @property
    def _frame(self) -> Frame | None:
        view = self._view
        return view.state.frames[-1] if view and view.state and view.state.frames else None

    def _meet(self, locale: str) -> None:
        """Know the contact's locale before the first message."""
        with self.app.database.transaction() as session:
            session.add(
                ContactRow(phone=self.phone, name=self.name, locale=locale, created_at=self.clock.now())
            )
            session.commit()

    def _message(self, number: int | None) -> Outbound:
        messages = self.messages
        if number is None:
            shown = next((message for message in reversed(messages) if message.options), None)
            if shown is None:
                raise UsageError("the bot showed nothing to tap")
            return shown
        index = number - 1 if number > 0 else number
        if not -len(messages) <= index < len(messages):
            raise UsageError(f"there is no message {number}", hint=f"the bot said {len(messages)}")
        return messages[index]

    def _write(self, shown: str, **fields: Any) -> list[Outbound]:
        self._begin(shown, "contact")
        self._said += 1
        self.app.accept(
            Inbound(
                channel=self.channel.name,
                event_id=f"message-{self._said}",
                sender=self.phone,
                recipient=SENDER,
                name=self.name,
                sent_at=self.clock.now(),
                **fields,
            )
        )
        self._settle()
        return self.replies

    def _begin(self, shown: str, who: str = "") -> None:
        self.transcript.append((who, shown))
        self._seen = self._sent = len(self._deliveries)
        self._first_step = len(self._steps)

    def _settle(self) -> bool:
        """Do what is due, and give the stubs' answers, until nothing is left; whether there was anything."""
        anything = False
        while self.app.drain():
            anything = True
            self._note()
            if self._stage.recorder.errors:
                raise self._stage.recorder.errors.pop()
            self._answer()
        return anything

    def _answer(self) -> None:
        for id in self.invokes:
            if self._stubs.get(id):
                answer = self._stubs[id].popleft()
                if isinstance(answer, InvokeFailed):
                    self._finish(id, reason_data(answer.reason), failed=True)
                else:
                    self._finish(id, answer, failed=False)

    def _finish(self, id: str, data: Any, *, failed: bool) -> None:
        view = self._view
        rows = self.app.effects(view.id, pending=True) if view else []
        row = next((row for row in rows if row.name == id), None)
        if row is None:
            there = ", ".join(other.name for other in rows) or "none"
            raise UsageError(f'no invoke "{id}" is open', hint=f"open: {there}")
        self.app.finish_effect(row.id, data, failed=failed)

    def _note(self) -> None:
        new = self.messages[self._sent :]
        self._sent += len(new)
        self.transcript += [("bot", described(message)) for message in new]
