"""Rules on actions and invokes: they exist, and their arguments are what they take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from wabot.core.durations import parse_duration
from wabot.core.http import HttpRequest
from wabot.engine.actions import SCXML_EVENTS
from wabot.engine.check.flow import CommandInfo, Flow
from wabot.engine.document import (
    ACTION_KEYS,
    AssignAction,
    CommandAction,
    DigressAction,
    FlowDocument,
    Invoke,
    ScriptAction,
    SendAction,
    SendBody,
)
from wabot.engine.expressions.source import is_template
from wabot.engine.names import Node
from wabot.engine.problems import Path, Place, Problem, did_you_mean
from wabot.engine.shape import Walk, described, fields, shape_problem


@dataclass(frozen=True, slots=True)
class _Http:
    """What an `http` invoke takes."""

    name: str = "http"
    model: type[BaseModel] = HttpRequest
    returns: Any = None


HTTP = _Http()


def has_template(data: Any) -> bool:
    """Whether a part of `data` is known only when the flow runs."""
    if isinstance(data, dict):
        return any(map(has_template, data.values()))
    if isinstance(data, list):
        return any(map(has_template, data))
    return isinstance(data, str) and is_template(data)


def commands(flow: Flow) -> Iterator[Problem]:
    for placed in flow.actions:
        action = placed.action
        if isinstance(action, CommandAction):
            path = (*placed.path, action.command)
            yield from _command(flow, action.command, action.arguments, path)
        elif isinstance(action, ScriptAction):
            message = "script would run Python, and a flow runs none"
            hint = "write an expression, or put it in a module's command"
            yield flow.problem("script", (*placed.path, "script"), message, hint, key=True)


def _command(flow: Flow, name: str, arguments: Any, path: Path) -> Iterator[Problem]:
    info = flow.commands.get(name)
    if info is None:
        hint = did_you_mean(name, [*flow.commands, *ACTION_KEYS]) or _modules_hint(flow, name)
        yield flow.problem("unknown-action", path, f'there is no action "{name}"', hint, key=True)
        return
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        if not has_template(arguments):
            message = f"{name} takes a mapping of arguments, not {described(arguments)}"
            yield flow.problem("bad-argument", path, message, f"it takes {_taken(info)}")
        return
    yield from _arguments(flow, info, arguments, path)


def _modules_hint(flow: Flow, name: str) -> str:
    module = name.partition(".")[0]
    known = sorted(command for command in flow.commands if command.startswith(f"{module}."))
    if "." not in name:
        return ""
    return f"{module} has {', '.join(known)}" if known else _modules_in_use(flow.commands, "actions")


def _modules_in_use(offers: Mapping[str, CommandInfo], what: str) -> str:
    """The modules that offer these, and where it is said which modules there are."""
    modules = sorted({offer.partition(".")[0] for offer in offers})
    there = f"there are {what} of {', '.join(modules)}" if modules else f"no module in use has {what}"
    return f"{there}; modules in wabot.toml says which are in use"


def _taken(info: CommandInfo) -> str:
    return ", ".join(sorted(fields(info.model))) or "none"


_CODES = {"unknown-key": "unknown-argument", "missing-key": "missing-argument"}


def _arguments(flow: Flow, info: CommandInfo, arguments: dict[str, Any], path: Path) -> Iterator[Problem]:
    known = fields(info.model)
    extra = info.model.model_config.get("extra")
    for name in arguments if extra != "allow" else ():
        if name not in known:
            hint = did_you_mean(name, known) or f"it takes {_taken(info)}"
            message = f'{info.name} has no argument "{name}"'
            yield flow.problem("unknown-argument", (*path, name), message, hint, key=True)
    try:
        info.model.model_validate({name: arguments[name] for name in arguments if name in known})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if has_template(detail["input"]) and detail["type"] not in ("missing", "extra_forbidden"):
                continue
            yield _argument(flow, info, Walk(info.model, arguments).follow(detail["loc"]), detail, path)


def _argument(flow: Flow, info: CommandInfo, walk: Walk, detail: Any, outside: Path) -> Problem:
    def locate(within: Path = (), *, key: bool = False) -> Place:
        return flow.source.place((*flow.base, *outside, *within), key=key)

    found = shape_problem(detail, walk, locate)
    code = _CODES.get(found.code, "bad-argument")
    if code == "missing-argument" and len(detail["loc"]) == 1:
        message = f'{info.name} needs the argument "{detail["loc"][0]}"'
        return flow.problem(code, outside, message, f"it takes {_taken(info)}", key=True)
    return Problem(found.place, code, f"{info.name}: {found.message}", found.hint)


def flows(flow: Flow) -> Iterator[Problem]:
    named = [
        (placed.action.digress.flow, (*placed.path, "digress", "flow"))
        for placed in flow.actions
        if isinstance(placed.action, DigressAction)
    ]
    for _, path, invoke in flow.invokes:
        named += [(name, (*path, field)) for field in ("flow", "src") if (name := getattr(invoke, field))]
    for name, place in named:
        if name not in flow.flows:
            hint = did_you_mean(name, flow.flows) or f"there are {', '.join(sorted(flow.flows))}"
            yield flow.problem("unknown-flow", place, f'there is no flow "{name}"', hint)


_WHAT = ("flow", "http", "agent", "call", "content", "src", "srcexpr")
_REFUSED = ("typeexpr", "autoforward", "finalize")


def invokes(flow: Flow) -> Iterator[Problem]:
    seen: set[str] = set()
    for (node, path, invoke), id in zip(flow.invokes, flow.invoke_ids, strict=True):
        if id in seen:
            message = f'two invokes have the id "{id}"'
            yield flow.problem("duplicate-invoke", (*path, "id"), message, "rename one of them")
        seen.add(id)
        yield from _invoke(flow, node, path, invoke)


def _invoke(flow: Flow, node: Node, path: Path, invoke: Invoke) -> Iterator[Problem]:
    given = [name for name in _WHAT if name in invoke.model_fields_set]
    if len(given) != 1:
        said = f"says both {' and '.join(given)}" if given else "doesn't say what it invokes"
        message = f'the invoke of "{node.id}" {said}'
        yield flow.problem("bad-invoke", path, message, "give one of flow, http, agent or call")
    for field in _REFUSED:
        if getattr(invoke, field):
            yield flow.problem("unsupported", (*path, field), f'wabot doesn\'t run "{field}"', key=True)
    if invoke.content is not None and not isinstance(invoke.content, FlowDocument):
        message = "the content of an invoke is a flow, not an expression"
        yield flow.problem("unsupported", (*path, "content"), message)
    if invoke.http is not None:
        yield from _arguments(flow, HTTP, invoke.http, (*path, "http"))
        yield from _secrets(flow, invoke.http, (*path, "http"))
    if invoke.call is not None:
        yield from _call(flow, invoke.call, invoke.with_, path)


def _secrets(flow: Flow, request: dict[str, Any], path: Path) -> Iterator[Problem]:
    known, headers = flow.options.secrets, request.get("headers")
    if known is None or not isinstance(headers, dict):
        return
    for header, value in headers.items():
        name = value.get("secret") if isinstance(value, dict) and len(value) == 1 else None
        if isinstance(name, str) and name not in known:
            hint = did_you_mean(name, known) or f"add [http.secrets.{name}] to wabot.toml"
            message = f'the settings have no secret "{name}"'
            yield flow.problem("unknown-secret", (*path, "headers", header, "secret"), message, hint)


def _call(flow: Flow, name: str, arguments: dict[str, Any], path: Path) -> Iterator[Problem]:
    info = flow.outside.get(name)
    if info is not None:
        yield from _arguments(flow, info, arguments, (*path, "with") if arguments else (*path, "call"))
        return
    hint = did_you_mean(name, flow.outside) or _modules_in_use(flow.outside, "invokes")
    if name in flow.commands:
        hint = "it is a command: write it as an action, under enter or on"
    yield flow.problem("unknown-action", (*path, "call"), f'no module has the invoke "{name}"', hint)


_INTERNAL = ("#_internal", "internal")


def sends(flow: Flow) -> Iterator[Problem]:
    for placed in flow.actions:
        if isinstance(placed.action, SendAction):
            yield from _send(flow, placed.action.send, (*placed.path, "send"))


def _send(flow: Flow, body: SendBody, path: Path) -> Iterator[Problem]:
    if not body.event and not body.eventexpr:
        yield flow.problem("bad-send", path, "the send has no event", "add event: <name>", key=True)
    if body.type and body.type not in SCXML_EVENTS:
        message = f'events can\'t be sent by "{body.type}"'
        yield flow.problem("unsupported", (*path, "type"), message, "leave type out, or use an http invoke")
    if body.delay is not None and not has_template(body.delay) and not _is_delay(body.delay):
        message = f'"{body.delay}" is not a length of time'
        yield flow.problem("bad-send", (*path, "delay"), message, "write it like 90s, 30m, 1h, 1h30m or 2d")
    if (body.delay or body.delayexpr) and body.target in _INTERNAL:
        message = "an event for the flow itself can't be delayed with this target"
        yield flow.problem("bad-send", (*path, "target"), message, "leave target out")


def _is_delay(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        try:
            parse_duration(text)
        except ValueError:
            return False
    return True


def assignments(flow: Flow) -> Iterator[Problem]:
    """Where an `assign` or an `into` writes to: a declared variable."""
    for placed in flow.actions:
        action = placed.action
        if isinstance(action, AssignAction):
            if action.plain:
                yield from _location(
                    flow, str(action.assign["location"]), (*placed.path, "assign", "location")
                )
            else:
                for name in action.assign:
                    yield from _location(flow, name, (*placed.path, "assign", name), key=True)
        elif isinstance(action, CommandAction) and action.into:
            yield from _location(flow, action.into, (*placed.path, "into"))
        elif isinstance(action, SendAction) and action.send.idlocation:
            yield from _location(flow, action.send.idlocation, (*placed.path, "send", "idlocation"))
    for node, ask in flow.asks.items():
        if ask.into:
            yield from _location(flow, ask.into, (*node.document_path, "ask", "into"))
    for _, path, invoke in flow.invokes:
        for field in ("into", "idlocation"):
            if name := getattr(invoke, field):
                yield from _location(flow, name, (*path, field))


def _location(flow: Flow, location: str, path: Path, *, key: bool = False) -> Iterator[Problem]:
    name = location.partition(".")[0]
    declared = {*flow.document.datamodel, *flow.looped}
    if name not in declared:
        hint = did_you_mean(name, declared) or "declare it under datamodel"
        yield flow.problem("unknown-variable", path, f'there is no variable "{name}"', hint, key=key)
