"""An event while it is being worked on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from wabot.engine.chart import Edge, Spot

Hears = Literal["all", "asking", "intents"]
"""Which transitions may take an event: every one; those of the asking state, those below it and
those with an intent; or only those with an intent."""


@dataclass(slots=True, eq=False)
class Occurrence:
    """`name` and `data` are what the author sees, `id` what the chart knows the event by.

    `taken` becomes true as soon as a transition takes it, or an eventless one follows it. `asked` is
    the state whose question the event is about: a state in another region may take it only by name.
    A `tentative` one that nothing takes leaves no trace: what it means is tried in another way next.
    """

    name: str
    id: str
    data: Any = None
    kind: Literal["external", "internal", "platform"] = "external"
    send_id: str | None = None
    invoke_id: str = ""
    hearing: Hears = "all"
    asking: "Spot | None" = None
    asked: "Spot | None" = None
    tentative: bool = False
    taken: bool = False
    error: Exception | None = None

    def heard_by(self, edge: "Edge") -> bool:
        if self.asked is not None and edge.any_question and edge.spot.parent is not None:
            mine = edge.spot.id in self.asked.lineage or self.asked.id in edge.spot.lineage
            return mine or self.id in edge.descriptors
        if self.hearing == "all" or edge.intent is not None:
            return True
        return self.hearing == "asking" and self.asking is not None and self.asking.id in edge.spot.lineage

    def as_data(self) -> dict[str, Any]:
        """`event` as expressions see it."""
        return {
            "name": self.name,
            "data": self.data,
            "type": self.kind,
            "sendid": self.send_id,
            "invokeid": self.invoke_id,
        }
