"""From the tree of a template to closures that write its pieces."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from wabot.engine.expressions.bounds import ITERATIONS, OUTPUT_BYTES, Failure
from wabot.engine.expressions.compiler import Compiler, Evaluate, Run, refused
from wabot.engine.expressions.data import as_text, describe
from wabot.errors import ExpressionError

Write = Callable[[Run, list[str]], None]


class Renderer(Compiler):
    """Compiles the statements of a template: text, values, `if`, `for` over data, `set` of a name."""

    def body(self, statements: list[nodes.Node]) -> Write:
        """Raises ExpressionError for a statement that isn't allowed."""
        parts = [part for statement in statements for part in self._statement(statement)]
        if len(parts) == 1:
            return parts[0]

        def write(run: Run, out: list[str]) -> None:
            for part in parts:
                part(run, out)

        return write

    def _statement(self, node: nodes.Node) -> list[Write]:
        match node:
            case nodes.Output():
                return [self._output(part) for part in node.nodes]
            case nodes.If():
                return [self._if(node)]
            case nodes.For():
                return [self._for(node)]
            case nodes.Assign():
                return [self._set(node)]
        raise ExpressionError(refused(node))

    def _output(self, node: nodes.Node) -> Write:
        if isinstance(node, nodes.TemplateData):
            return _literal(node.data)
        self.constant = False
        evaluate = self.expression(node)
        return lambda run, out: emit(run, out, as_text(evaluate(run), run.scope))

    def _if(self, node: nodes.If) -> Write:
        before = self.bound
        after = before
        branches: list[tuple[Evaluate, Write]] = []
        for branch in (node, *node.elif_):
            self.bound = before
            branches.append((self.expression(branch.test), self.body(branch.body)))
            after |= self.bound
        self.bound = before
        other = self.body(node.else_)
        self.bound |= after

        def write(run: Run, out: list[str]) -> None:
            for test, body in branches:
                if test(run):
                    body(run, out)
                    return
            other(run, out)

        return write

    def _set(self, node: nodes.Assign) -> Write:
        names = _targets(node.target)
        if len(names) != 1:
            raise ExpressionError("{% set %} takes one name: {% set name = value %}")
        evaluate = self.expression(node.node)
        self.bound |= {names[0]}

        def write(run: Run, _out: list[str]) -> None:
            run.locals[names[0]] = evaluate(run)

        return write

    def _for(self, node: nodes.For) -> Write:
        if node.recursive:
            raise ExpressionError("{% for %} can't be recursive")
        items = self.expression(node.iter)
        names = _targets(node.target)
        before = self.bound
        self.bound = before | set(names)
        test = self._maybe(node.test) if node.test is not None else None
        self.bound |= {"loop"}
        body = self.body(node.body)
        self.bound = before
        other = self.body(node.else_)
        self.bound = before
        return _loop(items, names, test, body, other)


def _loop(items: Evaluate, names: list[str], test: Evaluate | None, body: Write, other: Write) -> Write:
    def write(run: Run, out: list[str]) -> None:
        outer = run.locals
        try:
            rounds = [_bind(run, outer, names, item) for item in iterable(items(run))]
            if test is not None:
                rounds = [scope for scope in rounds if _passes(run, test, scope)]
            for index, scope in enumerate(rounds):
                run.locals = scope
                scope["loop"] = {
                    "index": index + 1,
                    "index0": index,
                    "first": index == 0,
                    "last": index == len(rounds) - 1,
                    "length": len(rounds),
                }
                body(run, out)
        finally:
            run.locals = outer
        if not rounds:
            other(run, out)

    return write


def _passes(run: Run, test: Evaluate, scope: dict[str, Any]) -> bool:
    run.locals = scope
    return bool(test(run))


def iterable(value: Any) -> Any:
    if isinstance(value, list | tuple | Mapping):
        return value
    raise Failure(f"for goes over a list, not over {describe(value)}")


def _bind(run: Run, outer: dict[str, Any], names: list[str], item: Any) -> dict[str, Any]:
    run.iterations += 1
    if run.iterations > ITERATIONS:
        raise Failure(f"the loops go round more than {ITERATIONS:,} times")
    if len(names) == 1:
        return {**outer, names[0]: item}
    if not isinstance(item, list | tuple) or len(item) != len(names):
        raise Failure(f"{describe(item)} can't be taken apart into {', '.join(names)}")
    return {**outer, **dict(zip(names, item, strict=True))}


def _targets(node: nodes.Node) -> list[str]:
    items = node.items if isinstance(node, nodes.Tuple) else [node]
    names = [item.name for item in items if isinstance(item, nodes.Name)]
    if len(names) != len(items):
        raise ExpressionError("only a plain name can be set")
    for name in names:
        if name.startswith("_") or name.lower() == "in":
            raise ExpressionError(f'"{name}" can\'t be set')
    return names


def _literal(text: str) -> Write:
    return lambda run, out: emit(run, out, text)


def emit(run: Run, out: list[str], piece: str) -> None:
    """Write a piece. Raises Failure past the bound on the output, in bytes of UTF-8."""
    run.size += len(piece) if piece.isascii() else len(piece.encode("utf-8", "replace"))
    if run.size > OUTPUT_BYTES:
        raise Failure(f"the text grows past {OUTPUT_BYTES:,} bytes")
    out.append(piece)


def known_length(statements: list[nodes.Node]) -> int:
    """Characters of fixed text in the longest rendering that can be known without the data."""
    total = 0
    for node in statements:
        if isinstance(node, nodes.Output):
            total += sum(_fixed(part) for part in node.nodes)
        elif isinstance(node, nodes.If):
            branches = [node.body, node.else_, *(branch.body for branch in node.elif_)]
            total += max(known_length(branch) for branch in branches)
    return total


def _fixed(node: nodes.Node) -> int:
    if isinstance(node, nodes.TemplateData):
        return len(node.data)
    return len(node.value) if isinstance(node, nodes.Const) and isinstance(node.value, str) else 0
