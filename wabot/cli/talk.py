"""One contact at the terminal and the app: what is typed goes in, what the bot says comes out."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from babel import Locale, UnknownLocaleError
from sqlalchemy import select

from wabot.adapters.channels.console import ConsoleChannel
from wabot.app import App
from wabot.bootstrap import build
from wabot.cli.clock import MovableClock
from wabot.cli.step import tapped
from wabot.core.buckets import NoBuckets
from wabot.core.database import lock
from wabot.core.durations import parse_duration
from wabot.core.messages import Inbound, Kind, Outbound
from wabot.core.ports import Capabilities, RandomIds
from wabot.core.tables import ContactRow, ConversationRow
from wabot.engine.engine import Engine
from wabot.engine.state import State
from wabot.engine.step import Step
from wabot.errors import UsageError
from wabot.runtime import ConversationView
from wabot.settings import Settings
from wabot.testing.stage import Recorder

SENDER = "wabot"
"""Our own address at the terminal."""

_ALONE = {"lease": timedelta(milliseconds=500), "grace": timedelta(0)}
"""Nobody else writes to this terminal: what a killed chat left unsaid is said at once, not minutes later."""


class Talk:
    """A contact's conversation on the project's own database. `show` gets each message of the bot."""

    def __init__(
        self,
        settings: Settings,
        show: Callable[[Outbound], None],
        *,
        phone: str,
        name: str,
        buttons: bool = False,
    ) -> None:
        self.phone, self.name = phone, name
        self.clock, self._ids = MovableClock(), RandomIds()
        self.recorder = Recorder()
        channel = ConsoleChannel(show, Capabilities(buttons=buttons, lists=buttons))
        settings = settings.model_copy(update={"runtime": settings.runtime.model_copy(update=_ALONE)})
        self.app: App = build(settings, channel=channel, clock=self.clock, buckets=NoBuckets(), outside=False)
        self.app.use(self.recorder)
        self.app.bind()
        self.engine = Engine(self.app.library)
        self._channel = channel.name

    @property
    def view(self) -> ConversationView | None:
        return self.app.conversation(self.phone, channel=self._channel, sender=SENDER)

    @property
    def state(self) -> State | None:
        view = self.view
        return view.state if view else None

    def say(self, text: str) -> None:
        self._accept(kind=Kind.TEXT, text=text)

    def tap(self, option: str) -> None:
        """Tap an option of what the bot showed last. Raises UsageError where there is no such option."""
        state = self.state
        frames = state.frames if state else []
        shown = [id for frame in frames for sent in frame.sent.values() for id, _ in sent.options]
        if state is None or option not in shown:
            there = ", ".join(shown) or "nothing"
            raise UsageError(f'there is no "{option}" to tap', hint=f"there is {there}")
        self._accept(kind=Kind.BUTTON, **tapped(state, option))

    def wait(self, length: str) -> timedelta:
        """Let time pass; each timer that comes due fires at its own time. Raises UsageError."""
        try:
            delay = parse_duration(length)
        except ValueError as error:
            raise UsageError(str(error)) from None
        until = self.clock.now() + delay
        while (due := self.app.next_due()) is not None and due <= until:
            self.clock.move_to(due)
            if not self.settle():
                break
        self.clock.move_to(until)
        self.settle()
        return delay

    def finish(self, id: str, data: Any, *, failed: bool) -> None:
        """End the open invoke `id`. Raises UsageError where none is open."""
        view = self.view
        rows = self.app.effects(view.id, pending=True) if view else []
        row = next((row for row in rows if row.name == id), None)
        if row is None:
            there = ", ".join(row.name for row in rows) or "none"
            raise UsageError(f'no invoke "{id}" is open', hint=f"open: {there}")
        self.app.finish_effect(row.id, data, failed=failed)
        self.settle()

    def speak(self, locale: str) -> None:
        """The contact speaks this locale from now on. Raises UsageError where it is none."""
        try:
            Locale.parse(locale, sep="-")
        except (ValueError, UnknownLocaleError):
            raise UsageError(f'"{locale}" is no locale', hint="write it like en or hi-IN") from None
        view = self.view
        with self.app.database.transaction() as session:
            contact = session.scalars(select(ContactRow).filter_by(phone=self.phone)).one_or_none()
            if contact is None:
                contact = ContactRow(phone=self.phone, name=self.name, created_at=self.clock.now())
                session.add(contact)
            contact.locale = locale
            # What a flow chose goes before the contact's own.
            row = lock(session, ConversationRow, view.id) if view else None
            if row and view and view.state and view.state.locale:
                row.state = json.dumps(replace(view.state, locale=locale).to_json())
            session.commit()

    def forget(self) -> None:
        """The next message begins the flow anew."""
        if view := self.view:
            self.app.reset(view.id)

    def settle(self) -> bool:
        """Do what is due; whether there was anything."""
        return bool(self.app.drain())

    def steps(self) -> Iterator[Step]:
        """The steps since this was last asked."""
        yield from self.recorder.steps
        self.recorder.steps.clear()

    def errors(self) -> list[Exception]:
        """The errors of turns that failed since this was last asked."""
        failed = list(self.recorder.errors)
        self.recorder.errors.clear()
        return failed

    def close(self) -> None:
        self.app.close()

    def _accept(self, **fields: Any) -> None:
        message = Inbound(
            channel=self._channel,
            event_id=self._ids.new(),
            sender=self.phone,
            recipient=SENDER,
            name=self.name,
            sent_at=self.clock.now(),
            **fields,
        )
        self.app.accept(message)
        self.settle()
