"""Questions: what a state asks, compiled, and what an answer to it is worth."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wabot.core.messages import Inbound, Kind, Outbound
from wabot.engine import document as doc
from wabot.engine.answers import Answer, Expected, Hearer, Invalid, parse_answer
from wabot.engine.formula import Compiler, Formula
from wabot.engine.problems import Path
from wabot.engine.saying import Message, Write, compile_message, compile_text
from wabot.engine.state import Sent

if TYPE_CHECKING:
    from wabot.engine.chart import Spot
    from wabot.engine.play import Play

CHOOSING = ("choice", "yesno")


@dataclass(frozen=True, slots=True)
class Question:
    """`retry` is what is said to an answer that doesn't fit, None for the type's built-in text."""

    model: doc.Ask
    message: Message
    retry: Write | None
    minimum: Formula | None
    maximum: Formula | None
    path: Path
    where: str

    @property
    def choosing(self) -> bool:
        """Whether one of the options is the answer, rather than help in typing one."""
        return self.model.answer_type in CHOOSING

    def read(self, play: "Play", sent: Sent, message: Inbound, intents: Collection[str]) -> Answer | Invalid:
        """Raises ExpressionError where a bound can't be evaluated or doesn't fit the type."""
        expected = Expected(
            type=self.model.answer_type,
            options=tuple(sent.options),
            minimum=self.minimum(play) if self.minimum else None,
            maximum=self.maximum(play) if self.maximum else None,
            pattern=self.model.pattern,
        )
        context = play.run.context
        region = str(context.business.get("country") or "")
        hearer = Hearer(context.now.date(), play.run.locale, context.currency, region)
        return parse_answer(expected, message, hearer, intents)

    def again(self, play: "Play", sent: Sent, invalid: Invalid) -> Outbound:
        """What is said to an answer that doesn't fit: with the options, where there are some."""
        if self.retry is not None:
            text = self.retry(play.scope)
        else:
            scope = {**play.scope, "currency": play.run.context.currency, **invalid.values}
            text = play.run.library.texts.render(invalid.reason, scope, play.run.locale)
        shown, _, sent.options = self.message.render(play, sent.number)
        return Outbound(text=text, buttons=shown.buttons, choices=shown.choices)


def compile_question(ask: doc.Ask, compiler: Compiler, spot: "Spot", path: Path) -> Question:
    """Raises ExpressionError for a part that can't be compiled."""
    return Question(
        model=ask,
        message=compile_message(ask, compiler, spot, path),
        retry=compile_text(ask.retry, compiler, (*path, "retry")) if ask.retry else None,
        minimum=_bound(ask.min, compiler, spot, (*path, "min")),
        maximum=_bound(ask.max, compiler, spot, (*path, "max")),
        path=path,
        where=str(compiler.locate(path)),
    )


def _bound(bound: Any, compiler: Compiler, spot: "Spot", path: Path) -> Formula | None:
    if bound is None:
        return None
    if isinstance(bound, str):
        return compiler.expression(bound, spot, path)
    return lambda _play: bound


def as_typed(message: Inbound, text: str) -> Inbound:
    """The message as if its contact had typed `text`."""
    return message.model_copy(update={"kind": Kind.TEXT, "text": text, "title": ""})
