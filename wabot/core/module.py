"""Modules: what a business can do, collected now and bound to an app later.

A module is a manifest. Its commands are at once the actions of flows, the bodies of the HTTP API
and what the checker knows; its handlers run inside the turn that emitted the event.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from wabot.core.json import to_plain
from wabot.core.messages import Outbound
from wabot.core.ports import Clock, Ids
from wabot.errors import ConfigurationError, DuplicateName, Frozen, TurnError, UnknownName

STARTED = "wabot.started"
"""The event that an app emits when it is bound, in a transaction of its own. What a handler raises
keeps the app from starting."""


@dataclass(frozen=True, slots=True)
class Contact:
    """The person at the other end. `phone` is E.164; `locale` as BCP 47 (`en`, `hi-IN`)."""

    id: int
    phone: str
    name: str = ""
    locale: str = "en"


class Call(Protocol):
    """What a command or a handler may use: the turn's transaction and what belongs to it.

    Everything done through it commits with the turn or not at all.
    """

    @property
    def session(self) -> Session: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def contact(self) -> Contact | None:
        """None where the call comes from no conversation."""
        ...

    @property
    def conversation_id(self) -> int | None: ...
    @property
    def today(self) -> date:
        """The date in the business's time zone."""
        ...

    @property
    def zone(self) -> tzinfo:
        """The business's time zone."""
        ...

    @property
    def currency(self) -> str:
        """The business's currency, ISO 4217."""
        ...

    def settings(self, model: type[BaseModel]) -> Any:
        """The settings of the module that declared `model` as its own."""
        ...

    def run(self, command: str, arguments: Mapping[str, Any]) -> Any:
        """Run another module's command by its name, in the same transaction."""
        ...

    def emit(self, event: str, payload: Mapping[str, Any]) -> None:
        """Tell the other modules. `payload` is plain data; handlers run before this returns."""
        ...

    def send(self, message: Outbound) -> None:
        """Put a message for the contact in the outbox. Raises TurnError where there is no contact."""
        ...

    def text(self, key: str, values: Mapping[str, Any]) -> str:
        """The text of this key in the contact's locale. Raises UnknownName for an unknown key."""
        ...


_BRACES = re.compile(r"{(\w+)}")

Handler = Callable[[Any, Call], Any]
EventHandler = Callable[[Mapping[str, Any], Call], None]


@dataclass(frozen=True, slots=True)
class Command:
    """`name` is `<module>.<command>`; `model` its arguments; `returns` what the handler is annotated with."""

    name: str
    model: type[BaseModel]
    handler: Handler
    summary: str
    returns: Any = None

    def run(self, arguments: Mapping[str, Any], call: Call) -> Any:
        """The handler's result as plain data. Raises TurnError for arguments that don't fit."""
        return plain(self.handler(_values(self.name, self.model, arguments), call))


def _values(name: str, model: type[BaseModel], arguments: Mapping[str, Any]) -> BaseModel:
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise TurnError(f"{name}: {reasons}") from error


Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Outside:
    """What an invoke may use: no turn and no transaction is open while it runs.

    `key` is the same each time this effect is tried, and no other effect's: give it to whoever can tell
    by it that something was done before. `attempt` counts from 1. `sections` are the modules' settings.
    """

    key: str
    clock: Clock
    attempt: int = 1
    contact: Contact | None = None
    conversation_id: int | None = None
    sections: Mapping[type[BaseModel], BaseModel] = field(default_factory=dict)

    def settings(self, model: type[Settings]) -> Settings:
        """The settings of the module that declared `model` as its own."""
        found = self.sections.get(model)
        if not isinstance(found, model):
            raise ConfigurationError(
                f"no module of this app has {model.__name__} as its settings",
                hint="give it to Module(settings=…)",
            )
        return found


InvokeHandler = Callable[[Any, Outside], Any]


@dataclass(frozen=True, slots=True)
class Invoke:
    """Something that a module does outside of turns, for a flow's `invoke`: `call: <module>.<name>`.

    `lease` is longer than the handler ever takes: after it another worker takes the effect for lost and
    runs it anew. `tries` bounds how often it is tried.
    """

    name: str
    model: type[BaseModel]
    handler: InvokeHandler
    summary: str
    returns: Any = None
    lease: timedelta = timedelta(minutes=2)
    tries: int = 4

    def run(self, arguments: Mapping[str, Any], outside: Outside) -> Any:
        """The handler's result as plain data. Raises TurnError for arguments that don't fit."""
        return plain(self.handler(_values(self.name, self.model, arguments), outside))

    def repeats(self, arguments: Mapping[str, Any]) -> bool:
        """A handler is run again where whoever ran it was killed; `Outside.key` lets it see to once."""
        return True


@dataclass(frozen=True, slots=True)
class Query:
    """A read of a module, which the HTTP API serves as `GET /whatsapp/<path>`.

    A name in braces in `path` (`orders/{id}`) is an argument, and so is each parameter of the URL; all of
    them are fields of `model`. Who asks must have `scope`.
    """

    name: str
    model: type[BaseModel]
    handler: Handler
    summary: str
    returns: Any
    path: str
    scope: str

    def run(self, arguments: Mapping[str, Any], call: Call) -> Any:
        """What the handler gives, as it is. Raises TurnError for arguments that don't fit, and NotFound."""
        return self.handler(_values(self.name, self.model, arguments), call)


