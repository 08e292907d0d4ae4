"""One event on the stack of flows: budgets, effects, and what follows each macrostep."""

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wabot.core.messages import Inbound
from wabot.engine.budget import Budget
from wabot.engine.chart import Chart, Spot, in_document_order
from wabot.engine.effects import Effect, Log, Say
from wabot.engine.invoking import FLOW, Invocation, started
from wabot.engine.occurrence import Occurrence
from wabot.engine.outside import Outside
from wabot.engine.play import Play
from wabot.engine.problems import Path
from wabot.engine.state import Frame, OpenInvoke, OpenTimer, State
from wabot.engine.step import Context, Limits, Step, Trace
from wabot.engine.voice import SAID, Voice
from wabot.errors import ExpressionError

if TYPE_CHECKING:
    from wabot.engine.library import Library


class Run:
    """Works on a copy of the state; nothing of it is kept where an error gets out."""

    def __init__(
        self, library: "Library", limits: Limits, state: State, context: Context, message: Inbound | None
    ) -> None:
        self.library = library
        self.budget = Budget(limits)
        self.voice = Voice(self)
        self.outside = Outside(self)
        self.state = state
        self.context = context
        self.message = message
        self.effects: list[Effect] = []
        self.trace: list[Trace] | None = [] if context.trace else None
        self.queue: deque[tuple[Play, Occurrence]] = deque()
        self.command = ""
        self.locale = state.locale or context.locale
        self.scope: dict[str, Any] = {
            "message": None if message is None else message_data(message),
            "answer": None,
            "contact": context.contact,
            "business": context.business,
            "now": context.now,
            "today": context.now.date(),
            "_locale": self.locale,
            "_currency": context.currency,
        }
        self.plays: list[Play] = []
        self._resumed = False
        self._intents: dict[Chart, frozenset[str]] = {}

    def open(self) -> None:
        """Take up the flows of the state. Raises StateError where they don't fit their charts."""
        for frame in self.state.frames:
            self.plays.append(Play(self, frame, self.library.chart(frame.flow, frame.version)))

    def close(self) -> None:
        """Give the machines back; only after a run that ended well."""
        for play in self.plays:
            play.release()

    def finish(self, *, handled: bool) -> Step:
        """The step; after a flow digressed to has ended, the open question is put again first."""
        if self._resumed and self.state.status == "running":
            self.voice.ask_again(unless=self.voice.asked)
        self.close()
        return Step(self.state, self.effects, handled, self.trace or [])

    def fire(self, play: Play, timer: OpenTimer) -> bool:
        """A timer is due; whether a transition took it."""
        play.frame.timers.remove(timer)
        if not timer.state:
            id = play.chart.event_id(timer.event, play.chart.root)
            return self.dispatch(play, Occurrence(timer.event, id, timer.data, send_id=timer.id))
        spot = play.chart.spot(timer.state)
        after = next((after for after in spot.timers if after.written == timer.data), None)
        if after is None:
            return False
        name = f"timer.{timer.id}"
        if self.dispatch(play, Occurrence(name, after.event, tentative=True)):
            return True
        # Its own guards block it: then it is an event like any other.
        return self.dispatch(play, Occurrence(name, f"e.{name}"))

    def push(self, flow: str, data: Mapping[str, Any], caller: str, *, lenient: bool = False) -> Play:
        """Start a flow on top of the stack. Raises UnknownName for one that isn't there."""
        if self.plays:
            self.budget.stack(self.plays[-1], len(self.plays) + 1)
        chart = self.library.newest(flow)
        frame = Frame(chart.flow, chart.version, caller=caller)
        play = Play(self, frame, chart)
        play.declare(data, lenient=lenient)
        self.state.frames.append(frame)
        self.plays.append(play)
        play.start()
        self.after(play)
        return play

    def dispatch(self, play: Play, occurrence: Occurrence) -> bool:
        """Run one event, and what follows from it, to the end; whether a transition took it."""
        play.send(occurrence)
        self.after(play)
        self.drain()
        return occurrence.taken

    def offer(self, name: str, data: Any = None, *, below: Play | None = None) -> bool:
        """Give an event to the top flow, then, where nothing there takes it, to the one below, …"""
        start = len(self.plays) if below is None else self.plays.index(below) + 1
        for play in reversed(self.plays[:start]):
            if self.dispatch(play, Occurrence(name, play.chart.event_id(name, play.chart.root), data)):
                return True
        return False

    def drain(self) -> None:
        """Run the events that flows sent, in the order sent."""
        while self.queue:
            play, occurrence = self.queue.popleft()
            if play.alive:
                play.send(occurrence)
                self.after(play)

    def after(self, play: Play) -> None:
        """What follows a macrostep: questions, timers and invokes of the states entered; the end."""
        play.settle()
        if play.left:
            play.left = False
            self._drop_digressions(play)
        if play.ended:
            self._end(play)
            return
        if play.entered:
            entered = in_document_order(play.entered)
            play.entered.clear()
            for spot in entered:
                if spot.begins:
                    self._try_to_begin(play, spot)
        digressions, play.digressions = play.digressions, []
        for flow, data in digressions:
            self.budget.spend(play, "invokes")
            self.push(flow, data, "")

    def _try_to_begin(self, play: Play, spot: Spot) -> None:
        try:
            self._begin(play, spot)
        except ExpressionError as error:
            self._fail(play, error)

    def store(self, play: Play, location: str, value: Any, where: str) -> bool:
        """Put an answer or a result into its variable; False where it doesn't fit and the flow is told so."""
        try:
            play.assign(location, value, where)
        except ExpressionError as error:
            self._fail(play, error)
            return False
        return True

    def _fail(self, play: Play, error: ExpressionError) -> None:
        """Queue the event of an error outside the machine; raises the error where the flow takes none."""
        if not play.chart.catches("error.execution"):
            raise error
        self.effects.append(Log("error.execution", error.message))
        data = {"message": error.message}
        occurrence = Occurrence("error.execution", "e.error.execution", data, "platform", error=error)
        self.queue.append((play, occurrence))

    def _begin(self, play: Play, spot: Spot) -> None:
        for timer in spot.timers:
            id = f"{spot.path}.{timer.written}"
            self.outside.start_timer(play.frame, id, timer.delay, state=spot.path, data=timer.written)
        if spot.question is not None:
            self.voice.ask(play, spot, spot.question)
        for invocation in spot.invocations:
            self._invoke(play, spot, invocation)

    def _invoke(self, play: Play, spot: Spot, invocation: Invocation) -> None:
        self.budget.spend(play, "invokes")
        arguments = started(play, invocation)
        target = invocation.target(play) if invocation.target else None
        if invocation.idlocation:
            play.assign(invocation.idlocation, invocation.id, invocation.where)
        key = f"{invocation.id}#{self.next_number()}"
        invoke = OpenInvoke(key, invocation.id, invocation.kind, spot.path)
        play.frame.invokes.append(invoke)
        if invocation.kind == FLOW:
            try:
                self.push(str(target), arguments, key, lenient=invocation.lenient)
            except ExpressionError:
                self._abandon(play, invoke)
                raise
        else:
            self.outside.start_invoke(invoke, arguments)

    def _abandon(self, play: Play, invoke: OpenInvoke) -> None:
        """A called flow failed as it began: its caller goes on without it and all that it began."""
        if invoke in play.frame.invokes:
            play.frame.invokes.remove(invoke)
        first = next((p for p in self.plays if p.frame.caller == invoke.key), None)
        for other in self.plays[self.plays.index(first) :] if first else ():
            for timer in list(other.frame.timers):
                self.outside.cancel_timer(other.frame, timer)
            for started_ in other.frame.invokes:
                if started_.kind != FLOW:
                    self.outside.cancel_invoke(started_)
            other.fall()
            self._remove(other)

    def _end(self, play: Play) -> None:
        self._drop_digressions(play)
        if play is not self.plays[0]:
            play.wind_up()
        self._stop(play)
        if play is self.plays[0]:
            self.state.status = "ended"
            play.frame.sent.clear()
            self.queue.clear()
            return
        self._remove(play)
        owner, invoke = self.find_invoke(play.frame.caller)
        if owner is None or invoke is None:
            self._resumed = True
        else:
            self.returned(owner, invoke, play.result)

    def returned(self, play: Play, done: OpenInvoke, data: Any, *, failed: bool = False) -> Occurrence:
        """An invoke has come back: store its result and queue its event."""
        play.frame.invokes.remove(done)
        spot = play.chart.spot(done.state)
        invocation = next((i for i in spot.invocations if i.id == done.id), None)
        if invocation is not None and invocation.into and not failed:
            self.store(play, invocation.into, data, invocation.where)
        name = f"{'error' if failed else 'done'}.invoke.{done.id}"
        occurrence = Occurrence(name, f"e.{name}", data, invoke_id=done.id)
        self.queue.append((play, occurrence))
        return occurrence

    def find_invoke(self, key: str) -> tuple[Play | None, OpenInvoke | None]:
        for play in self.plays:
            for invoke in play.frame.invokes:
                if invoke.key == key:
                    return play, invoke
        return None, None

    def leave(self, play: Play, path: str) -> None:
        """A state is left: what it started is not wanted any more."""
        frame = play.frame
        if frame.sent:
            frame.sent.pop(path, None)
            frame.sent.pop(path + SAID, None)
        for timer in [timer for timer in frame.timers if timer.state == path]:
            self.outside.cancel_timer(frame, timer)
        for invoke in [invoke for invoke in frame.invokes if invoke.state == path]:
            self._cancel_invoke(play, invoke)

    def _cancel_invoke(self, play: Play, invoke: OpenInvoke) -> None:
        # First, so that nothing which its last actions send reaches the caller (SCXML 6.4.3).
        play.frame.invokes.remove(invoke)
        if invoke.kind == FLOW:
            self._drop([other for other in self.plays if other.frame.caller == invoke.key])
        else:
            self.outside.cancel_invoke(invoke)

    def _drop(self, plays: list[Play]) -> None:
        """Take flows off the stack, with those that they called and those digressed to from them."""
        for play in plays:
            if not play.alive:
                continue
            self._drop_digressions(play)
            play.wind_up()
            self._stop(play)
            self._remove(play)

    def _drop_digressions(self, play: Play) -> None:
        while True:
            index = self.plays.index(play)
            above = self.plays[index + 1 : index + 2]
            if not above or above[0].frame.caller:
                return
            self._drop(above)

    def _stop(self, play: Play) -> None:
        """Cancel all that the flow has under way."""
        for timer in list(play.frame.timers):
            self.outside.cancel_timer(play.frame, timer)
        for invoke in list(play.frame.invokes):
            self._cancel_invoke(play, invoke)

    def _remove(self, play: Play) -> None:
        play.alive = False
        self.plays.remove(play)
        self.state.frames = [frame for frame in self.state.frames if frame is not play.frame]
        play.release()

    def deliver(
        self, play: Play, event: str, data: Any, target: str, send_id: str | None, spot: Spot, where: str
    ) -> None:
        """A `send` without delay. Raises ExpressionError for a target that is none."""
        if target in ("", "#_scxml_" + play.scope["_sessionid"]):
            id = play.chart.event_id(event, spot)
            self.queue.append((play, Occurrence(event, id, data, send_id=send_id)))
        elif target in ("#_internal", "internal"):
            play.raise_event(event, data, spot)
        elif target in ("#_parent", "parent"):
            owner, open_invoke = self.find_invoke(play.frame.caller)
            self._deliver_to(owner, play, event, data, open_invoke.id if open_invoke else "")
        elif target.startswith("#_"):
            keys = {invoke.key for invoke in play.frame.invokes if invoke.id == target[2:]}
            called = next((other for other in self.plays if other.frame.caller in keys), None)
            self._deliver_to(called, play, event, data)
        else:
            raise ExpressionError(f'{where}: "{target}" is no target', hint="#_internal, #_parent or none")

    def _deliver_to(
        self, receiver: Play | None, sender: Play, event: str, data: Any, invoke_id: str = ""
    ) -> None:
        if receiver is None:
            sender.raise_event("error.communication", {"event": event}, sender.chart.root)
            return
        id = receiver.chart.event_id(event, receiver.chart.root)
        self.queue.append((receiver, Occurrence(event, id, data, invoke_id=invoke_id)))

    def next_number(self) -> int:
        self.state.counter += 1
        return self.state.counter

    def call(self, command: str, arguments: dict[str, Any]) -> Any:
        self.command = command
        result = self.context.commands.run(command, arguments)
        self.effects += [Say(message) for message in self.context.said]
        self.context.said.clear()
        return result

    def speak(self, locale: str) -> None:
        self.state.locale = self.locale = self.scope["_locale"] = locale
        self._intents.clear()
        for play in self.plays:
            play.scope["_locale"] = locale

    def intents_of(self, play: Play) -> frozenset[str]:
        """The flow's intents that the contact's message is a phrase of."""
        if self.message is None or not play.chart.intents.names:
            return frozenset()
        found = self._intents.get(play.chart)
        if found is None:
            found = frozenset(play.chart.intents.match(self.scope["message"]["text"], self.locale))
            self._intents[play.chart] = found
        return found

    def note(self, kind: Any, play: Play, path: Path, text: str, value: Any = None) -> None:
        if self.trace is not None:
            self.trace.append(Trace(kind, play.chart.written_in, path, text, value))


def message_data(message: Inbound) -> dict[str, Any]:
    """`message` as expressions see it."""
    return {
        "kind": str(message.kind),
        "text": message.text or message.title,
        "title": message.title,
        "name": message.name,
        "sender": message.sender,
        "media": None if message.media is None else message.media.model_dump(),
        "location": None if message.location is None else message.location.model_dump(),
        "raw": message.raw,
    }
