"""What the chat shows: bubbles, the state, what could happen now, and traces."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from wabot.cli.screen import compact, show
from wabot.core.durations import format_duration
from wabot.core.fallback import numbered
from wabot.core.messages import Outbound
from wabot.engine.effects import CancelInvoke, CancelTimer, Effect, Log, StartInvoke, StartTimer
from wabot.engine.problems import Path
from wabot.engine.state import Frame
from wabot.engine.step import Step
from wabot.testing.coverage import items_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wabot.cli.talk import Talk
    from wabot.engine.chart import Spot

HELP = (
    "A line is a message of the contact. An empty line lets timers that have come due fire.",
    "  /state           where the conversation is",
    "  /events          what would be taken now",
    "  /tap ID          tap an option",
    "  /wait 1h         let time pass",
    "  /locale hi       write in another language",
    "  /done ID JSON    end an open invoke well; /fail ID TEXT lets it fail",
    "  /reset           forget the conversation",
    "  /trace           show what happens in each turn, or stop showing it",
    "  /quit            leave; the conversation goes on when you come back",
)


def bubble(message: Outbound) -> None:
    """A message of the bot at a terminal."""
    show(Text.assemble(("bot: ", "bold green"), "\n     ".join(numbered(message).splitlines())))


def greeting(talk: "Talk") -> Iterator[Text]:
    state = talk.state
    flow = talk.app.settings.flow or "the flow"
    if state is None or state.status == "ended":
        yield Text(f"You write to {flow}. Say something; /help lists commands, /quit leaves.", "dim")
        return
    where = ", ".join(talk.engine.configuration(state))
    yield Text(f"You are in the middle of {state.frames[-1].flow}: {where}. /reset begins anew.", "dim")


def state(talk: "Talk") -> Iterator["RenderableType"]:
    """Where the conversation is."""
    view = talk.view
    if view is None or view.state is None:
        yield "The conversation has not begun."
        return
    frames = view.state.frames
    yield _line("flow", " > ".join(f"{frame.flow} (version {frame.version})" for frame in frames))
    yield _line("state", ", ".join(talk.engine.configuration(view.state)) or "none")
    if view.state.status == "ended":
        yield _line("ended", "the next message begins anew")
    yield _line("locale", view.state.locale or view.contact.locale)
    for name, value in frames[-1].variables.items():
        yield _line(name, compact(value))
    for timer in talk.app.timers(view.id):
        left = timedelta(seconds=int((timer.due_at - talk.clock.now()).total_seconds()))
        yield _line("timer", f"{timer.name} in {format_duration(left)}")
    for effect in talk.app.effects(view.id, pending=True):
        yield _line("invoke", f"{effect.name} ({effect.kind})")


def events(talk: "Talk") -> Iterator["RenderableType"]:
    """What would be taken now, the innermost first: options, then transitions with their guards."""
    view = talk.view
    if view is None or view.state is None or view.state.status == "ended":
        yield "Any message begins the flow."
        return
    for frame in reversed(view.state.frames):
        yield Text(frame.flow, "bold")
        yield from _options(frame)
        yield from _transitions(talk, frame)
        for invoke in frame.invokes:
            if invoke.kind != "flow":
                yield _line("invoke", f"done.invoke.{invoke.id}, error.invoke.{invoke.id}")


def _options(frame: Frame) -> Iterator[Text]:
    for path, sent in frame.sent.items():
        if sent.ask and not sent.options:
            yield _line("answer", f"{path} waits for one")
        for number, (id, title) in enumerate(sent.options, start=1):
            yield _line("tap", f"{number}. {title} ({id})")


def _transitions(talk: "Talk", frame: Frame) -> Iterator[Text]:
    chart = talk.app.library.chart(frame.flow, frame.version)
    labels = {item.path: item.label for item in items_of(chart.document)}
    seen = set()
    for path in frame.configuration:
        spot: Spot | None = chart.spot(path)
        while spot is not None:
            placed = [(chart.locate(edge.path), edge.path) for edge in spot.edges if edge.path in labels]
            for place, taken in sorted(placed):
                if taken not in seen:
                    seen.add(taken)
                    yield _line("event", labels[taken], f"{place.file}:{place.line}")
            spot = spot.parent


def trace(talk: "Talk", step: Step) -> Iterator[Text]:
    """What happened in one step, and what it asked of the world outside."""
    labels = {name: _labels(talk, name) for name in {one.flow for one in step.trace}}
    for one in step.trace:
        text, value = labels[one.flow].get(one.path, one.text), one.value
        if one.kind == "guard":
            yield Text(f"  guard      {text}: {'yes' if value else 'no'}", "dim")
            continue
        if isinstance(value, dict):
            value = {key: part for key, part in value.items() if part not in ("", None, {}, [])}
        told = "" if value is None else f" = {compact(value)}"
        yield Text(f"  {one.kind:<10} {text if one.kind == 'transition' else one.text}{told}", "dim")
    for effect in step.effects:
        if told := _effect(effect):
            yield Text(f"  {effect.type:<10} {told}", "dim")


def _labels(talk: "Talk", flow: str) -> dict[Path, str]:
    """The transitions of a flow in words, by their places."""
    source = talk.app.library.flows.get(flow)
    items = items_of(source.document) if source else ()
    return {item.path: item.label for item in items if item.kind == "transition"}


def _effect(effect: Effect) -> str:
    match effect:
        case StartTimer():
            return f"{effect.id} in {format_duration(effect.delay)}"
        case StartInvoke():
            return f"{effect.id} ({effect.kind}) {compact(effect.arguments)}"
        case CancelTimer() | CancelInvoke():
            return effect.key
        case Log():
            return f"{effect.label} {compact(effect.value)}".strip()
    return ""


def _line(name: str, value: str, note: str = "") -> Text:
    return Text.assemble((f"  {name:<10} ", "cyan"), value, (f"  {note}" if note else "", "dim"))
