"""What an app is put together from, as its settings say."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from wabot.core.buckets import Buckets, MemoryBuckets, NoBuckets, Rate
from wabot.core.circuits import Breaker, CircuitPolicy, MemoryBreaker, counted
from wabot.core.database import Database
from wabot.core.durations import format_duration
from wabot.core.metrics import Metrics
from wabot.core.migrate import require_newest, upgrade
from wabot.core.module import Module, Registry
from wabot.core.ports import Bounded, Channel, Clock
from wabot.engine.loader import Source, load_flow
from wabot.engine.problems import Place, Problem, did_you_mean
from wabot.engine.texts import Texts
from wabot.errors import FlowError, FlowInvalid
from wabot.pipeline import Business
from wabot.settings import Settings


def load_flows(settings: Settings) -> list[Source]:
    """The flows that the settings name. Raises FlowInvalid with the findings of all files."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for file in settings.flow_files:
        try:
            sources.append(load_flow(file.read_text(encoding="utf-8"), _display(file)))
        except FlowError as error:
            problems += error.problems
        except UnicodeDecodeError:
            problems.append(
                Problem(Place(_display(file)), "not-utf-8", "the file isn't UTF-8", "save it as UTF-8")
            )
    if problems:
        raise FlowInvalid(problems=problems)
    return sources


def load_texts(settings: Settings) -> Texts:
    """The texts that the settings name; what is wrong in them is in `problems`."""
    return Texts.load(settings.text_directories, default=settings.locale, display=_display)


def _display(path: Path) -> str:
    path = path.resolve()
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def read_sections(settings: Settings, registry: Registry) -> dict[type[BaseModel], BaseModel]:
    """The settings of all modules, by their model. Raises SettingsError."""
    models = {name: module.settings for name, module in registry.modules.items()}
    return {model: settings.section(name, model) for name, model in models.items() if model is not None}


def business_of(settings: Settings) -> Business:
    """Who the settings say talks to the contacts."""
    return Business(
        name=settings.business.name,
        currency=settings.currency,
        locale=settings.locale,
        timezone=settings.zone,
        details=settings.business.model_extra or {},
    )


def rate_of(settings: Settings) -> Rate | None:
    """How fast a contact may write; None where it may write at will."""
    limit = settings.rate_limit
    return Rate(count=limit.per_minute, burst=limit.burst) if limit.per_minute else None


def circuits_of(settings: Settings) -> CircuitPolicy:
    """When a channel is left alone."""
    circuit = settings.circuit
    return CircuitPolicy(threshold=circuit.failures, pause=circuit.pause, probe=circuit.probe)


def buckets_of(settings: Settings, clock: Clock) -> Buckets:
    """The rate limit's, of this process alone."""
    rate = rate_of(settings)
    return MemoryBuckets(clock, rate) if rate else NoBuckets()


def pace_of(settings: Settings) -> Rate | None:
    """How fast a sender of ours may send; None where at will. A whole second's at once: what waited is looked
    for about every second."""
    count = settings.sending.per_second
    return Rate(count, timedelta(seconds=1), count) if count else None


def quota_of(settings: Settings, clock: Clock) -> Buckets:
    """The senders', of this process alone."""
    pace = pace_of(settings)
    return MemoryBuckets(clock, pace) if pace else NoBuckets()


def breaker_of(settings: Settings, clock: Clock, metrics: Metrics) -> Breaker:
    """What guards the channels, in this process alone."""
    return MemoryBreaker(clock, circuits_of(settings), counted(metrics))


def starting_flow(settings: Settings, flows: Collection[str]) -> str:
    """The flow of the settings, or the only one there is. Raises SettingsError."""
    chosen = [
        (["flow"], settings.flow),
        *((["senders", ours], flow) for ours, flow in settings.senders.items()),
    ]
    for keys, name in chosen:
        if name and name not in flows:
            hint = did_you_mean(name, flows) or f"there are {', '.join(sorted(flows)) or 'none'}"
            raise settings.refused(keys, f'there is no flow "{name}"', hint)
    if settings.flow:
        return settings.flow
    if len(flows) != 1:
        raise settings.refused(["flow"], "which one does a conversation start with?", 'flow = "order"')
    return next(iter(flows))


def starting_flows(settings: Settings, flows: Collection[str]) -> set[str]:
    """The flows that conversations begin with, as far as the settings are right."""
    only = set(flows) if len(flows) == 1 else set()
    return ({settings.flow} if settings.flow else only) | set(settings.senders.values())


def check_lease(settings: Settings, channels: Iterable[Channel]) -> None:
    """Raises SettingsError for a lease that may end while a message is still on its way to the provider:
    another process would take the message for lost, and it could go twice."""
    lease = settings.runtime.lease
    for channel in channels:
        if isinstance(channel, Bounded) and lease <= channel.answers_within:
            longest = format_duration(channel.answers_within)
            raise settings.refused(
                ["runtime", "lease"],
                f"{format_duration(lease)} is too short: a message to {channel.name} may be on its way for"
                f" {longest}, and could be sent a second time meanwhile",
                f"let it be longer than {longest}",
            )


def prepare(database: Database, modules: Sequence[Module]) -> None:
    """SQLite upgrades by itself: it has one user. Elsewhere a deployment says when, and one that is
    behind raises RecordError."""
    if database.engine.dialect.name == "sqlite":
        upgrade(database, modules)
    else:
        require_newest(database, modules)