def plain(value: Any) -> Any:
    """A handler's result as a flow sees it: models become dicts, typed values stay."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    to_plain(value)
    return value


@dataclass(slots=True)
class Module:
    """A named collection of commands, queries, invokes, event handlers, settings and tables.

    `settings` is the pydantic model of the module's own section of the settings; `migrations` the
    folder of its Alembic revisions, whose branch label is the module's name.
    """

    name: str
    settings: type[BaseModel] | None = None
    migrations: Path | None = None
    commands: dict[str, Command] = field(default_factory=dict)
    invokes: dict[str, Invoke] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    handlers: dict[str, list[EventHandler]] = field(default_factory=dict)
    bound: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigurationError(f'"{self.name}" can\'t name a module: use letters, digits and _')

    def command(self, name: str) -> Callable[[Handler], Handler]:
        """Register a handler `(arguments: Model, call: Call) -> result` as `<module>.<name>`."""

        def register(handler: Handler) -> Handler:
            self._still_open(name)
            full = f"{self.name}.{name}"
            self._still_free(full)
            model, returns = _signature(full, handler)
            summary = inspect.getdoc(handler) or ""
            self.commands[full] = Command(full, model, handler, summary.split("\n\n")[0], returns)
            return handler

        return register

    def invoke(
        self, name: str, *, lease: timedelta = timedelta(minutes=2), tries: int = 4
    ) -> Callable[[InvokeHandler], InvokeHandler]:
        """Register a handler `(arguments: Model, outside: Outside) -> result` as `<module>.<name>`.

        It runs outside of turns, in a worker. It raises EffectError or Rejected where it fails for good;
        TryAgain, or an OSError such as a lost connection, where it may work later.
        """

        def register(handler: InvokeHandler) -> InvokeHandler:
            self._still_open(name)
            full = f"{self.name}.{name}"
            self._still_free(full)
            model, returns = _signature(full, handler)
            summary = (inspect.getdoc(handler) or "").split("\n\n")[0]
            self.invokes[full] = Invoke(full, model, handler, summary, returns, lease, tries)
            return handler

        return register

    def query(self, name: str, *, path: str = "", scope: str = "") -> Callable[[Handler], Handler]:
        """Register a read `(arguments: Model, call: Call) -> result` as `<module>.<name>`.

        It changes nothing; where what is asked for isn't there it raises NotFound. Without `path` it is
        served under `<module>/<name>`, without `scope` to whoever has `<module>:read`. A command may have
        the same name.
        """

        def register(handler: Handler) -> Handler:
            self._still_open(name)
            full = f"{self.name}.{name}"
            if full in self.queries:
                raise DuplicateName(f'the query "{full}" is registered twice')
            model, returns = _signature(full, handler)
            where = path or f"{self.name}/{name}"
            for argument in _BRACES.findall(where):
                if argument not in model.model_fields:
                    raise ConfigurationError(
                        f"{full}: {model.__name__} has no {argument}, which is in its path"
                    )
            summary = (inspect.getdoc(handler) or "").split("\n\n")[0]
            allowed = scope or f"{self.name}:read"
            self.queries[full] = Query(full, model, handler, summary, returns, where, allowed)
            return handler

        return register

    def on(self, event: str) -> Callable[[EventHandler], EventHandler]:
        """Register a handler `(payload, call) -> None` for an event such as `orders.confirmed`."""

        def register(handler: EventHandler) -> EventHandler:
            self._still_open(event)
            self.handlers.setdefault(event, []).append(handler)
            return handler

        return register

    def _still_free(self, full: str) -> None:
        if full in self.commands:
            raise DuplicateName(f'the command "{full}" is registered twice')
        if full in self.invokes:
            raise DuplicateName(f'the invoke "{full}" is registered twice')

    def _still_open(self, what: str) -> None:
        if self.bound:
            raise Frozen(f'the module "{self.name}" is bound: "{what}" comes too late')


def _signature(name: str, handler: Handler | InvokeHandler) -> tuple[type[BaseModel], Any]:
    hints = get_type_hints(handler)
    first = next(iter(inspect.signature(handler).parameters), "")
    model = hints.get(first)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ConfigurationError(f"{name}: annotate the handler's first parameter with its pydantic model")
    return model, hints.get("return")


@dataclass(frozen=True, slots=True)
class Registry:
    """The bound modules of an app: nothing can be added any more."""

    modules: Mapping[str, Module]
    commands: Mapping[str, Command]
    handlers: Mapping[str, tuple[EventHandler, ...]]
    invokes: Mapping[str, Invoke]
    queries: Mapping[str, Query] = field(default_factory=dict)

    def query(self, name: str) -> Query:
        try:
            return self.queries[name]
        except KeyError:
            raise UnknownName(f'there is no query "{name}"') from None

    def command(self, name: str) -> Command:
        try:
            return self.commands[name]
        except KeyError:
            raise UnknownName(f'there is no command "{name}"') from None


def bind(modules: Iterable[Module]) -> Registry:
    """Freeze these modules. Raises DuplicateName where two share a name."""
    named: dict[str, Module] = {}
    handlers: dict[str, list[EventHandler]] = {}
    for module in modules:
        if module.name in named:
            raise DuplicateName(f'two modules are called "{module.name}"')
        named[module.name] = module
        module.bound = True
        for event, listeners in module.handlers.items():
            handlers.setdefault(event, []).extend(listeners)
    return Registry(
        modules=MappingProxyType(named),
        commands=MappingProxyType({n: c for m in named.values() for n, c in m.commands.items()}),
        handlers=MappingProxyType({event: tuple(listeners) for event, listeners in handlers.items()}),
        invokes=MappingProxyType({n: i for m in named.values() for n, i in m.invokes.items()}),
        queries=MappingProxyType({n: q for m in named.values() for n, q in m.queries.items()}),
    )
