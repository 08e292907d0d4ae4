import json
import re
import stat
from pathlib import Path

import pytest

from tests.cli.terminal import wabot


@pytest.fixture
def graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program `dot` that draws nothing but says that it was asked."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ncat >/dev/null\nprintf '<svg/>'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def saved(project: Path, *events: str) -> Path:
    ran = wabot("step", "flows/shop.yaml", stdin="".join(f"{event}\n" for event in events))
    file = project / "state.json"
    file.write_text(json.dumps(ran.lines[-1]))
    return file


def test_mermaid(project: Path) -> None:
    ran = wabot("graph", "flows/inner.yaml")
    assert ran.code == 0
    assert ran.out.startswith("stateDiagram-v2\n")
    assert ran.out.endswith("\n")
    assert '"question"' in ran.out


@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        (["--format", "dot"], 'digraph "inner" {'),
        (["-o", "x.dot"], 'digraph "inner" {'),
        (["-o", "x.gv"], 'digraph "inner" {'),
        (["-o", "x.md"], "stateDiagram-v2"),
        (["-o", "x.txt"], "stateDiagram-v2"),
        (["-o", "x.md", "--format", "dot"], 'digraph "inner" {'),
    ],
)
def test_the_format_by_its_name_or_the_files(project: Path, arguments: list[str], beginning: str) -> None:
    ran = wabot("graph", "flows/inner.yaml", *arguments)
    assert ran.code == 0
    drawn = (project / arguments[1]).read_text() if arguments[0] == "-o" else ran.out
    assert drawn.startswith(beginning)


def test_svg(project: Path, graphviz: None) -> None:
    assert wabot("graph", "flows/inner.yaml", "-o", "x.svg").code == 0
    assert (project / "x.svg").read_text() == "<svg/>"


def test_svg_without_graphviz(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    ran = wabot("graph", "flows/inner.yaml", "--format", "svg")
    assert ran.code != 0
    assert "Graphviz" in ran.err
    assert "Traceback" not in ran.err


def test_an_unknown_format(project: Path) -> None:
    ran = wabot("graph", "flows/inner.yaml", "--format", "png")
    assert ran.code == 2
    assert ran.err == 'error: "png" is no format\n  mend: one of mermaid, dot, svg\n'


def test_active_states_are_marked(project: Path) -> None:
    plain = wabot("graph", "flows/shop.yaml").out
    marked = wabot("graph", "flows/shop.yaml", "--state", saved(project)).out
    assert marked != plain
    other = wabot(
        "graph", "flows/shop.yaml", "--state", saved(project, '{"name": "message.text", "data": "x"}')
    )
    assert other.out not in (plain, marked)


def test_a_state_of_another_flow(project: Path) -> None:
    ran = wabot("graph", "flows/inner.yaml", "--state", saved(project))
    assert ran.code == 2
    assert ran.err.endswith('is no state of the flow "inner"\n  mend: it is of shop\n')


def test_the_readme_shows_the_chart_of_its_flow(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    fence = r"^```(yaml title=\"flows/delivery.yaml\"|mermaid)\n(.*?)^```$"
    blocks = dict(re.findall(fence, readme, re.MULTILINE | re.DOTALL))
    (tmp_path / "delivery.yaml").write_text(blocks['yaml title="flows/delivery.yaml"'], encoding="utf-8")
    assert wabot("graph", tmp_path / "delivery.yaml").out == blocks["mermaid"]
