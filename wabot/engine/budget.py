"""How much one event may do."""

from typing import TYPE_CHECKING, Any, Literal

from wabot.engine.step import Limits
from wabot.errors import BudgetExceeded

if TYPE_CHECKING:
    from wabot.engine.play import Play

Kind = Literal["microsteps", "actions", "invokes", "messages", "rendered_bytes", "depth"]

_CALLED: dict[Kind, str] = {"rendered_bytes": "bytes of text", "depth": "flows on the stack"}


class Budget:
    """Counts what one event does on all flows together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left: dict[Kind, int] = {
            "microsteps": limits.microsteps,
            "actions": limits.actions,
            "invokes": limits.invokes,
            "messages": limits.messages,
            "rendered_bytes": limits.rendered_bytes,
        }

    def spend(self, play: "Play", kind: Kind, amount: int = 1) -> None:
        """Raises BudgetExceeded, naming the flow and the state, past the limit."""
        left = self._left[kind] = self._left[kind] - amount
        if left < 0:
            raise exceeded(play, kind, getattr(self._limits, kind))

    def stack(self, play: "Play", depth: int) -> None:
        """Raises BudgetExceeded for a stack of more than so many flows."""
        if depth > self._limits.depth:
            raise exceeded(play, "depth", self._limits.depth)

    def text(self, play: "Play", *texts: Any) -> None:
        """Count what was rendered; values that are no text count nothing."""
        size = 0
        for text in texts:
            if isinstance(text, str):
                size += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        self.spend(play, "rendered_bytes", size)


def exceeded(play: "Play", kind: Kind, limit: int) -> BudgetExceeded:
    active = ", ".join(spot.path for spot in play.active_spots() if spot.atomic) or play.here.path
    return BudgetExceeded(
        f'the flow "{play.chart.flow}" went past {limit:,} {_CALLED.get(kind, kind)} for one event, '
        f'last in "{active}"',
        hint="look for a loop of transitions or events that never waits",
    )
