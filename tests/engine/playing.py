"""A conversation with the bare engine. Between any two events the state goes through JSON text."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from wabot.core.messages import Inbound, Kind, Outbound
from wabot.engine.effects import CancelInvoke, CancelTimer, Effect, Log, Say, StartInvoke, StartTimer
from wabot.engine.engine import Engine
from wabot.engine.library import Library
from wabot.engine.loader import load_flow
from wabot.engine.state import Frame, State
from wabot.engine.step import Commands, Context, Event, Limits, NoCommands, Step
from wabot.engine.texts import Texts

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=ZoneInfo("Asia/Kolkata"))
TEXTS: dict[str, Any] = {
    "en": {"welcome": "Welcome!", "menu": {"title": "What next?"}},
    "hi": {"welcome": "स्वागत है!"},
}


class Table:
    """Commands as a table of functions; notes the calls."""

    def __init__(self, **commands: Callable[..., Any]) -> None:
        self.commands = {name.replace("__", "."): command for name, command in commands.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def run(self, name: str, arguments: Mapping[str, Any]) -> Any:
        self.calls.append((name, dict(arguments)))
        if name not in self.commands:
            return NoCommands().run(name, arguments)
        return self.commands[name](**arguments)


def through_json(state: State) -> State:
    return State.from_json(json.loads(json.dumps(state.to_json())))


class Talk:
    """`flows` are YAML texts; the first is the one that starts."""

    def __init__(
        self,
        *flows: str,
        commands: Commands | None = None,
        limits: Limits | None = None,
        locale: str = "en",
        texts: Mapping[str, Any] | None = None,
        business: Mapping[str, Any] | None = None,
        trace: bool = False,
    ) -> None:
        sources = [load_flow(flow, f"flow{number}.yaml") for number, flow in enumerate(flows)]
        self.flow = sources[0].flow
        self.engine = Engine(Library(sources, Texts(dict(texts or TEXTS))), limits or Limits())
        self.context = Context(
            now=NOW,
            locale=locale,
            contact={"name": "Asha", "phone": "+919876543210"},
            business=business or {"name": "Depot", "country": "IN"},
            commands=commands or NoCommands(),
            trace=trace,
        )
        self.count = 0
        self.step: Step
        self.log: list[str] = []
        self.shown: dict[str, str] = {}
        self.timers: dict[str, str] = {}
        self.invokes: dict[str, str] = {}

    def start(self, text: str = "", data: Mapping[str, Any] | None = None) -> Self:
        message = self.inbound(text=text) if text else None
        return self._took(self.engine.start(self.flow, self.context, message=message, data=data))

    def inbound(self, **fields: Any) -> Inbound:
        self.count += 1
        ids = {"channel": "test", "event_id": str(self.count), "sender": "+919876543210", "recipient": "+911"}
        return Inbound(**(ids | fields))

    def say(self, text: str, **fields: Any) -> Self:
        """The contact writes."""
        return self.send(Event(message=self.inbound(text=text, **fields)))

    def tap(self, title: str, kind: Kind = Kind.BUTTON) -> Self:
        """The contact taps what was last shown under this title."""
        message = self.inbound(kind=kind, title=title, payload=self.shown[title])
        return self.send(Event(message=message))

    def event(self, name: str, data: Any = None) -> Self:
        return self.send(Event(name, data))

    def fire(self, id: str) -> Self:
        """The timer of this id is due."""
        return self.send(Event(f"timer.{id}", key=self.timers.pop(id)))

    def done(self, id: str, data: Any = None) -> Self:
        return self.send(Event(f"done.invoke.{id}", data, key=self.invokes.pop(id)))

    def failed(self, id: str, data: Any = None) -> Self:
        return self.send(Event(f"error.invoke.{id}", data, key=self.invokes.pop(id)))

    def send(self, event: Event) -> Self:
        before = json.dumps(self.state.to_json())
        given = self.state
        self._took(self.engine.handle(given, event, self.context))
        assert json.dumps(given.to_json()) == before, "the given state was changed"
        return self

    def _took(self, step: Step) -> Self:
        self.step = step
        self.text = json.dumps(step.state.to_json())
        assert through_json(self.state).to_json() == self.state.to_json()
        for effect in step.effects:
            self._note(effect)
        return self

    def _note(self, effect: Effect) -> None:
        match effect:
            case Say(message):
                self.log.append(message.text)
                self.shown |= {option.title: option.payload for option in message.options}
            case StartTimer(id, key):
                assert key not in self.timers.values()
                self.timers[id] = key
            case CancelTimer(key):
                self.timers = {id: other for id, other in self.timers.items() if other != key}
            case StartInvoke(id, key):
                self.invokes[id] = key
            case CancelInvoke(key):
                self.invokes = {id: other for id, other in self.invokes.items() if other != key}
            case Log(label, value):
                self.log.append(f"{label}: {value}")

    @property
    def state(self) -> State:
        return State.from_json(json.loads(self.text))

    @property
    def frame(self) -> Frame:
        return self.state.frames[-1]

    @property
    def at(self) -> list[str]:
        return self.engine.configuration(self.state)

    @property
    def variables(self) -> dict[str, Any]:
        return self.frame.variables

    @property
    def messages(self) -> list[Outbound]:
        """What the last step says."""
        return [effect.message for effect in self.step.effects if isinstance(effect, Say)]

    @property
    def said(self) -> list[str]:
        return [message.text for message in self.messages]

    @property
    def ended(self) -> bool:
        return self.state.status == "ended"
