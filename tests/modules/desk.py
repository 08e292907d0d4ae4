"""A call without a runtime: modules over a database in memory, and what they sent and emitted."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlalchemy.orm import Session

from wabot.core.database import Database
from wabot.core.messages import Outbound
from wabot.core.migrate import upgrade
from wabot.core.module import Contact, Module, Registry, bind
from wabot.core.tables import ContactRow
from wabot.engine.texts import Texts
from wabot.errors import UnknownName

INDIA = ZoneInfo("Asia/Kolkata")
ASHA = Contact(id=1, phone="+919800000001", name="Asha")
RAVI = Contact(id=2, phone="+919800000002", name="Ravi", locale="hi")


@dataclass(slots=True)
class Hands:
    """A clock that stands still, and ids that count."""

    time: datetime = datetime(2026, 1, 5, 4, 30, tzinfo=UTC)
    given: int = 0

    def now(self) -> datetime:
        return self.time

    def new(self) -> str:
        self.given += 1
        return f"id-{self.given}"

    def pass_(self, **length: int) -> None:
        self.time += timedelta(**length)


@dataclass(slots=True)
class Desk:
    """`core.module.Call` for tests. Everything runs in the one session that is open."""

    session: Session
    registry: Registry
    clock: Hands
    options: Mapping[type[BaseModel], BaseModel] = field(default_factory=dict)
    contact: Contact | None = ASHA
    conversation_id: int | None = None
    currency: str = "INR"
    texts: Texts = field(default_factory=Texts)
    sent: list[Outbound] = field(default_factory=list)
    emitted: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def ids(self) -> Hands:
        return self.clock

    @property
    def today(self) -> date:
        return self.clock.now().astimezone(INDIA).date()

    @property
    def zone(self) -> tzinfo:
        return INDIA

    def settings(self, model: type[BaseModel]) -> Any:
        return self.options.get(model) or model()

    def run(self, command: str, arguments: Mapping[str, Any]) -> Any:
        return self.registry.command(command).run(arguments, self)

    def emit(self, event: str, payload: Mapping[str, Any]) -> None:
        self.emitted.append((event, payload))
        for handler in self.registry.handlers.get(event, ()):
            handler(payload, self)

    def send(self, message: Outbound) -> None:
        self.sent.append(message)

    def text(self, key: str, values: Mapping[str, Any]) -> str:
        locale = self.contact.locale if self.contact else "en"
        if self.texts.get(key, locale) is None:
            raise UnknownName(f'there is no text "{key}"')
        scope = {"_locale": locale, "_currency": self.currency, "today": self.today, **values}
        return self.texts.render(key, scope, locale)


def migrated(modules: Sequence[Module], url: str) -> Database:
    """A database with the tables of these modules and two contacts."""
    database = Database(url)
    upgrade(database, modules)
    with database.transaction() as session:
        for contact in (ASHA, RAVI):
            session.add(
                ContactRow(
                    id=contact.id,
                    phone=contact.phone,
                    name=contact.name,
                    locale=contact.locale,
                    created_at=Hands().now(),
                )
            )
        session.commit()
    return database


@contextmanager
def desk(modules: Sequence[Module], *options: BaseModel, url: str) -> Iterator[Desk]:
    database = migrated(modules, url)
    try:
        with database.transaction() as session:
            yield Desk(session, bind(modules), Hands(), {type(option): option for option in options})
    finally:
        database.close()
