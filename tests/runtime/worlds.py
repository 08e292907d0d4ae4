"""A runtime around an engine that does what the message says, so that each test can say what happens."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from wabot.core.database import Database
from wabot.core.messages import Button, Inbound, Outbound
from wabot.core.migrate import upgrade
from wabot.core.module import Module, bind
from wabot.core.ports import Channel, Ids
from wabot.engine.effects import CancelInvoke, CancelTimer, Effect, Log, Say, StartInvoke, StartTimer
from wabot.engine.state import Frame, State
from wabot.engine.step import Context, Event, Step
from wabot.engine.texts import Texts
from wabot.pipeline import Business, Pipeline, World, make_errors, make_flow, make_logging, make_session
from wabot.pipeline.compose import Middleware
from wabot.runtime import Sender, SendPolicy, Sweep, accept
from wabot.runtime.send import Decide
from wabot.testing.fakes import FakeChannel, ManualClock, SequentialIds

OURS, THEIRS = "+911000000000", "+919876543210"


class Obedient:
    """An engine that takes orders: `say x`, `run module.command`, `timer id seconds`, `cancel key`,
    `invoke id kind`, `drop key`, `log x`, `locale hi`, `end`, `boom`. Several go with `;` between."""

    def start(
        self,
        flow: str,
        context: Context,
        *,
        message: Inbound | None = None,
        counter: int = 0,
    ) -> Step:
        frame = Frame(flow=flow, version=1, configuration=["here"], variables={"turns": 0})
        return self._obey(State(frames=[frame], counter=counter), message.text if message else "", context)

    def handle(self, state: State, event: Event, context: Context) -> Step:
        words = event.message.text if event.message else f"say {event.name} {event.data or ''}".strip()
        return self._obey(state, words, context)

    def _obey(self, state: State, words: str, context: Context) -> Step:
        frame = state.frames[0]
        variables = {"turns": frame.variables["turns"] + 1}
        after = replace(state, frames=[replace(frame, variables=variables)], counter=state.counter + 1)
        effects: list[Effect] = []
        for order in words.split(";"):
            verb, _, rest = order.strip().partition(" ")
            effects += self._effects(verb, rest, after, context)
        return Step(after, effects)

    def _effects(  # noqa: C901 - a list of orders
        self, verb: str, rest: str, state: State, context: Context
    ) -> Iterable[Effect]:
        match verb:
            case "say":
                yield Say(Outbound(text=rest))
            case "offer":
                yield Say(
                    Outbound(text=rest, buttons=(Button(id="a", title="Yes"), Button(id="b", title="No")))
                )
            case "run":
                result = context.commands.run(rest, {})
                yield from (Say(message) for message in context.said)
                context.said.clear()
                yield Say(Outbound(text=str(result)))
            case "timer":
                id, seconds = rest.split()
                yield StartTimer(id, f"{id}#{state.counter}", timedelta(seconds=float(seconds)))
            case "cancel":
                yield CancelTimer(rest)
            case "invoke":
                id, kind = rest.split()
                yield StartInvoke(id, f"{id}#{state.counter}", kind, {"url": "https://example.com"})
            case "drop":
                yield CancelInvoke(rest)
            case "log":
                yield Log("note", rest)
            case "who":
                yield Say(
                    Outbound(text=f"{context.contact['name']} {context.locale} {context.now.isoformat()}")
                )
            case "locale":
                state.locale = rest
            case "end":
                state.status = "ended"
            case "boom":
                raise RuntimeError("boom")


@dataclass
class Runtime:
    """The parts of an app in memory, and a way to speak into it."""

    world: World
    pipeline: Pipeline
    sender: Sender
    clock: ManualClock
    heard: int = 0
    said: list[str] = field(default_factory=list)

    def hear(self, text: str, *, event_id: str = "", phone: str = THEIRS, **more: Any) -> int | None:
        self.heard += 1
        message = Inbound(
            channel="fake",
            event_id=event_id or f"wamid.{self.heard}",
            sender=phone,
            recipient=OURS,
            text=text,
            **more,
        )
        return accept(self.world.database, self.clock, self.world.ids, message)

    def sweep(self) -> Sweep:
        return Sweep(self.world, self.pipeline, self.sender)


def make_runtime(
    *,
    modules: Iterable[Module] = (),
    channel: Channel | None = None,
    middleware: Iterable[Middleware] = (),
    policy: SendPolicy | None = None,
    database: str = "sqlite://",
    texts: Texts | None = None,
    decide: Decide | None = None,
    ids: Ids | None = None,
) -> Runtime:
    clock = ManualClock()
    record = Database(database)
    upgrade(record)
    world = World(
        database=record,
        clock=clock,
        ids=ids or SequentialIds(),
        registry=bind(modules),
        engine=Obedient(),
        texts=texts or Texts(),
        business=Business(name="Asha"),
        flow="menu",
        flows={"+912000000000": "other"},
        log_key=b"key",
    )
    pipeline = Pipeline([make_logging(world), make_errors(world), make_session(world)], [make_flow(world)])
    for each in middleware:
        pipeline.add(each)
    channel = channel or FakeChannel()
    sender = Sender(record, clock, {channel.name: channel}, policy, b"key", decide)
    return Runtime(world, pipeline, sender, clock)
