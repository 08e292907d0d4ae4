"""What all turns of an app share; nothing in it changes after the app is bound."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from wabot.core.database import Database
from wabot.core.messages import Inbound
from wabot.core.metrics import Metrics, NoMetrics
from wabot.core.module import Contact, Registry
from wabot.core.ports import Clock, Ids
from wabot.engine.state import State
from wabot.engine.step import Context, Event, Step
from wabot.engine.texts import Texts


class Interpreter(Protocol):
    """What the pipeline asks of `engine.engine.Engine`."""

    def start(
        self,
        flow: str,
        context: Context,
        *,
        message: Inbound | None = None,
        counter: int = 0,
    ) -> Step: ...
    def handle(self, state: State, event: Event, context: Context) -> Step: ...


@dataclass(frozen=True, slots=True)
class Business:
    """Who talks to the contacts. `details` is what else the settings say of it (`business.gstin`)."""

    name: str = ""
    currency: str = "INR"
    locale: str = "en"
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        return {**self.details, "name": self.name, "currency": self.currency, "locale": self.locale}


@dataclass(frozen=True, slots=True)
class World:
    """`settings` are the modules' own, by their model; `flows` says which flow a sender of ours starts
    with, `flow` the one for any other; `tries` how often a turn may fail before its event is parked."""

    database: Database
    clock: Clock
    ids: Ids
    registry: Registry
    engine: Interpreter
    texts: Texts
    business: Business
    flow: str
    flows: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[type[BaseModel], BaseModel] = field(default_factory=dict)
    tries: int = 3
    log_key: bytes = b""
    metrics: Metrics = field(default_factory=NoMetrics)

    def flow_of(self, sender: str) -> str:
        return self.flows.get(sender, self.flow)

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.business.timezone)

    def scope(self, contact: Contact | None, locale: str) -> dict[str, Any]:
        """The names that every text may use."""
        now = self.local(self.clock.now())
        return {
            "business": self.business.as_data(),
            "contact": contact_data(contact, locale),
            "now": now,
            "today": now.date(),
            "_currency": self.business.currency,
            "_locale": locale,
        }


def contact_data(contact: Contact | None, locale: str) -> dict[str, Any]:
    """A contact as flows and texts see it; its fields are empty where there is none."""
    if contact is None:
        return {"id": None, "name": "", "phone": "", "locale": locale}
    return {"id": contact.id, "name": contact.name, "phone": contact.phone, "locale": locale}
