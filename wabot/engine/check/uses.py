"""Every expression, template and text of a flow, compiled, with its place and its surroundings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from jinja2 import nodes

from wabot.engine.check.flow import Edge, Flow, Message, Placed
from wabot.engine.document import (
    Ask,
    AssignAction,
    CancelAction,
    CommandAction,
    DigressAction,
    EachOption,
    ForeachAction,
    IfAction,
    Invoke,
    LocaleAction,
    LogAction,
    Options,
    Param,
    RaiseAction,
    Rich,
    SayAction,
    SendAction,
    StateNode,
)
from wabot.engine.expressions import Expression, Sandbox, Template, Value
from wabot.engine.expressions.source import is_template
from wabot.engine.names import Node
from wabot.engine.problems import Path
from wabot.engine.texts import is_key
from wabot.errors import ExpressionError

Kind = Literal["expression", "template", "value", "text"]
Role = Literal["", "guard", "datamodel", "assign", "argument", "min"]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A source text where it stands. `names` are the variables that only it sees.

    `compiled` is None for a key of the texts, and where `error` says why it can't be compiled. `tree`
    is what was parsed, where that is one text; a text that is one `{{ … }}` gives its expression.
    """

    kind: Kind
    source: Any
    path: Path
    node: Node
    edge: Edge | None = None
    placed: Placed | None = None
    names: frozenset[str] = frozenset()
    role: Role = ""
    compiled: Expression | Template | Value | None = None
    tree: nodes.Node | None = None
    error: ExpressionError | None = None

    @property
    def is_key(self) -> bool:
        return self.kind == "text" and is_key(self.source)


