"""Actions, compiled: each a small object that runs on the frame being played."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wabot.core.durations import parse_duration
from wabot.engine import document as doc
from wabot.engine.chart import Spot
from wabot.engine.effects import Log
from wabot.engine.formula import Compiler, Formula
from wabot.engine.problems import Path
from wabot.engine.saying import compile_message
from wabot.errors import ExpressionError

if TYPE_CHECKING:
    from wabot.engine.play import Play

SCXML_EVENTS = ("scxml", "http://www.w3.org/TR/scxml/#SCXMLEventProcessor", "http://www.w3.org/TR/scxml/")


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """`path` is the action's place in the document, `text` what it is called in a trace."""

    path: Path
    text: str
    run: "Callable[[Play], None]"


@dataclass(frozen=True, slots=True)
class Actions:
    """Compiles the actions of one state or transition."""

    compiler: Compiler
    spot: Spot

    def block(self, models: list[doc.Action], path: Path) -> tuple[Action, ...]:
        return tuple(self.action(model, (*path, index)) for index, model in enumerate(models))

    def action(self, model: doc.Action, path: Path) -> Action:
        """Raises ExpressionError for a part that can't be compiled."""
        builder = _BUILDERS[type(model)]
        text, run = builder(self, model, path)
        return Action(path, text, run)

    def where(self, path: Path) -> str:
        return str(self.compiler.locate(path))

    def expression(self, source: str, path: Path) -> Formula:
        return self.compiler.expression(source, self.spot, path)

    def value(self, data: Any, path: Path) -> Formula:
        return self.compiler.value(data, self.spot, path)


Built = tuple[str, "Callable[[Play], None]"]


def _say(at: Actions, model: doc.SayAction, path: Path) -> Built:
    message = compile_message(model.say, at.compiler, at.spot, (*path, "say"))

    def run(play: "Play") -> None:
        play.run.voice.say(play, message, play.speaker.path)

    return "say", run


def _assign(at: Actions, model: doc.AssignAction, path: Path) -> Built:
    where = at.where(path)
    if model.plain:
        location = str(model.assign["location"])
        source = model.assign.get("expr")
        compute = (
            at.expression(source if isinstance(source, str) else repr(source), (*path, "assign", "expr"))
            if source is not None
            else at.value(None, path)
        )
        parts = [(location, compute)]
    else:
        parts = [(name, at.value(value, (*path, "assign", name))) for name, value in model.assign.items()]

    def run(play: "Play") -> None:
        for location, formula in parts:
            value = formula(play)
            play.run.budget.text(play, value)
            play.assign(location, value, where)

    return f"assign {', '.join(location for location, _ in parts)}", run


def _raise(at: Actions, model: doc.RaiseAction, path: Path) -> Built:
    name = model.raise_.event
    data = at.value(model.raise_.data, (*path, "raise", "data"))

    def run(play: "Play") -> None:
        play.raise_event(name, data(play), at.spot)

    return f"raise {name}", run


def _send(at: Actions, model: doc.SendAction, path: Path) -> Built:
    body, here, where = model.send, (*path, "send"), at.where(path)
    name = _literal_or(at, body.event, body.eventexpr, (*here, "eventexpr"))
    payload = _payload(at, body, here)
    delay = _delay(at, body, here)

    def run(play: "Play") -> None:
        send_id = body.id
        if body.idlocation:
            send_id = send_id or f"send.{play.run.next_number()}"
            play.assign(body.idlocation, send_id, where)
        play.sending = send_id
        if body.type and body.type not in SCXML_EVENTS:
            raise ExpressionError(f'{where}: events can\'t be sent by "{body.type}"')
        event = name(play)
        if not isinstance(event, str) or not event:
            raise ExpressionError(f"{where}: the name of an event is text, not {event!r}")
        data = payload(play)
        after = delay(play)
        if after:
            play.run.outside.send_later(play.frame, event, data, after, send_id)
        else:
            play.run.deliver(play, event, data, body.target or "", send_id, at.spot, where)
        play.sending = None

    return f"send {body.event or body.eventexpr}", run


def _literal_or(at: Actions, literal: str | None, source: str | None, path: Path) -> Formula:
    if literal is None and source is not None:
        return at.expression(source, path)
    return lambda _play: literal


def _payload(at: Actions, body: doc.SendBody, path: Path) -> Formula:
    """`data`, else `content`, else an object of `namelist` and `params`."""
    if body.data is not None:
        return at.value(body.data, (*path, "data"))
    if body.content is not None:
        return at.value(_literal(body.content), (*path, "content"))
    named = named_values(at, body.namelist, body.params, path)

    def payload(play: "Play") -> Any:
        return {name: formula(play) for name, formula in named} if named else None

    return payload


def _literal(content: Any) -> Any:
    """Content as python-statemachine reads it: a Python literal where it is one, else text."""
    if not isinstance(content, str):
        return content
    try:
        return ast.literal_eval(content)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return content


def named_values(
    at: Actions, namelist: str | None, params: list[doc.Param], path: Path
) -> list[tuple[str, Formula]]:
    named = [(name, at.expression(name, (*path, "namelist"))) for name in (namelist or "").split()]
    for index, param in enumerate(params):
        source = param.expr if param.expr is not None else param.location
        if source is not None:
            named.append((param.name, at.expression(source, (*path, "params", index))))
    return named


