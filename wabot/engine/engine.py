"""The engine: a state and an event in, a new state and effects out."""

from collections.abc import Mapping
from typing import Any

from wabot.core.media import UNASKED
from wabot.core.messages import Inbound
from wabot.engine.effects import Log
from wabot.engine.hearing import Hearing
from wabot.engine.library import Library
from wabot.engine.run import Run
from wabot.engine.state import State, copied
from wabot.engine.step import Context, Event, Limits, Step

_DEFAULT_LIMITS = Limits()


class Engine:
    """Runs the flows of a library. Holds nothing of any conversation; threads may share it."""

    def __init__(self, library: Library, limits: Limits = _DEFAULT_LIMITS) -> None:
        self.library = library
        self.limits = limits

    def start(
        self,
        flow: str,
        context: Context,
        *,
        message: Inbound | None = None,
        data: Mapping[str, Any] | None = None,
        counter: int = 0,
    ) -> Step:
        """Begin a conversation with the newest version of a flow.

        `message` is what the contact wrote to begin it: in scope, not dispatched. `data` are first
        values of variables. `counter` is the counter of the conversation's earlier, ended state:
        keys and taps of that one then never pass for new ones. Raises UnknownName for a flow that
        isn't there, else what `handle` raises.
        """
        run = Run(self.library, self.limits, State(frames=[], counter=counter), context, message)
        run.push(flow, data or {}, "")
        run.drain()
        return run.finish(handled=True)

    def handle(self, state: State, event: Event, context: Context) -> Step:
        """One event, run to completion. `state` is not changed.

        Raises StateError for a state that doesn't fit the flows, BudgetExceeded, and ExpressionError,
        Rejected, UnknownName or TurnError of an action.
        """
        if state.status == "ended":
            return Step(state, [], handled=False)
        run = Run(self.library, self.limits, copied(state), context, event.message)
        run.open()
        return run.finish(handled=self._happens(run, event))

    def _happens(self, run: Run, event: Event) -> bool:
        if event.message is not None:
            return Hearing(run, event.message).hear()
        if event.key:
            return self._came_back(run, event)
        return run.offer(event.name, event.data)

    def _came_back(self, run: Run, event: Event) -> bool:
        """A timer or an invoke; one that is no longer open is ignored. What no flow asked for, such as a
        contact's file that was fetched, is there for whoever listens."""
        for play in run.plays:
            for timer in play.frame.timers:
                if timer.key == event.key:
                    return run.fire(play, timer)
        play_, done = run.find_invoke(event.key)
        if play_ is None or done is None:
            return event.key.startswith(UNASKED) and run.offer(event.name, event.data)
        failed = event.name.startswith("error.")
        occurrence = run.returned(play_, done, event.data, failed=failed)
        run.drain()
        if failed and not occurrence.taken:
            run.effects.append(Log(occurrence.name, event.data))
        return occurrence.taken

    def configuration(self, state: State) -> list[str]:
        """The active atomic states of the top flow in document order: each by its id, or by its
        dotted path where the id is there more than once."""
        frame = state.frames[-1]
        chart = self.library.chart(frame.flow, frame.version)
        return [chart.spot(path).name for path in frame.configuration]
