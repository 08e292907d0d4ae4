"""Writes new expectations into a test file: only their own characters change."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wabot.engine.problems import Path
from wabot.engine.yaml import read_yaml

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 .,!?'()/₹-]*")


def rewritten(text: str, updates: Iterable[tuple[Path, Any]]) -> str:
    """`text` with the value at each path replaced; comments, order and quotes elsewhere stay.

    Raises KeyError for a path that isn't in it.
    """
    root = YAML(typ="rt", pure=True).compose(text)
    spots = [(_find(root, path), value) for path, value in updates]
    for spot, value in sorted(spots, key=lambda pair: pair[0].node.start_mark.index, reverse=True):
        text = _replaced(text, spot, value)
    return text


@dataclass(frozen=True, slots=True)
class _Spot:
    """A value in the text. `key` is None for an item of a list; `flow` is inside brackets or braces."""

    node: Node
    key: ScalarNode | None
    flow: bool


def _find(root: Node, path: Path) -> _Spot:
    spot = _Spot(root, None, False)
    for part in path:
        node = spot.node
        flow = spot.flow or bool(getattr(node, "flow_style", False))
        if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            spot = _Spot(node.value[part], None, flow)
        elif isinstance(node, MappingNode):
            key, value = next(((k, v) for k, v in node.value if k.value == part), (None, None))
            if value is None:
                raise KeyError(part)
            spot = _Spot(value, key, flow)
        else:
            raise KeyError(part)
    return spot


def _replaced(text: str, spot: _Spot, value: Any) -> str:
    start, end = int(spot.node.start_mark.index), _end(spot.node, text)
    column = int(spot.node.start_mark.column)
    after = text.index(":", spot.key.end_mark.index) + 1 if spot.key else start
    empty = isinstance(spot.node, ScalarNode) and not spot.node.style and not spot.node.value
    if empty:
        start = end = after
    if spot.flow or text[end:].split("\n", 1)[0].strip():
        lines = [inline(value, quoted=spot.flow)]
    else:
        lines = block(value)
    if spot.key is None:
        return text[:start] + ("\n" + " " * column).join(lines) + text[end:]
    if "\n" in text[after:start] and column > spot.key.start_mark.column:
        return text[:start] + ("\n" + " " * column).join(lines) + text[end:]
    outer = int(spot.key.start_mark.column)
    if _follows(lines, value):
        return text[:after] + " " + ("\n" + " " * outer).join(lines) + text[end:]
    return text[:after] + "".join("\n" + " " * (outer + 2) + line for line in lines) + text[end:]


def _end(node: Node, text: str) -> int:
    """Behind the node's last character; a block's own end mark lies past comments and blank lines."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if isinstance(node, ScalarNode):
        return start + len(text[start:end].rstrip()) if node.style in ("|", ">") else end
    if getattr(node, "flow_style", False) or not node.value:
        return end
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last, text)


def block(value: Any) -> list[str]:
    """`value` as lines of block YAML, without the indentation of what is around it."""
    if isinstance(value, str) and _literal(value):
        return ["|-", *(f"  {line}" if line else "" for line in value.split("\n"))]
    if isinstance(value, list) and value and not all(isinstance(item, str | int) for item in value):
        return _indented("- ", value)
    if isinstance(value, list) and any(isinstance(item, str) and len(item) > 30 for item in value):
        return _indented("- ", value)
    if isinstance(value, dict) and value:
        made: list[str] = []
        for key, item in value.items():
            lines = block(item)
            if _follows(lines, item):
                made += [f"{inline(key)}: {lines[0]}", *lines[1:]]
            else:
                made += [f"{inline(key)}:", *(f"  {line}" for line in lines)]
        return made
    return [inline(value)]


def _follows(lines: list[str], value: Any) -> bool:
    """Whether a value's lines begin behind their key, not on the line below it."""
    return lines == [inline(value)] or lines[0] == "|-"


def _indented(mark: str, items: list[Any]) -> list[str]:
    made: list[str] = []
    for item in items:
        first, *rest = block(item)
        made += [mark + first, *(f"  {line}" if line else "" for line in rest)]
    return made


def _literal(text: str) -> bool:
    """Whether a literal block can hold this text, and is worth it."""
    lines = text.split("\n")
    readable = all(line.rstrip() == line and line.isprintable() for line in lines)
    return (
        len(lines) > 1 and readable and lines[0].lstrip() == lines[0] and bool(lines[0]) and bool(lines[-1])
    )


def inline(value: Any, *, quoted: bool = False) -> str:
    """`value` as YAML on one line; JSON is YAML too, and plain words need no quotes."""
    if isinstance(value, dict):
        pairs = (f"{inline(key, quoted=quoted)}: {inline(item, quoted=True)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        within = (inline(item, quoted=quoted or "," in str(item)) for item in value)
        return "[" + ", ".join(within) + "]"
    if not quoted and _bare(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _bare(value: Any) -> bool:
    """Whether YAML reads these characters back as this text without quotes."""
    if not isinstance(value, str) or value != value.strip() or not _PLAIN.fullmatch(value):
        return False
    return bool(read_yaml(f"a: {value}", "")[0] == {"a": value})
