"""From a flow's document to its chart. Everything is compiled here; nothing is parsed per event."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from wabot.engine import document as doc
from wabot.engine.actions import Actions, named_values
from wabot.engine.asking import compile_question
from wabot.engine.chart import Chart, Edge, Spot, descriptor_ids, machine_id, model_of, short_names
from wabot.engine.expressions import Sandbox
from wabot.engine.formula import Compiler, Formula
from wabot.engine.intents import Intents
from wabot.engine.invoking import invocations, timers
from wabot.engine.loader import Source
from wabot.engine.machine import Bench
from wabot.engine.names import Node, Tree, Unresolved
from wabot.engine.problems import Path, Place, did_you_mean
from wabot.engine.texts import Texts
from wabot.errors import UnknownName

INLINE = "#"
"""In the id of a flow that is written inside an `invoke`: between the outer flow and the place."""


def compile_chart(source: Source, sandbox: Sandbox, texts: Texts) -> Chart:
    """Raises UnknownName for a target that isn't there, ExpressionError for what can't be compiled."""
    return _Work(
        Compiler(sandbox, texts, source.place), source.document, source.tree, source.flow, source.flow
    ).chart()


class _Work:
    def __init__(
        self, compiler: Compiler, document: doc.FlowDocument, tree: Tree, flow: str, written_in: str
    ) -> None:
        self.compiler = compiler
        self.document = document
        spots = _spots(tree)
        self._chart = Chart(
            flow=flow,
            version=document.version,
            written_in=written_in,
            document=document,
            tree=tree,
            spots=spots,
            histories=[node for node in tree.nodes if node.kind == "history"],
            by_path={spot.path: spot for spot in spots if spot.parent is not None},
            by_id={spot.id: spot for spot in spots},
            locate=compiler.locate,
            intents=Intents(document.intents),
        )

    def chart(self) -> Chart:
        chart = self._chart
        for spot in chart.spots:
            self._fill(spot)
        self._transitions(chart.root, self.document.transitions, ("transitions",))
        chart.error_events = frozenset(
            word.removeprefix("e.")
            for spot in chart.spots
            for edge in spot.edges
            for word in edge.descriptors
            if word == "e.error" or word.startswith("e.error.")
        )
        chart.variables = [
            (name, self._first_value(name, variable)) for name, variable in self.document.datamodel.items()
        ]
        chart.bench = Bench(chart)
        return chart

    def _first_value(self, name: str, variable: doc.Variable) -> Formula:
        if variable.expr is not None:
            path: Path = ("datamodel", name)
            return self.compiler.expression(variable.expr, self._chart.root, path)
        default = variable.default
        return lambda _play: fresh(default)

    def _fill(self, spot: Spot) -> None:
        model = model_of(spot)
        if model is None:
            return
        at, place = Actions(self.compiler, spot), spot.place
        spot.entering = at.block(model.enter, (*place, "enter"))
        spot.exiting = at.block(model.exit, (*place, "exit"))
        self._timers(spot, model)
        self._transitions(spot, model.transitions, (*place, "transitions"))
        self._histories(spot, model)
        if model.donedata is not None:
            spot.returning = _donedata(at, model.donedata, (*place, "donedata"))
        if model.ask is not None:
            spot.question = compile_question(model.ask, self.compiler, spot, (*place, "ask"))
        begin = f"{self._chart.flow}{INLINE}{spot.path}."
        spot.invocations = invocations(at, model.invoke, (*place, "invoke"), begin)
        for index, invoke in enumerate(model.invoke):
            if isinstance(invoke.content, doc.FlowDocument):
                self._inline(f"{begin}{index}", invoke.content, (*place, "invoke", index, "content"))

    def _timers(self, spot: Spot, model: doc.StateNode) -> None:
        spot.timers = timers(model, spot.id)
        for timer, (written, after) in zip(spot.timers, model.after.items(), strict=True):
            transition = doc.Transition(target=after.target, cond=after.cond, on=after.on)
            edge = self._edge(spot, transition, (*spot.place, "after", written))
            spot.edges.append(replace(edge, descriptors=(timer.event,)))

    def _inline(self, flow: str, document: doc.FlowDocument, path: Path) -> None:
        tree = Tree.of(document)
        for node in tree.nodes:
            node.document_path = (*path, *node.document_path)
        work = _Work(
            replace(self.compiler, locate=_within(self.compiler.locate, path)),
            document,
            tree,
            flow,
            self._chart.written_in,
        )
        inner = work.chart()
        inner.version = self._chart.version
        self._chart.inline[flow] = inner
        self._chart.inline |= inner.inline

    def _transitions(self, spot: Spot, models: list[doc.Transition], path: Path) -> None:
        spot.edges += [self._edge(spot, model, (*path, index)) for index, model in enumerate(models)]

    def _histories(self, spot: Spot, model: doc.StateNode) -> None:
        for node in spot.node.histories:
            for index, transition in enumerate(model.history[node.id].transitions):
                path = (*node.document_path, "transitions", index)
                edge = self._edge(spot, transition, path, source=node)
                spot.defaults.append(replace(edge, kind="history"))

    def _edge(self, spot: Spot, model: doc.Transition, path: Path, source: Node | None = None) -> Edge:
        targets = self._targets(source or spot.node, model.target, path)
        at = Actions(self.compiler, spot)
        written = model.event or ("message" if model.intent else "")
        first = self._chart.by_id.get(machine_id(targets[0])) if targets else None
        return Edge(
            spot=spot,
            path=path,
            kind="initial" if model.initial else "usual",
            descriptors=() if model.initial else descriptor_ids(self._chart, written, spot),
            targets=tuple(machine_id(node) for node in targets),
            internal=_stays_inside(spot, model, targets),
            cond=self.compiler.guards(model.cond, spot, (*path, "cond")),
            unless=self.compiler.guards(model.unless, spot, (*path, "unless")),
            intent=model.intent,
            before_actions=at.block(model.before, (*path, "before")),
            on_actions=at.block(model.on, (*path, "on")),
            after_actions=at.block(model.after, (*path, "after")),
            speaker=first or spot,
            text=" ".join(node.path for node in targets),
        )

    def _targets(self, source: Node, written: str | None, path: Path) -> list[Node]:
        if not written:
            return []
        try:
            return self._chart.tree.targets(source, written)
        except Unresolved as error:
            hint = did_you_mean(error.name, error.candidates) or None
            where = self.compiler.locate((*path, "target"))
            raise UnknownName(f'{where}: the state "{error.name}" is {error.kind}', hint=hint) from None


def _stays_inside(spot: Spot, model: doc.Transition, targets: list[Node]) -> bool:
    """Whether the source itself isn't left: SCXML grants that to compound sources only, and the
    transitions of the whole flow never leave the root."""
    if not targets or spot.node.kind not in ("compound", "root"):
        return False
    return (model.internal or spot.parent is None) and all(node.within(spot.node) for node in targets)


def _spots(tree: Tree) -> list[Spot]:
    names = short_names(tree)
    spots: dict[int, Spot] = {}
    for node in tree.nodes:
        if node.kind == "history":
            continue
        parent = spots[node.parent.order] if node.parent is not None else None
        id = machine_id(node)
        lineage = (*(parent.lineage if parent else ()), id)
        spot = Spot(node, id, lineage, parent, names.get(node.order, ""))
        spots[node.order] = spot
        if parent is not None:
            parent.children.append(spot)
    return list(spots.values())


def _within(locate: Callable[[Path], Place], path: Path) -> Callable[[Path], Place]:
    return lambda inner: locate(inner if inner[: len(path)] == path else (*path, *inner))


def _donedata(at: Actions, donedata: dict[str, object], path: Path) -> Formula:
    """An object of templates, or the plain statechart's `params` and `content`."""
    if set(donedata) <= {"params", "content"} and isinstance(donedata.get("params", []), list):
        if "content" in donedata:
            content = donedata["content"]
            if isinstance(content, str):
                return at.expression(content, (*path, "content"))
            return at.value(content, (*path, "content"))
        params = [doc.Param.model_validate(param) for param in _as_list(donedata["params"])]
        named = named_values(at, None, params, path)
        return lambda play: {name: formula(play) for name, formula in named}
    return at.value(donedata, path)


def fresh(value: Any) -> Any:
    """A copy of plain data, so that no two conversations share it."""
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    return [fresh(item) for item in value] if isinstance(value, list) else value


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
