"""The call that a module's command or handler gets: the turn's transaction and what belongs to it."""

from collections.abc import Mapping
from contextlib import contextmanager
from datetime import date, tzinfo
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy.orm import Session, SessionTransaction

from wabot.core.json import to_plain
from wabot.core.messages import Outbound
from wabot.core.module import Contact
from wabot.core.ports import Clock, Ids
from wabot.errors import BudgetExceeded, ConfigurationError, TurnError
from wabot.pipeline.turn import Turn
from wabot.pipeline.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH = 16
"""How deep commands and events may call each other in one turn."""


class OpenCall:
    """A call in a transaction that is open. It is `core.module.Call` and the engine's `Commands`.

    With `turn` it belongs to that turn's conversation, and what it sends is put into `said`, for the
    engine to give it its place; with a `session` alone nothing can be sent.
    """

    def __init__(
        self,
        world: World,
        session: Session | None = None,
        *,
        turn: Turn | None = None,
        contact: Contact | None = None,
    ) -> None:
        self._world = world
        self._session = session
        self._turn = turn
        self._contact = turn.contact if turn else contact
        self._depth = 0
        self._savepoints: list[SessionTransaction | None] = []
        self.said: list[Outbound] = []

    @property
    def session(self) -> Session:
        """A flow may go on after a command was refused, and what the command had changed must not stay: so
        from here on there is a savepoint for each command that is running."""
        session = self._session or self._of_turn().work.session
        for depth, savepoint in enumerate(self._savepoints):
            if savepoint is None:
                self._savepoints[depth] = session.begin_nested()
        return session

    @property
    def clock(self) -> Clock:
        return self._world.clock

    @property
    def ids(self) -> Ids:
        return self._world.ids

    @property
    def contact(self) -> Contact | None:
        return self._contact

    @property
    def conversation_id(self) -> int | None:
        return self._turn.conversation_id if self._turn else None

    @property
    def today(self) -> date:
        return self._world.local(self.clock.now()).date()

    @property
    def zone(self) -> tzinfo:
        return self._world.business.timezone

    @property
    def currency(self) -> str:
        return self._world.business.currency

    def settings(self, model: type[BaseModel]) -> Any:
        try:
            return self._world.settings[model]
        except KeyError:
            raise ConfigurationError(
                f"no module of this app has {model.__name__} as its settings",
                hint="give it to Module(settings=…)",
            ) from None

    def run(self, name: str, arguments: Mapping[str, Any]) -> Any:
        command = self._world.registry.command(name)
        said = len(self.said)
        try:
            with self._deeper(name), self._undone_if_refused():
                return command.run(arguments, self)
        except BaseException:
            del self.said[said:]
            raise

    @contextmanager
    def _undone_if_refused(self) -> "Iterator[None]":
        self._savepoints.append(None)
        try:
            yield
        except BaseException:
            savepoint = self._savepoints.pop()
            if savepoint is not None and _is_open(savepoint):
                savepoint.rollback()
            raise
        savepoint = self._savepoints.pop()
        if savepoint is not None:
            savepoint.commit()

    def emit(self, event: str, payload: Mapping[str, Any]) -> None:
        to_plain(payload)
        for handler in self._world.registry.handlers.get(event, ()):
            with self._deeper(event):
                handler(payload, self)

    def send(self, message: Outbound) -> None:
        self._of_turn()
        self.said.append(message)

    def text(self, key: str, values: Mapping[str, Any]) -> str:
        locale = self._locale
        scope = {**self._world.scope(self._contact, locale), **values}
        return self._world.texts.find(key, locale).render(scope)

    def _of_turn(self) -> Turn:
        if self._turn is None:
            raise TurnError("there is no conversation here to send a message to")
        return self._turn

    @property
    def _locale(self) -> str:
        contact = self._contact.locale if self._contact else ""
        return (self._turn.locale if self._turn else contact) or self._world.business.locale

    @contextmanager
    def _deeper(self, name: str) -> "Iterator[None]":
        if self._depth >= DEPTH:
            raise BudgetExceeded(
                f'"{name}" is {DEPTH} calls deep: commands and events call each other in a ring'
            )
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


def _is_open(savepoint: SessionTransaction) -> bool:
    """After a flush that failed it isn't active any more, and yet to be rolled back before its session can
    be used again."""
    session: Session | None = savepoint.session
    return session is not None and (savepoint.is_active or session.get_nested_transaction() is savepoint)
