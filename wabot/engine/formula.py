"""Expressions, templates and data of one flow, compiled once and evaluated where they stand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wabot.engine.expressions import Sandbox
from wabot.engine.problems import Path, Place

if TYPE_CHECKING:
    from wabot.engine.chart import Spot
    from wabot.engine.play import Play
    from wabot.engine.texts import Texts

Formula = Callable[["Play"], Any]
"""Something evaluated while a flow runs. Raises ExpressionError."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """What the parts of a flow are compiled with. Its methods raise ExpressionError, with the place."""

    sandbox: Sandbox
    texts: "Texts"
    locate: Callable[[Path], Place]

    def expression(self, source: str, spot: "Spot", path: Path) -> Formula:
        return _standing(self.sandbox.expression(source, self.locate(path)).evaluate, spot)

    def value(self, data: Any, spot: "Spot", path: Path) -> Formula:
        """Data with templates in it; what is one `{{ … }}` keeps its type."""
        return _standing(self.sandbox.value(data, self.locate(path)).evaluate, spot)

    def guards(self, sources: list[str], spot: "Spot", path: Path) -> tuple[Formula, ...]:
        return tuple(self.expression(source, spot, path) for source in sources)


def _standing(evaluate: Callable[[Mapping[str, Any]], Any], spot: "Spot") -> Formula:
    def formula(play: "Play") -> Any:
        play.here = spot
        return evaluate(play.scope)

    return formula
