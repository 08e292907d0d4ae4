"""An app that writes down what it was asked to do."""

from collections.abc import Callable
from datetime import timedelta

from wabot.core.metrics import MemoryMetrics
from wabot.runtime import Drained

Stop = Callable[[], bool]


class FakeWorks:
    """`does` is called with what is asked, before it is done."""

    def __init__(self, does: Callable[[str], object] = lambda _: None) -> None:
        self.asked: list[str] = []
        self.metrics = MemoryMetrics()
        self.does = does
        self.waiting = {17}
        self.outside: set[int] = set()
        self.fired: list[list[int]] = []

    def serve(self, conversation_id: int, stop: Stop = lambda: False) -> Drained:
        self._ask(f"serve {conversation_id}")
        turns = int(conversation_id in self.waiting)
        self.waiting.discard(conversation_id)
        return Drained(turns=turns)

    def send(self, stop: Stop = lambda: False) -> Drained:
        self._ask("send")
        return Drained(sent=1)

    def fire_timers(self) -> list[int]:
        self._ask("timers")
        return self.fired.pop() if self.fired else []

    def has_effects(self, conversation_id: int) -> bool:
        return conversation_id in self.outside

    def run_effects(self, stop: Stop = lambda: False) -> Drained:
        self._ask("effects")
        self.outside.clear()
        return Drained()

    def drain(
        self, stop: Stop = lambda: False, patience: timedelta = timedelta(), *, effects: bool = True
    ) -> Drained:
        self._ask("drain")
        return Drained()

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.does(what)
