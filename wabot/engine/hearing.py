"""What a contact's message is taken for: an answer, an interrupt, an event, or nothing known."""

from collections.abc import Collection

from wabot.core.messages import Inbound, Kind
from wabot.engine.answers import Answer, Invalid, choose
from wabot.engine.asking import as_typed
from wabot.engine.chart import Spot, state_event
from wabot.engine.invoking import AGENT
from wabot.engine.occurrence import Hears, Occurrence
from wabot.engine.payload import Tap, decode
from wabot.engine.play import Play
from wabot.engine.run import Run
from wabot.engine.state import Sent
from wabot.engine.voice import Open

TAPS = (Kind.BUTTON, Kind.LIST)


class Hearing:
    """One message on the stack of flows, the top flow first.

    While a state asks, in this order: its options; transitions of the asking state, of those below
    it and those with an intent, in lower flows too; the typed answer; any other transition; else the
    message isn't understood.
    """

    def __init__(self, run: Run, message: Inbound) -> None:
        self.run = run
        self.message = message
        self.name = f"message.{message.kind}"
        self.text = run.scope["message"]["text"]

    def hear(self) -> bool:
        """Whether a transition, a question or an agent took the message."""
        if any(invoke.kind == AGENT for play in self.run.plays for invoke in play.frame.invokes):
            return True
        tap = decode(self.message.payload) if self.message.kind in TAPS else None
        if tap is not None:
            return self._tapped(tap)
        if self.message.kind in TAPS:
            self.name = f"{self.name}.{self.message.payload or self.message.title}"
        flows = list(reversed(self.run.plays))
        if any(self._offered(play, flows[index + 1 :]) for index, play in enumerate(flows)):
            return True
        if self.message.kind is Kind.REACTION:
            return False
        return self._not_taken()

    def _tapped(self, tap: Tap) -> bool:
        kind = str(self.message.kind)
        for play in reversed(self.run.plays):
            if play.frame.flow != tap.flow:
                continue
            for key, sent in play.frame.sent.items():
                if sent.number == tap.number and any(tap.option == id for id, _ in sent.options):
                    return self._chosen(play, key, sent, tap.option)
        if self.run.offer(f"stale.{kind}.{tap.option}"):
            return True
        self.run.voice.put_text("wabot.stale")
        self.run.voice.ask_again()
        return False

    def _chosen(self, play: Play, key: str, sent: Sent, option: str) -> bool:
        """An option that is showing was tapped."""
        if not sent.ask:
            event = f"message.{sent.kind}.{option}"
            return self.run.offer(event, below=play) or self._not_taken()
        spot = play.chart.spot(key)
        if spot.question is None:
            return self._not_taken()
        asked = Open(spot, spot.question, sent)
        if spot.question.choosing:
            return self._answered(play, asked, option)
        answer = self._read(play, asked, as_typed(self.message, option))
        if isinstance(answer, Answer):
            return self._answered(play, asked, answer.value)
        return self._misunderstood(play, asked)

    def _not_taken(self) -> bool:
        for play in reversed(self.run.plays):
            question = self.run.voice.question(play)
            if question is not None:
                return self._misunderstood(play, question)
        return self._unhandled()

    def _offered(self, play: Play, below: list[Play]) -> bool:
        asked = self.run.voice.question(play)
        if asked is None:
            return self._dispatched(play)
        if asked.question.choosing and asked.sent.options:
            option = choose(asked.sent.options, self._said(), self._intents(play))
            if option is not None:
                return self._answered(play, asked, option)
        if self._heard(play, self.name, "asking", asked.spot):
            return True
        if any(self._heard(lower, self.name, "intents") for lower in below):
            return True
        answer = self._read(play, asked, self.message)
        if isinstance(answer, Answer):
            return self._answered(play, asked, answer.value)
        return self._dispatched(play)

    def _dispatched(self, play: Play) -> bool:
        """Any transition: for what the text means among the options shown, then for the message itself."""
        shown = max(
            (sent for sent in play.frame.sent.values() if sent.options and not sent.ask),
            key=lambda sent: sent.number,
            default=None,
        )
        if shown is not None:
            option = choose(shown.options, self._said())
            event = f"message.{shown.kind}.{option}"
            if option is not None and self._heard(play, event, tentative=True):
                return True
        return self._heard(play, self.name)

    def _heard(
        self,
        play: Play,
        name: str,
        hearing: Hears = "all",
        asking: Spot | None = None,
        *,
        tentative: bool = False,
    ) -> bool:
        occurrence = Occurrence(
            name,
            f"e.{name}",
            self._data(),
            hearing=hearing,
            asking=asking,
            tentative=tentative or hearing != "all",
        )
        return self.run.dispatch(play, occurrence)

    def _read(self, play: Play, asked: Open, message: Inbound) -> Answer | Invalid:
        if message.kind is Kind.REACTION:
            return Invalid("wabot.unsupported")
        return asked.question.read(play, asked.sent, message, self._intents(play))

    def _answered(self, play: Play, asked: Open, value: object) -> bool:
        asked.sent.attempts = 0
        self.run.note("answer", play, asked.question.path, "answered", value)
        into = asked.question.model.into
        if into and not self.run.store(play, into, value, asked.question.where):
            self.run.drain()
            return True
        for other in self.run.plays:
            other.scope["answer"] = value
        self.run.scope["answer"] = value
        data = {"answer": value, "state": asked.spot.path}
        self.run.dispatch(play, _of_state("answered", asked.spot, data))
        return True

    def _misunderstood(self, play: Play, asked: Open) -> bool:
        answer = self._read(play, asked, self.message)
        invalid = (
            answer
            if isinstance(answer, Invalid)
            else Invalid(f"wabot.invalid.{asked.question.model.answer_type}")
        )
        self.run.note("answer", play, asked.question.path, "invalid", self.text)
        data = {
            "text": self.text,
            "reason": invalid.reason,
            "attempts": asked.sent.attempts + 1,
            "state": asked.spot.path,
        }
        if self.run.dispatch(play, _of_state("invalid", asked.spot, data)):
            return True
        asked.sent.attempts += 1
        if asked.sent.attempts < asked.question.model.attempts:
            self.run.voice.put(play, asked.question.again(play, asked.sent, invalid), asked.spot.path)
            return True
        return self.run.dispatch(play, _of_state("exhausted", asked.spot, data)) or self._unhandled()

    def _unhandled(self) -> bool:
        if self.run.offer("unhandled", self._data()):
            return True
        self.run.voice.put_text("wabot.unhandled")
        return False

    def _said(self) -> str:
        return str(self.text)

    def _intents(self, play: Play) -> Collection[str]:
        return self.run.intents_of(play)

    def _data(self) -> object:
        return self.run.scope["message"]


def _of_state(event: str, spot: Spot, data: object) -> Occurrence:
    return Occurrence(f"{event}.{spot.path}", state_event(event, spot), data, "internal", asked=spot)
