"""What the flows of one run ask of the world outside the turn, and take back."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wabot.engine.effects import CancelInvoke, CancelTimer, Effect, StartInvoke, StartTimer
from wabot.engine.state import Frame, OpenInvoke, OpenTimer

if TYPE_CHECKING:
    from wabot.engine.run import Run


class Outside:
    """Timers and invokes. What was asked for in this very run is taken back without a trace."""

    def __init__(self, run: "Run") -> None:
        self._run = run

    @property
    def _effects(self) -> list[Effect]:
        return self._run.effects

    def start_timer(
        self, frame: Frame, id: str, delay: timedelta, *, event: str = "", state: str = "", data: Any = None
    ) -> None:
        key = f"{id}#{self._run.next_number()}"
        frame.timers.append(OpenTimer(key, id, event, state, data))
        self._effects.append(StartTimer(id, key, delay))

    def send_later(self, frame: Frame, event: str, data: Any, delay: timedelta, id: str | None) -> None:
        """A delayed `send`: a timer that no state owns."""
        self.start_timer(frame, id or f"send.{self._run.next_number()}", delay, event=event, data=data)

    def cancel_sends(self, frame: Frame, id: str) -> None:
        for timer in [timer for timer in frame.timers if timer.id == id and not timer.state]:
            self.cancel_timer(frame, timer)

    def cancel_timer(self, frame: Frame, timer: OpenTimer) -> None:
        frame.timers.remove(timer)
        for effect in self._effects:
            if isinstance(effect, StartTimer) and effect.key == timer.key:
                self._effects.remove(effect)
                return
        self._effects.append(CancelTimer(timer.key))

    def start_invoke(self, invoke: OpenInvoke, arguments: dict[str, Any]) -> None:
        self._effects.append(StartInvoke(invoke.id, invoke.key, invoke.kind, arguments))

    def cancel_invoke(self, invoke: OpenInvoke) -> None:
        for effect in self._effects:
            if isinstance(effect, StartInvoke) and effect.key == invoke.key:
                self._effects.remove(effect)
                return
        self._effects.append(CancelInvoke(invoke.key))
