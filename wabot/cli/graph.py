"""`wabot graph`: a flow as a chart of states."""

import sys
from pathlib import Path

from wabot.adapters.graphviz import svg
from wabot.engine import graph
from wabot.engine.loader import Source, load_flow
from wabot.errors import UsageError
from wabot.testing.places import display, read

FORMATS = ("mermaid", "dot", "svg")
_BY_SUFFIX = {".dot": "dot", ".gv": "dot", ".svg": "svg", ".mmd": "mermaid", ".md": "mermaid"}


def run(flow: Path, format: str | None, output: Path | None, state: Path | None) -> None:
    format = format or _BY_SUFFIX.get(output.suffix if output else "", "mermaid")
    if format not in FORMATS:
        raise UsageError(f'"{format}" is no format', hint=f"one of {', '.join(FORMATS)}")
    source = load_flow(read(flow), display(flow))
    drawn = draw(source, format, active_states(source, state) if state else [])
    if output:
        output.write_bytes(drawn)
    else:
        sys.stdout.write(drawn.decode("utf-8"))


def draw(source: Source, format: str, active: list[str]) -> bytes:
    if format == "svg":
        return svg(graph.dot(source, active))
    text = graph.dot(source, active) if format == "dot" else graph.mermaid(source, active)
    return (text if text.endswith("\n") else text + "\n").encode("utf-8")


def active_states(source: Source, file: Path) -> list[str]:
    """The active states of this flow in a state's file. Raises UsageError for another flow's state."""
    from wabot.cli.step import read_state

    frames = read_state(file).frames
    for frame in reversed(frames):
        if frame.flow == source.flow:
            return list(frame.configuration)
    there = ", ".join(frame.flow for frame in frames) or "no flow"
    raise UsageError(f'{file} is no state of the flow "{source.flow}"', hint=f"it is of {there}")