def _delay(at: Actions, body: doc.SendBody, path: Path) -> "Callable[[Play], timedelta]":
    where = at.where(path)
    if body.delayexpr is not None:
        written = _duration(body.delayexpr)
        formula = (
            (lambda _play: written)
            if written is not None
            else at.expression(body.delayexpr, (*path, "delayexpr"))
        )
    elif body.delay is not None:
        formula = at.value(body.delay, (*path, "delay"))
    else:
        return lambda _play: timedelta()

    def delay(play: "Play") -> timedelta:
        value = formula(play)
        length = value if isinstance(value, timedelta) else _duration(value)
        if length is None:
            raise ExpressionError(f"{where}: {value!r} is not a length of time: write it like 90s, 30m, 1h")
        return length

    return delay


def _duration(value: Any) -> timedelta | None:
    """A length of time as written, or as a number of milliseconds; None for anything else."""
    text = str(value).strip()
    try:
        return timedelta(milliseconds=float(text))
    except (ValueError, OverflowError):
        pass
    try:
        return parse_duration(text)
    except ValueError:
        return None


def _cancel(at: Actions, model: doc.CancelAction, path: Path) -> Built:
    body = model.cancel
    send_id = _literal_or(at, body.sendid, body.sendidexpr, (*path, "cancel", "sendidexpr"))

    def run(play: "Play") -> None:
        play.run.outside.cancel_sends(play.frame, str(send_id(play)))

    return f"cancel {body.sendid or body.sendidexpr}", run


def _log(at: Actions, model: doc.LogAction, path: Path) -> Built:
    body = model.log
    formula = at.expression(body.expr, (*path, "log")) if body.expr else None

    def run(play: "Play") -> None:
        play.run.effects.append(Log(body.label or "", formula(play) if formula else None))

    return f"log {body.label or body.expr or ''}".strip(), run


def _if(at: Actions, model: doc.IfAction, path: Path) -> Built:
    body, here = model.if_, (*path, "if")
    branches = [(at.expression(body.cond, (*here, "cond")), at.block(body.then, (*here, "then")))]
    for index, branch in enumerate(body.elif_):
        there = (*here, "elif", index)
        branches.append(
            (at.expression(branch.cond, (*there, "cond")), at.block(branch.then, (*there, "then")))
        )
    otherwise = at.block(body.else_, (*here, "else"))

    def run(play: "Play") -> None:
        for cond, actions in branches:
            try:
                chosen = cond(play)
            except ExpressionError as error:
                # SCXML: a condition that fails counts as false.
                play.fail(error)
                continue
            if chosen:
                _each(play, actions)
                return
        _each(play, otherwise)

    return f"if {body.cond}", run


def _each(play: "Play", actions: tuple[Action, ...]) -> None:
    for action in actions:
        play.run.budget.spend(play, "actions")
        play.run.note("action", play, action.path, action.text)
        action.run(play)


def _foreach(at: Actions, model: doc.ForeachAction, path: Path) -> Built:
    body, here, where = model.foreach, (*path, "foreach"), at.where(path)
    array = at.expression(body.array, (*here, "array"))
    actions = at.block(body.do, (*here, "do"))

    def run(play: "Play") -> None:
        items = array(play)
        if not isinstance(items, list | tuple):
            raise ExpressionError(f"{where}: foreach goes through a list, not {type(items).__name__}")
        step = play.loop(body.item, body.index, where)
        for index, item in enumerate(items):
            play.run.budget.spend(play, "actions")
            step(item, index)
            _each(play, actions)

    return f"foreach {body.item} in {body.array}", run


def _digress(at: Actions, model: doc.DigressAction, path: Path) -> Built:
    body = model.digress
    data = at.value(body.with_, (*path, "digress", "with"))

    def run(play: "Play") -> None:
        play.digressions.append((body.flow, data(play)))

    return f"digress {body.flow}", run


def _locale(at: Actions, model: doc.LocaleAction, path: Path) -> Built:
    locale = at.value(model.locale, (*path, "locale"))
    where = at.where(path)

    def run(play: "Play") -> None:
        name = locale(play)
        if not isinstance(name, str) or not name.strip():
            raise ExpressionError(f"{where}: a locale is text such as en or hi, not {name!r}")
        play.run.speak(name.strip())

    return f"locale {model.locale}", run


def _command(at: Actions, model: doc.CommandAction, path: Path) -> Built:
    arguments = at.value({} if model.arguments is None else model.arguments, (*path, model.command))
    where = at.where(path)

    def run(play: "Play") -> None:
        values = arguments(play)
        if not isinstance(values, dict):
            raise ExpressionError(f"{where}: {model.command} takes an object, not {values!r}")
        result = play.run.call(model.command, values)
        if model.into:
            play.assign(model.into, result, where)

    return model.command, run


def _script(at: Actions, _model: doc.ScriptAction, path: Path) -> Built:
    raise ExpressionError(f"{at.where(path)}: script runs arbitrary code and is refused")


_BUILDERS: dict[type, Callable[[Actions, Any, Path], Built]] = {
    doc.SayAction: _say,
    doc.AssignAction: _assign,
    doc.RaiseAction: _raise,
    doc.SendAction: _send,
    doc.CancelAction: _cancel,
    doc.LogAction: _log,
    doc.IfAction: _if,
    doc.ForeachAction: _foreach,
    doc.DigressAction: _digress,
    doc.LocaleAction: _locale,
    doc.CommandAction: _command,
    doc.ScriptAction: _script,
}
