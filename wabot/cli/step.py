"""`wabot step`: the engine alone. Events in, one JSON object a line; what they led to out."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wabot.cli.flows import Flows
from wabot.cli.screen import show_json
from wabot.core.json import from_plain
from wabot.core.messages import Inbound, Kind
from wabot.core.ports import SystemClock
from wabot.engine.engine import Engine
from wabot.engine.payload import encode
from wabot.engine.state import Frame, State
from wabot.engine.step import Context, Event, Step
from wabot.errors import FlowError, UsageError, WabotError

CONTACT = "+919800000001"


def run(flow: Path, state: Path | None, *, trace: bool) -> None:
    """Read events from standard input until it ends.

    A line that is no event, and an event that fails, end it: one error object on standard error,
    exit 1, with the state of the last line still good.
    """
    flows = Flows.of(flow)
    machine = Machine(Engine(flows.library), flows.source.flow, trace=trace)
    show_json(machine.load(read_state(state)) if state else machine.start())
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        try:
            answer = machine.take(line)
        except WabotError as error:
            _complain(number, error)
            raise SystemExit(1) from error
        show_json(answer)


def _complain(number: int, error: WabotError) -> None:
    told = {"error": error.message, "kind": type(error).__name__, "line": number}
    print(
        json.dumps(told | ({"hint": error.hint} if error.hint else {}), ensure_ascii=False), file=sys.stderr
    )


def read_state(file: Path) -> State:
    """The state in `file`: the `state` of a line of `wabot step`, or such a line itself.

    Raises FlowError where it is no JSON, StateError where it is no state.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FlowError(
            f"{file}: this is not JSON: {error}", hint="give the state of a line of wabot step"
        ) from None
    if isinstance(data, dict) and isinstance(data.get("state"), dict):
        data = data["state"]
    if not isinstance(data, dict):
        raise FlowError(f"{file}: a state is a JSON object", hint="give the state of a line of wabot step")
    return State.from_json(data)


@dataclass(slots=True)
class Machine:
    """A conversation with the engine and nobody else."""

    engine: Engine
    flow: str
    trace: bool = False
    state: State | None = None
    received: int = 0

    def start(self) -> dict[str, Any]:
        return self._answer(self.engine.start(self.flow, self._context()))

    def load(self, state: State) -> dict[str, Any]:
        return self._answer(Step(state, []))

    def take(self, line: str) -> dict[str, Any]:
        """What one line leads to. Raises UsageError for what is no event, TurnError where it fails."""
        if self.state is None:
            self.start()
        assert self.state is not None  # noqa: S101 - start set it
        self.received += 1
        return self._answer(self.engine.handle(self.state, self._event(line, self.state), self._context()))

    def _context(self) -> Context:
        return Context(now=SystemClock().now(), contact={"phone": CONTACT, "name": ""}, trace=self.trace)

    def _answer(self, step: Step) -> dict[str, Any]:
        self.state = step.state
        answer: dict[str, Any] = {
            "configuration": self.engine.configuration(step.state),
            "state": step.state.to_json(),
            "effects": [effect.as_json() for effect in step.effects],
        }
        if self.trace:
            answer["trace"] = [{"kind": t.kind, "path": list(t.path), "text": t.text} for t in step.trace]
        return answer

    def _event(self, line: str, state: State) -> Event:
        try:
            data = json.loads(line)
        except ValueError as error:
            raise UsageError(
                f"this line is not JSON: {error}", hint='write {"name": "t1", "data": {}}'
            ) from None
        if not isinstance(data, dict) or not isinstance(data.get("name"), str) or not data["name"]:
            raise UsageError("an event is an object with a name", hint='write {"name": "t1", "data": {}}')
        if unknown := set(data) - {"name", "data", "key"}:
            raise UsageError(
                f"an event has no {', '.join(sorted(unknown))}", hint="it has name, data and key"
            )
        name, payload = data["name"], from_plain(data.get("data"))
        if message := self._message(name, payload, state):
            return Event(message=message)
        return Event(name, payload, key=str(data.get("key") or open_key(state, name)))

    def _message(self, name: str, data: Any, state: State) -> Inbound | None:
        """`message.text`, `message.button.yes` and the like as what a contact would have sent."""
        first, _, rest = name.partition(".")
        kind, _, option = rest.partition(".")
        if first != "message" or kind not in set(Kind):
            return None
        if not isinstance(data, dict | str | None):
            raise UsageError("the data of a message is an object", hint='write {"text": "Hi"}')
        fields: dict[str, Any] = {"text": data} if isinstance(data, str) else dict(data or {})
        if option:
            fields |= tapped(state, option)
        try:
            return Inbound(
                channel="step",
                event_id=str(self.received),
                sender=CONTACT,
                recipient="",
                kind=Kind(kind),
                **fields,
            )
        except TypeError as error:
            raise UsageError(f"this is no message: {error}") from None
        except ValidationError as error:
            wrong = error.errors()[0]
            raise UsageError(f"this is no message: {wrong['loc'][0]}: {wrong['msg']}") from None


def _frames(state: State) -> Iterator[Frame]:
    """The flows on the stack, the one that answers now first."""
    return reversed(state.frames)


def open_key(state: State, name: str) -> str:
    """The key of the open timer or invoke that an event of this name answers, or nothing."""
    for frame in _frames(state):
        for timer in frame.timers:
            if name == f"timer.{timer.id}":
                return timer.key
        for invoke in frame.invokes:
            if name in (f"done.invoke.{invoke.id}", f"error.invoke.{invoke.id}"):
                return invoke.key
    return ""


def tapped(state: State, option: str) -> dict[str, str]:
    """What tapping this option of the last message that shows it sends."""
    for frame in _frames(state):
        for sent in sorted(frame.sent.values(), key=lambda sent: sent.number, reverse=True):
            for id, title in sent.options:
                if id == option:
                    return {"payload": encode(frame.flow, frame.version, sent.number, id), "title": title}
    return {"payload": option, "title": option}
