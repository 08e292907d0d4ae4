"""One flow as the rules see it: its states, transitions and actions, each with its place."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from wabot.engine.check.codes import CODES
from wabot.engine.document import (
    After,
    Ask,
    FlowDocument,
    ForeachAction,
    IfAction,
    Invoke,
    Rich,
    SayAction,
    StateNode,
    Transition,
)
from wabot.engine.loader import Source
from wabot.engine.names import Node, Tree
from wabot.engine.problems import Path, Problem
from wabot.engine.texts import Texts

if TYPE_CHECKING:
    from wabot.engine.check.uses import Use


class CommandInfo(Protocol):
    """What the checker knows of a module's command or invoke: `core.module.Command`, `core.module.Invoke`."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> type[BaseModel]: ...
    @property
    def returns(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """`locales` are the project's, for flows that don't name theirs; without any, those with texts.

    `secrets` are the names of those in its settings (`[http.secrets]`); None where there is no project.
    `starts` are the flows that conversations begin with: none but these flows give them first values.
    """

    locales: Sequence[str] = ()
    secrets: Collection[str] | None = None
    starts: Collection[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """A transition, an `after`, or the default of a history state. `path` is its place."""

    node: Node
    path: Path
    model: Transition | After
    timer: str = ""

    @property
    def event(self) -> str | None:
        if isinstance(self.model, Transition):
            return self.model.event
        return f"timer.{self.node.path}.{self.timer}"

    @property
    def descriptors(self) -> list[str]:
        return [f"timer.{self.node.path}.{self.timer}"] if self.timer else (self.event or "").split()

    @property
    def intent(self) -> str | None:
        return self.model.intent if isinstance(self.model, Transition) else None

    @property
    def unless(self) -> list[str]:
        return self.model.unless if isinstance(self.model, Transition) else []

    @property
    def internal(self) -> bool:
        return isinstance(self.model, Transition) and self.model.internal

    @property
    def usual(self) -> bool:
        """Whether an event or the configuration takes it: not an initial one, not a history default."""
        return self.node.kind != "history" and not (isinstance(self.model, Transition) and self.model.initial)

    @property
    def eventless(self) -> bool:
        return self.usual and not self.descriptors and self.intent is None

    def blocks(self) -> Iterator[tuple[str, Sequence[Any]]]:
        """The transition's actions in the order they run."""
        if isinstance(self.model, Transition):
            yield "before", self.model.before
            yield "on", self.model.on
            yield "after", self.model.after
        else:
            yield "on", self.model.on


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """An action and where it stands. `names` are the loop variables around it."""

    action: Any
    path: Path
    node: Node
    edge: Edge | None = None
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """Something that is said: by `say`, or by a state's `ask`."""

    rich: Rich
    path: Path
    node: Node
    edge: Edge | None = None
    names: frozenset[str] = frozenset()


class Flow:
    """A flow and what is known around it: the project's texts, commands and other flows.

    A flow written inside an invoke is one of its own, whose paths begin at `base`. `given` are the
    variables that other flows set when they begin this one, `outside` what modules do outside of turns;
    where it is `closed`, no others are given to it.
    """

    def __init__(
        self,
        source: Source,
        texts: Texts,
        commands: Mapping[str, CommandInfo],
        flows: frozenset[str],
        options: CheckOptions,
        base: Path = (),
        given: frozenset[str] = frozenset(),
        outside: Mapping[str, CommandInfo] | None = None,
    ) -> None:
        self.source = source
        self.document: FlowDocument = source.document
        self.tree: Tree = source.tree
        self.texts = texts
        self.commands = commands
        self.flows = flows
        self.options = options
        self.base = base
        self.given = given
        self.outside = outside or {}
        self.closed = bool(base) or source.flow in options.starts
        self.uses: list[Use] = []
        self.constant_guards: dict[str, bool] = {}

    def problem(self, code: str, path: Path, message: str, hint: str = "", *, key: bool = False) -> Problem:
        place = self.source.place((*self.base, *path), key=key)
        return Problem(place, code, message, hint, CODES[code].severity)

    @cached_property
    def types(self) -> dict[str, str]:
        """The types of names that have one."""
        declared = {name: variable.type for name, variable in self.document.datamodel.items()}
        own = {name: str(kind) for name, kind in declared.items() if kind != "any"}
        return own | {"now": "datetime", "today": "date"}

    @cached_property
    def locales(self) -> list[str]:
        """The locales this flow must speak."""
        return list(self.document.locales or self.options.locales or self.texts.locales)

    @cached_property
    def edges(self) -> list[Edge]:
        """Every transition, those of the flow first, then in document order."""
        return [edge for node in self.tree.nodes for edge in _edges(node)]

    @cached_property
    def actions(self) -> list[Placed]:
        """Every action, those inside `if` and `foreach` after the one that holds them."""
        found: list[Placed] = []
        for node in self.tree.nodes:
            if isinstance(node.model, StateNode):
                for name in ("enter", "exit"):
                    here = Placed(None, (*node.document_path, name), node)
                    found += _placed(here, getattr(node.model, name))
        for edge in self.edges:
            for name, block in edge.blocks():
                found += _placed(Placed(None, (*edge.path, name), edge.node, edge), block)
        return found

    @cached_property
    def looped(self) -> frozenset[str]:
        """The variables that a `foreach` declares: they stay after it."""
        loops = [p.action.foreach for p in self.actions if isinstance(p.action, ForeachAction)]
        return frozenset(name for loop in loops for name in (loop.item, loop.index) if name)

    @cached_property
    def asks(self) -> dict[Node, Ask]:
        return {node: node.model.ask for node in self.tree.nodes if has_ask(node) and node.model.ask}  # type: ignore[union-attr]

    @cached_property
    def messages(self) -> list[Message]:
        """Everything that is said, questions included."""
        said = [
            Message(p.action.say, (*p.path, "say"), p.node, p.edge, p.names)
            for p in self.actions
            if isinstance(p.action, SayAction)
        ]
        asked = [Message(ask, (*node.document_path, "ask"), node) for node, ask in self.asks.items()]
        return said + asked

    @cached_property
    def invokes(self) -> list[tuple[Node, Path, Invoke]]:
        return [
            (node, (*node.document_path, "invoke", index), invoke)
            for node in self.tree.nodes
            if isinstance(node.model, StateNode)
            for index, invoke in enumerate(node.model.invoke)
        ]

    @cached_property
    def invoke_ids(self) -> list[str]:
        """The invokes' ids in their order: the state's path stands in, then with a number."""
        return [
            invoke.id or (f"{node.path}.{path[-1]}" if path[-1] else node.path)
            for node, path, invoke in self.invokes
        ]

    @cached_property
    def conversational(self) -> bool:
        """Whether it talks with a contact: a plain statechart takes any event from outside."""
        return bool(self.messages or self.document.intents) or any(
            descriptor.split(".")[0] == "message" for edge in self.edges for descriptor in edge.descriptors
        )

    def inner(self) -> Iterator["Flow"]:
        """The flows written inside this one's invokes."""
        for _, path, invoke in self.invokes:
            if isinstance(invoke.content, FlowDocument):
                document = invoke.content
                source = replace(self.source, document=document, tree=Tree.of(document))
                base = (*self.base, *path, "content")
                named = (*invoke.with_, *(param.name for param in invoke.params))
                given = frozenset((*named, *(invoke.namelist or "").split()))
                yield Flow(
                    source, self.texts, self.commands, self.flows, self.options, base, given, self.outside
                )

    def reaches(self, node: Node) -> list[Edge]:
        """The transitions that may be taken while `node` is active: its own and its ancestors'."""
        return [edge for level in (node, *node.ancestors()) for edge in self.edges_of(level)]

    def edges_of(self, node: Node) -> list[Edge]:
        return self._by_node.get(node, [])

    def guards_of(self, edge: Edge) -> list["Use"]:
        return self._guards.get(edge, [])

    @cached_property
    def _guards(self) -> dict[Edge, list["Use"]]:
        found: dict[Edge, list[Use]] = {}
        for use in self.uses:
            if use.edge is not None and use.placed is None:
                found.setdefault(use.edge, []).append(use)
        return found

    @cached_property
    def conditions(self) -> dict[Path, list["Use"]]:
        """The conditions of each `if`, by the place of the action."""
        found: dict[Path, list[Use]] = {}
        for use in self.uses:
            if use.role == "guard" and use.placed is not None:
                found.setdefault(use.placed.path, []).append(use)
        return found

    @cached_property
    def _by_node(self) -> dict[Node, list[Edge]]:
        found: dict[Node, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.node, []).append(edge)
        return found


def has_ask(node: Node) -> bool:
    return isinstance(node.model, StateNode) and node.model.ask is not None


def together(one: Node, other: Node) -> bool:
    """Whether two states may be active at once."""
    return other in set(companions(one))


def companions(node: Node) -> Iterator[Node]:
    """The states that may be active with `node`: itself, around it, inside it, in other regions."""
    yield node
    yield from node.descendants()
    inner = node
    for around in node.ancestors():
        yield around
        for child in around.children if around.kind == "parallel" else ():
            if child is not inner:
                yield child
                yield from child.descendants()
        inner = around


def _edges(node: Node) -> Iterator[Edge]:
    model = node.model
    for index, transition in enumerate(model.transitions):
        yield Edge(node, (*node.document_path, "transitions", index), transition)
    if isinstance(model, StateNode):
        for duration, after in model.after.items():
            yield Edge(node, (*node.document_path, "after", duration), after, duration)


def _placed(around: Placed, actions: Sequence[Any]) -> Iterator[Placed]:
    for index, action in enumerate(actions):
        here = replace(around, action=action, path=(*around.path, index))
        yield here
        for path, block, names in _blocks(action):
            inside = replace(here, path=(*here.path, *path), names=here.names | names)
            yield from _placed(inside, block)


def _blocks(action: Any) -> Iterator[tuple[Path, Sequence[Any], frozenset[str]]]:
    """The blocks of actions inside an action, and the variables they add."""
    if isinstance(action, IfAction):
        yield ("if", "then"), action.if_.then, frozenset()
        for index, branch in enumerate(action.if_.elif_):
            yield ("if", "elif", index, "then"), branch.then, frozenset()
        yield ("if", "else"), action.if_.else_, frozenset()
    elif isinstance(action, ForeachAction):
        names = (action.foreach.item, action.foreach.index)
        yield ("foreach", "do"), action.foreach.do, frozenset(name for name in names if name)