class Uses:
    """All uses of a flow, compiled with one sandbox; equal sources are compiled once."""

    def __init__(self, flow: Flow, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._compiled: dict[tuple[Kind, str], Expression | Template | Value | ExpressionError] = {}
        self.all = [self._compile(use) for use in _uses(flow)]

    def _compile(self, use: Use) -> Use:
        if use.is_key:
            return use
        if not isinstance(use.source, str):
            result = self._try(use)
        else:
            key = (use.kind, use.source)
            result = self._compiled.get(key) or self._try(use)
            self._compiled[key] = result
        if isinstance(result, ExpressionError):
            return replace(use, error=result)
        return replace(use, compiled=result, tree=self._tree(use, result))

    def _tree(self, use: Use, compiled: Expression | Template | Value) -> nodes.Node | None:
        if isinstance(compiled, Expression | Template):
            return compiled.tree
        if not (isinstance(use.source, str) and is_template(use.source)):
            return None
        tree = self._sandbox.template(use.source).tree
        match tree.body:
            case [nodes.Output(nodes=[*parts])]:
                shown = [p for p in parts if not isinstance(p, nodes.TemplateData) or p.data.strip()]
                if len(shown) == 1 and not isinstance(shown[0], nodes.TemplateData):
                    return shown[0]
        return tree

    def _try(self, use: Use) -> Expression | Template | Value | ExpressionError:
        try:
            match use.kind:
                case "expression":
                    return self._sandbox.expression(use.source)
                case "value":
                    return self._sandbox.value(use.source)
            return self._sandbox.template(use.source)
        except ExpressionError as error:
            return error


def _uses(flow: Flow) -> Iterator[Use]:
    root = flow.tree.root
    for name, variable in flow.document.datamodel.items():
        if variable.expr is not None:
            place: Path = ("datamodel", name, "expr")
            yield Use("expression", variable.expr, place, root, role="datamodel")
    for edge in flow.edges:
        for field, guards in (("cond", edge.model.cond), ("unless", edge.unless)):
            for index, guard in enumerate(guards):
                place = (*edge.path, field, index)
                yield Use("expression", guard, place, edge.node, edge, role="guard")
    for placed in flow.actions:
        here = Use("value", None, placed.path, placed.node, placed.edge, placed, placed.names)
        yield from _action(here, placed.action)
    for node, ask in flow.asks.items():
        yield from _ask(Use("value", None, (*node.document_path, "ask"), node), ask)
    for node, path, invoke in flow.invokes:
        yield from _invoke(Use("value", None, path, node), invoke)
    for node in flow.tree.nodes:
        if isinstance(node.model, StateNode) and node.model.donedata is not None:
            here = Use("value", None, (*node.document_path, "donedata"), node)
            yield from _donedata(here, node.model.donedata)


def message_uses(message: Message) -> Iterator[Use]:
    """The sources of one message, not compiled."""
    here = Use("value", None, message.path, message.node, message.edge, None, message.names)
    return _ask(here, message.rich) if isinstance(message.rich, Ask) else _rich(here, message.rich)


def _at(use: Use, kind: Kind, source: Any, *path: str | int, role: Role = "") -> Iterator[Use]:
    """The use of `source` below `use`, if there is any."""
    if source is not None and source != "":
        yield replace(use, kind=kind, source=source, path=(*use.path, *path), role=role)


def _action(here: Use, action: Any) -> Iterator[Use]:
    match action:
        case AssignAction():
            yield from _assign(here, action)
        case SayAction():
            yield from _rich(replace(here, path=(*here.path, "say")), action.say)
        case SendAction():
            yield from _send(here, action)
        case IfAction():
            yield from _at(here, "expression", action.if_.cond, "if", "cond", role="guard")
            for index, branch in enumerate(action.if_.elif_):
                yield from _at(here, "expression", branch.cond, "if", "elif", index, "cond", role="guard")
        case DigressAction():
            for name, value in action.digress.with_.items():
                yield from _at(here, "value", value, "digress", "with", name)
        case CommandAction():
            yield from _arguments(here, action)
        case _:
            yield from _single(here, action)


def _single(here: Use, action: Any) -> Iterator[Use]:
    """The actions that have one source."""
    match action:
        case RaiseAction():
            yield from _at(here, "value", action.raise_.data, "raise", "data")
        case CancelAction():
            yield from _at(here, "expression", action.cancel.sendidexpr, "cancel", "sendidexpr")
        case LogAction():
            yield from _at(here, "expression", action.log.expr, "log", "expr")
        case ForeachAction():
            yield from _at(here, "expression", action.foreach.array, "foreach", "array")
        case LocaleAction():
            yield from _at(here, "template", action.locale, "locale")


def _assign(here: Use, action: AssignAction) -> Iterator[Use]:
    if action.plain:
        source = action.assign.get("expr")
        kind: Kind = "expression" if isinstance(source, str) else "value"
        yield from _at(here, kind, source, "assign", "expr", role="assign")
    else:
        for name, value in action.assign.items():
            yield from _at(here, "value", value, "assign", name, role="assign")


def _arguments(here: Use, action: CommandAction) -> Iterator[Use]:
    if isinstance(action.arguments, dict):
        for name, value in action.arguments.items():
            yield from _at(here, "value", value, action.command, name, role="argument")
    else:
        yield from _at(here, "value", action.arguments, action.command, role="argument")


def _send(here: Use, action: SendAction) -> Iterator[Use]:
    body = action.send
    yield from _at(here, "expression", body.eventexpr, "send", "eventexpr")
    yield from _at(here, "expression", body.delayexpr, "send", "delayexpr")
    yield from _at(here, "value", body.delay, "send", "delay")
    yield from _at(here, "value", body.data, "send", "data")
    yield from _at(here, "value", body.content, "send", "content")
    for name in (body.namelist or "").split():
        yield from _at(here, "expression", name, "send", "namelist")
    yield from _params(here, body.params, "send")


def _params(here: Use, params: list[Param], *path: str | int) -> Iterator[Use]:
    for index, param in enumerate(params):
        field = "expr" if param.expr is not None else "location"
        source = param.expr if param.expr is not None else param.location
        yield from _at(here, "expression", source, *path, "params", index, field)


def _rich(here: Use, rich: Rich) -> Iterator[Use]:
    for field in ("text", "header", "footer"):
        yield from _at(here, "text", getattr(rich, field), field)
    yield from _options(here, rich.buttons, "buttons")
    if rich.list_ is not None:
        yield from _at(here, "text", rich.list_.button, "list", "button")
        yield from _options(here, rich.list_.rows, "list", "rows")
        for index, section in enumerate(rich.list_.sections or []):
            yield from _at(here, "text", section.title, "list", "sections", index, "title")
            yield from _options(here, section.rows, "list", "sections", index, "rows")
    if rich.media is not None:
        yield from _at(here, "template", rich.media.url, "media", "url")
        yield from _at(here, "template", rich.media.filename, "media", "filename")
    if rich.location is not None:
        for field in ("latitude", "longitude", "name", "address"):
            yield from _at(here, "value", getattr(rich.location, field), "location", field)
    if rich.template is not None:
        for name, value in rich.template.variables.items():
            yield from _at(here, "text", value, "template", "variables", name)


def _options(here: Use, options: Options | None, *path: str | int) -> Iterator[Use]:
    if isinstance(options, EachOption):
        yield from _at(here, "expression", options.each, *path, "for")
        inside = replace(here, names=here.names | {options.as_})
        yield from _at(inside, "template", options.id, *path, "id")
        yield from _at(inside, "text", options.title, *path, "title")
        yield from _at(inside, "text", options.description, *path, "description")
        return
    for index, option in enumerate(options or []):
        yield from _at(here, "template", option.id, *path, index, "id")
        yield from _at(here, "text", option.title, *path, index, "title")
        yield from _at(here, "text", option.description, *path, index, "description")


def _ask(here: Use, ask: Ask) -> Iterator[Use]:
    yield from _rich(here, ask)
    yield from _options(here, ask.choices, "choices")
    yield from _at(here, "text", ask.retry, "retry")
    for field in ("min", "max"):
        bound = getattr(ask, field)
        kind: Kind = "expression" if isinstance(bound, str) else "value"
        yield from _at(here, kind, bound, field, role="min")


def _invoke(here: Use, invoke: Invoke) -> Iterator[Use]:
    for name, value in invoke.with_.items():
        yield from _at(here, "value", value, "with", name, role="argument")
    yield from _at(here, "value", invoke.http, "http")
    yield from _at(here, "value", invoke.agent, "agent")
    yield from _params(here, invoke.params)
    if isinstance(invoke.content, str):
        yield from _at(here, "expression", invoke.content, "content")


def _donedata(here: Use, data: dict[str, Any]) -> Iterator[Use]:
    """The plain statechart's `params` and `content`, else an object of values."""
    if plain_donedata(data):
        yield from _params(here, [Param.model_validate(param) for param in data.get("params") or []])
        content = data.get("content")
        yield from _at(here, "expression" if isinstance(content, str) else "value", content, "content")
    else:
        for name, value in data.items():
            yield from _at(here, "value", value, name)


def plain_donedata(data: dict[str, Any]) -> bool:
    """Whether this is SCXML's `params` and `content`, not an object of the author's own."""
    params = data.get("params")
    named = isinstance(params, list) and all(isinstance(p, dict) and "name" in p for p in params)
    return bool(data) and set(data) <= {"params", "content"} and (named or "params" not in data)
