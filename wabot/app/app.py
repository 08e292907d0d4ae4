"""The app: everything put together, bound once, and then at work."""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Self

from wabot.app.parts import (
    breaker_of,
    buckets_of,
    business_of,
    check_lease,
    load_flows,
    load_texts,
    prepare,
    quota_of,
    read_sections,
    starting_flow,
    starting_flows,
)
from wabot.core.buckets import Buckets
from wabot.core.circuits import OPENNESS, Breaker
from wabot.core.database import Database
from wabot.core.faults import crash_point
from wabot.core.media import MEDIA
from wabot.core.messages import Inbound, Outbound
from wabot.core.metrics import CIRCUIT, MemoryMetrics, Metrics
from wabot.core.module import STARTED, Module, Registry, bind
from wabot.core.ports import Channel, Clock, Doorbell, GivenId, Ids, NoDoorbell, RandomIds, SystemClock
from wabot.core.tables import Category, EffectRow, InboundRow, OutboxRow, TimerRow
from wabot.engine.check import CheckOptions, check
from wabot.engine.engine import Engine
from wabot.engine.library import Library
from wabot.engine.loader import Source
from wabot.engine.texts import Texts
from wabot.errors import ConfigurationError, DuplicateName, FlowInvalid, Frozen, SettingsError
from wabot.pipeline import (
    Middleware,
    Pipeline,
    Words,
    World,
    make_errors,
    make_flow,
    make_handover,
    make_logging,
    make_media,
    make_opt_out,
    make_rate_limit,
    make_session,
)
from wabot.pipeline.call import OpenCall
from wabot.runtime import (
    Drained,
    Sender,
    SendPolicy,
    Sweep,
    Sweeper,
    accept,
    finish,
    next_due,
    operator,
    queries,
)
from wabot.runtime.accept import RESERVED_CHANNELS
from wabot.runtime.backlog import Upcoming, upcoming
from wabot.runtime.effects import Effects, Runner
from wabot.runtime.metrics import measure
from wabot.runtime.policy import Policy
from wabot.runtime.queries import ConversationView
from wabot.runtime.receipts import Receipt, receive
from wabot.runtime.sweep import Stop
from wabot.runtime.timers import fire_due
from wabot.settings import Settings


