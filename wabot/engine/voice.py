"""What the flows of one run say: messages, questions, wabot's own texts."""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from wabot.core.messages import Outbound
from wabot.engine.asking import Question
from wabot.engine.chart import Spot
from wabot.engine.effects import Say
from wabot.engine.saying import Message
from wabot.engine.state import Sent

if TYPE_CHECKING:
    from wabot.engine.play import Play
    from wabot.engine.run import Run

SAID = "/said"
"""Ends the key of what a state showed outside its own question."""


class Open(NamedTuple):
    """A question that waits for its answer."""

    spot: Spot
    question: Question
    sent: Sent


class Voice:
    """`asked` are the flows that put a question in this run."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self.asked: set[Play] = set()

    def say(self, play: "Play", message: Message, path: str) -> None:
        number = self._run.next_number() if message.has_options else 0
        outbound, kind, options = message.render(play, number)
        if options:
            play.frame.sent[path + SAID] = Sent(number, kind, options)
        self.put(play, outbound, path)

    def ask(self, play: "Play", spot: Spot, question: Question, *, again: Sent | None = None) -> None:
        """Put a state's question; `again` is its earlier showing, whose number it keeps."""
        number = again.number if again else self._run.next_number()
        outbound, kind, options = question.message.render(play, number)
        attempts = again.attempts if again else 0
        play.frame.sent[spot.path] = Sent(number, kind, options, ask=True, attempts=attempts)
        self.asked.add(play)
        self.put(play, outbound, spot.path)

    def question(self, play: "Play") -> Open | None:
        """The latest question of the flow that still waits."""
        waiting = [(sent.number, path) for path, sent in play.frame.sent.items() if sent.ask]
        if not waiting:
            return None
        path = max(waiting)[1]
        spot = play.chart.spot(path)
        return Open(spot, spot.question, play.frame.sent[path]) if spot.question else None

    def ask_again(self, unless: "Collection[Play]" = ()) -> None:
        """Put the open question once more, unless its flow has asked just now."""
        for play in reversed(self._run.plays):
            open_ = self.question(play)
            if open_ is not None:
                if play not in unless:
                    self.ask(play, open_.spot, open_.question, again=open_.sent)
                return

    def put(self, play: "Play", outbound: Outbound, path: str) -> None:
        budget = self._run.budget
        budget.spend(play, "messages")
        titles = [option.title for option in outbound.options]
        filled = outbound.template.variables.values() if outbound.template else ()
        budget.text(play, outbound.text, outbound.header, outbound.footer, *titles, *filled)
        self._run.effects.append(Say(outbound, play.frame.flow, path))

    def put_text(self, key: str) -> None:
        """One of wabot's own texts."""
        play = self._run.plays[-1]
        text = self._run.library.texts.render(key, play.scope, self._run.locale)
        self.put(play, Outbound(text=text), "")