class App:
    """Collects modules, channels and middleware; `bind` freezes them and opens the database.

        with App(settings, modules=[orders], channel=channel).bind() as app:
            app.accept(message)
            app.drain()

    `sources` and `texts` are the flows and what they say; by default those that the settings name.
    `buckets` are the rate limit's, `quota` those of our senders, `breaker` guards the channels; by default
    all know this process alone.
    Without `outside` nothing that a flow invokes is done: it waits for `finish_effect`, as in tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        modules: Iterable[Module] = (),
        channel: Channel | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        sources: Sequence[Source] | None = None,
        texts: Texts | None = None,
        doorbell: Doorbell | None = None,
        buckets: Buckets | None = None,
        quota: Buckets | None = None,
        breaker: Breaker | None = None,
        metrics: Metrics | None = None,
        outside: bool = True,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.ids = ids or RandomIds()
        self._modules = list(modules)
        self._channels: dict[str, Channel] = {}
        self._webhooks: dict[str, Any] = {}
        self._sources = sources
        self._texts = texts
        self._doorbell = doorbell or NoDoorbell()
        self.metrics = metrics or MemoryMetrics()
        self.breaker = breaker or breaker_of(settings, self.clock, self.metrics)
        self._buckets = buckets or buckets_of(settings, self.clock)
        self._quota = quota or quota_of(settings, self.clock)
        self.outside = outside
        self._runners: dict[str, Runner] = {}
        self._bound: _Bound | None = None
        self._added: list[Middleware] = []
        self._closing = ExitStack()
        if channel is not None:
            self.channel(channel)

    def module(self, module: Module) -> None:
        """Add a module."""
        self._still_open(f'the module "{module.name}"')
        self._modules.append(module)

    def channel(self, channel: Channel) -> None:
        """Add a way to the contacts."""
        self._still_open(f'the channel "{channel.name}"')
        if channel.name in RESERVED_CHANNELS:
            raise ConfigurationError(f'no channel may be called "{channel.name}"')
        if channel.name in self._channels:
            raise DuplicateName(f'two channels are called "{channel.name}"')
        self._channels[channel.name] = channel

    def webhook(self, name: str, webhook: Any) -> None:
        """Add what reads and checks a provider's requests to us: `twilio` or `meta` of `adapters.channels`.

        The HTTP server asks for it by this name, and refuses all requests where it isn't there.
        """
        self._still_open(f'the webhook "{name}"')
        if name in self._webhooks:
            raise DuplicateName(f'two webhooks are called "{name}"')
        self._webhooks[name] = webhook

    @property
    def webhooks(self) -> Mapping[str, Any]:
        """By their names, what reads and checks the requests of providers."""
        return MappingProxyType(self._webhooks)

    def runner(self, kind: str, runner: Runner) -> None:
        """Add what does the effects of a kind, such as `http`. Those of modules are there by themselves."""
        self._still_open(f'the runner of "{kind}"')
        if kind in self._runners:
            raise DuplicateName(f'two runners are for "{kind}"')
        self._runners[kind] = runner

    def use(self, middleware: Middleware) -> None:
        """Add a middleware between the opt-out and the flow, inside of those added before."""
        self._still_open("this middleware")
        self._added.append(middleware)

    def on_close(self, closer: Callable[[], object]) -> None:
        """Let `close` call this too, the last one added first: for what was opened for this app alone."""
        self._closing.callback(closer)

    def bind(self) -> Self:
        """Freeze the app: check its flows, read its modules' settings, open and upgrade its database.

        Raises FlowInvalid with every finding, SettingsError, DuplicateName, or RecordError where a
        database that isn't SQLite wants `wabot db upgrade`.
        """
        if self._bound is not None:
            return self
        settings = self.settings
        registry = bind(self._modules)
        settings.know_sections(list(registry.modules))
        sections = read_sections(settings, registry)
        check_lease(settings, self._channels.values())
        library = self._checked_library(registry)
        flow = starting_flow(settings, library.flows)
        database = Database(settings.database_url, settings.pool.pool)
        try:
            prepare(database, self._modules)
            key = settings.log_key.get_secret_value().encode() if settings.log_key else secrets.token_bytes()
            world = World(
                database=database,
                clock=self.clock,
                ids=self.ids,
                registry=registry,
                engine=Engine(library),
                texts=library.texts,
                business=business_of(settings),
                flow=flow,
                flows=settings.senders,
                settings=sections,
                tries=settings.runtime.tries,
                log_key=key,
                metrics=self.metrics,
            )
            try:
                _tell_started(world)
            except SettingsError as error:
                raise settings.told(error) from error
            effects = Effects(world, {**registry.invokes, **self._runners} if self.outside else {})
            self._bound = _Bound(world, library, self._pipeline(world), self._sender(world), effects)
        except BaseException:
            database.close()
            raise
        return self

    def close(self) -> None:
        """Let go of the database, and of what `on_close` was told. What was committed stays; what is due is
        found at the next start."""
        with self._closing:
            if self._bound is not None:
                self._bound.world.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pipeline(self) -> Pipeline:
        """Its `names` are the middleware in their order."""
        return self._ready.pipeline

    @property
    def library(self) -> Library:
        return self._ready.library

    @property
    def registry(self) -> Registry:
        return self._ready.world.registry

    @property
    def database(self) -> Database:
        return self._ready.world.database

    def accept(self, message: Inbound, *, correlation: str = "") -> bool:
        """Commit a message of a contact; False where it was accepted before. Its turn comes later.

        `correlation`, 64 characters at most, is on the turn's log lines; without it a new id is.
        """
        world = self._ready.world
        ids = GivenId(correlation) if correlation else world.ids
        conversation_id = accept(world.database, world.clock, ids, message)
        if conversation_id is None:
            return False
        self._doorbell.ring(conversation_id)
        crash_point("accept.after_ring")
        return True

    def drain(
        self, stop: Stop = lambda: False, patience: timedelta = timedelta(), *, effects: bool = True
    ) -> Drained:
        """Do everything that is due, in this thread: timers, turns, messages out, effects.

        `stop` is asked between two pieces of work. Events younger than `patience` are left to the worker
        that was rung for them. Without `effects` those are left to `run_effects`, in another thread: they
        wait for other servers.
        """
        return self._sweep().drain(stop, patience, effects=effects)

    def serve(self, conversation_id: int, stop: Stop = lambda: False) -> Drained:
        """Do the turns of this conversation that are due, and nothing else."""
        return self._sweep().serve(conversation_id, stop)

    def send(self, stop: Stop = lambda: False) -> Drained:
        """Send what is due, of all conversations, and nothing else."""
        return self._sweep().send(stop)

    def run_effects(self, stop: Stop = lambda: False) -> Drained:
        """Do what flows asked for outside of turns, and is due: `http` requests, the modules' invokes.

        Each result is an event of its conversation, for which the bell is rung. Any number of threads and
        processes may do this at once.
        """
        return self._sweep().run_effects(stop)

    def fire_timers(self) -> list[int]:
        """Turn the timers that are due into events; gives the conversations that have something to do now."""
        world = self._ready.world
        return fire_due(world.database, world.clock, world.ids)

    def sweeper(self) -> Sweeper:
        """What drains this app for as long as it runs; from now on `accept` rings it."""
        runtime = self.settings.runtime
        beside = [self.run_effects] * (runtime.effects if self._ready.effects.kinds else 0)
        turns = partial(self.drain, effects=False)
        sweeper = Sweeper(turns, runtime.sweep.total_seconds(), beside)
        self._doorbell = sweeper
        return sweeper

    def next_due(self) -> datetime | None:
        """When there is something to do next, or was already; None where nothing waits."""
        return next_due(self.database, self._ready.effects.kinds)

    def has_effects(self, conversation_id: int) -> bool:
        """Whether something that this conversation invoked waits for a worker, and not for a person."""
        return any(effect.due_at for effect in self.effects(conversation_id, pending=True))

    def upcoming(self, until: datetime) -> Upcoming:
        """When timers, messages and effects that wait now come due, up to then."""
        return upcoming(self.database, self.clock.now(), until)

    def metrics_text(self) -> str:
        """The numbers of this process, and what waits in the database, as Prometheus reads them."""
        measure(self.database, self.clock.now(), self.metrics)
        for name in self._channels:
            self.metrics.set(CIRCUIT, OPENNESS[self.breaker.state(name)], circuit=name)
        return self.metrics.text()

    def run(self, command: str, arguments: Mapping[str, Any], *, phone: str | None = None) -> Any:
        """Run a module's command outside of any conversation, in a transaction of its own.

        `phone` is the contact that it is for. Raises what the command raises, and nothing has changed.
        """
        world = self._ready.world
        with world.database.transaction() as session:
            contact = queries.contact(session, phone, world.business.locale) if phone else None
            result = OpenCall(world, session, contact=contact).run(command, arguments)
            session.commit()
        return result

    def query(self, name: str, arguments: Mapping[str, Any], *, phone: str | None = None) -> Any:
        """What a module's query gives, of one snapshot. `phone` is the contact to whom alone it is to tell.

        Raises NotFound where what is asked for isn't there.
        """
        world = self._ready.world
        query = world.registry.query(name)
        with world.database.reading() as session:
            contact = queries.contact(session, phone, world.business.locale) if phone else None
            return query.run(arguments, OpenCall(world, session, contact=contact))

    def take_over(self, conversation_id: int, by: str = "") -> bool:
        """A person has the conversation from now on, and the flow hears nothing; False where one has it
        already. Raises NotFound."""
        return operator.take_over(self.database, self.clock, conversation_id, by)

    def hand_back(self, conversation_id: int, data: Any = None) -> bool:
        """The flow hears again; False where no person had the conversation. Raises NotFound.

        An `agent` that the flow waits for is done, with `data` as its result.
        """
        if not operator.hand_back(self.database, self.clock, self.ids, conversation_id, data):
            return False
        self._doorbell.ring(conversation_id)
        return True

    def say(
        self, conversation_id: int, message: Outbound, *, category: Category = Category.TRANSACTIONAL
    ) -> int:
        """Send one message beside the flow; its id in the outbox. Raises NotFound."""
        id = operator.say(self.database, self.clock, self.ids, conversation_id, message, category)
        self._doorbell.ring(conversation_id)
        return id

    def ring(self, conversation_id: int) -> None:
        """Wake whoever serves this conversation: something in it is due."""
        self._doorbell.ring(conversation_id)

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The ways to the contacts, by their names."""
        return MappingProxyType(self._channels)

    def receipt(self, receipt: Receipt) -> bool:
        """Take what the provider tells of a message that we sent; False where it tells nothing new."""
        return receive(self.database, self.clock, receipt, self._send_policy)

    def finish_effect(self, effect_id: int, data: Any = None, *, failed: bool = False) -> bool:
        """Give the flow the result of an effect, or its failure; False where it was finished before.

        An agent hands the conversation back in this way.
        """
        world = self._ready.world
        conversation_id = finish(world.database, world.clock, world.ids, effect_id, data, failed=failed)
        if conversation_id is None:
            return False
        self._doorbell.ring(conversation_id)
        return True

    def conversation(
        self, phone: str, *, channel: str | None = None, sender: str | None = None
    ) -> ConversationView | None:
        """The first conversation with this contact, of the channel and our sender where they are given."""
        found = queries.conversations(
            self.database, phone=phone, channel=channel, sender=sender, locale=self.settings.locale, limit=1
        )
        return found[0] if found else None

    def conversations(self, limit: int = 1000) -> list[ConversationView]:
        return queries.conversations(self.database, locale=self.settings.locale, limit=limit)

    def events(self, conversation_id: int) -> Sequence[InboundRow]:
        """Everything that happened to a conversation, in order; a failed one with its error."""
        return queries.events(self.database, conversation_id)

    def outbox(self, conversation_id: int) -> Sequence[OutboxRow]:
        """Everything said to the contact, in order, with what became of it."""
        return queries.outbox(self.database, conversation_id)

    def timers(self, conversation_id: int) -> Sequence[TimerRow]:
        """The open timers, the next one first."""
        return queries.timers(self.database, conversation_id)

    def effects(self, conversation_id: int, *, pending: bool = False) -> Sequence[EffectRow]:
        """What was asked for outside the turn, in order; with `pending` only what is still open."""
        return queries.effects(self.database, conversation_id, pending=pending)

    def reset(self, conversation_id: int) -> None:
        """Forget where the conversation is: its next message starts the flow anew."""
        queries.reset(self.database, self.clock, conversation_id)

    def _sweep(self) -> Sweep:
        bound = self._ready
        return Sweep(bound.world, bound.pipeline, bound.sender, bound.effects, self._doorbell.ring)

    @property
    def _ready(self) -> "_Bound":
        if self._bound is None:
            raise ConfigurationError("the app is not bound yet", hint="call app.bind() first")
        return self._bound

    def _still_open(self, what: str) -> None:
        if self._bound is not None:
            raise Frozen(f"the app is bound: {what} comes too late")

    def _checked_library(self, registry: Registry) -> Library:
        sources = load_flows(self.settings) if self._sources is None else list(self._sources)
        texts = load_texts(self.settings) if self._texts is None else self._texts
        # Where nothing is done outside, nobody asks for a secret.
        secrets = self.settings.http.secrets.keys() if self.outside else None
        starts = starting_flows(self.settings, {source.flow for source in sources})
        options = CheckOptions(self.settings.all_locales, secrets, starts)
        problems = check(sources, texts, registry.commands, registry.invokes, options=options)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise FlowInvalid(problems=errors)
        return Library(sources, texts)

    def _pipeline(self, world: World) -> Pipeline:
        words = Words(self.settings.opt_out.stop, self.settings.opt_out.start)
        limit, opt_out = make_rate_limit(world, self._buckets, words.means_stop), make_opt_out(world, words)
        first = [
            make_logging(world),
            make_errors(world),
            make_session(world),
            limit,
            opt_out,
            # Before the handover: a person who has a conversation in hand wants its pictures too.
            *self._media(),
            make_handover(),
        ]
        pipeline = Pipeline(first, [make_flow(world)])
        for middleware in self._added:
            pipeline.add(middleware)
        pipeline.freeze()
        return pipeline

    def _media(self) -> list[Middleware]:
        """Files are asked for where the runner of `media` effects can fetch them: of its `channels`. Without
        `outside` those of all wait for `finish_effect`, as anything else that is asked for does."""
        nobody: Collection[str] = () if self.outside else self._channels
        channels: Collection[str] = getattr(self._runners.get(MEDIA), "channels", nobody)
        return [make_media(channels)] if channels else []

    @property
    def _send_policy(self) -> SendPolicy:
        runtime = self.settings.runtime
        return SendPolicy(lease=runtime.lease, grace=runtime.grace, give_up=runtime.give_up)

    def _sender(self, world: World) -> Sender:
        return Sender(
            world.database,
            world.clock,
            self._channels,
            self._send_policy,
            world.log_key,
            Policy(self._channels, self._quota),
            self.breaker,
            self.metrics,
        )


def _tell_started(world: World) -> None:
    """Modules that read files of theirs do so now: a mistake in one shows before a contact writes."""
    if STARTED in world.registry.handlers:
        with world.database.transaction() as session:
            OpenCall(world, session).emit(STARTED, {})
            session.commit()


@dataclass(frozen=True, slots=True)
class _Bound:
    world: World
    library: Library
    pipeline: Pipeline
    sender: Sender
    effects: Effects
