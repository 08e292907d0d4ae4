"""The examples of the README and the docs do what they say."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_of, lay_files
from tests.docs.console import Session, agrees
from wabot.cli import main
from wabot.engine.yaml import read_yaml
from wabot.testing.files import read_cases

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def each(language: str) -> pytest.MarkDecorator:
    found = [block for block in BLOCKS if block.language == language and block.runs]
    return pytest.mark.parametrize("block", found, ids=[block.place for block in found])


def before(block: Block) -> list[Block]:
    return [other for other in BLOCKS if other.page == block.page and other.line < block.line]


@each("python")
def test_python(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = before(block)
    lay_files(earlier, tmp_path)
    monkeypatch.chdir(tmp_path)
    parts = [block]
    if "continued" in block.remarks:
        parts = [other for other in earlier if other.language == "python" and other.runs] + parts
    if any(re.search(r"^def test_", part.source, re.MULTILINE) for part in parts):
        run_with_pytest(parts, tmp_path)
        return
    namespace: dict[str, object] = {"__name__": "__main__"}
    for part in parts:
        # Blank lines before it, so that a traceback names the page's own line.
        exec(compile("\n" * (part.line - 1) + part.source, str(part.page), "exec"), namespace)


def run_with_pytest(parts: list[Block], folder: Path) -> None:
    target = folder / (parts[-1].path or "test_example.py")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(part.source for part in parts), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(target)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each("yaml")
def test_yaml(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, _ = read_yaml(block.source, block.place)
    if not isinstance(data, dict):
        return
    if "flow" in data:
        monkeypatch.chdir(tmp_path)
        flow = lay_flows(block, tmp_path)
        with pytest.raises(SystemExit) as leaving:
            main(["check", flow])
        assert leaving.value.code == 0, capsys.readouterr().out
    elif data.keys() & {"conversations", "conversation"}:
        read_cases(block.place, block.source)


def lay_flows(block: Block, folder: Path) -> str:
    """Writes the page's files and flows, so that one may invoke another; returns the block's own path."""
    page = [other for other in BLOCKS if other.page == block.page and other.runs]
    own = as_file(block)
    lay_files([*map(as_file, page), own], folder)
    assert own.path
    return own.path


def as_file(block: Block) -> Block:
    """A flow that names no file lies in flows/."""
    flow = re.search(r"^flow: *(\S+)", block.source, re.MULTILINE) if block.language == "yaml" else None
    return replace(block, path=f"flows/{flow[1]}.yaml") if flow and not block.path else block


PAGES_WITH_COMMANDS = [page for page in PAGES if any("run" in b.remarks for b in BLOCKS if b.page == page)]


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=[page.name for page in PAGES_WITH_COMMANDS])
def test_commands(page: Path, tmp_path: Path) -> None:
    session = Session(tmp_path)
    for block in BLOCKS:
        if block.page != page:
            continue
        lay_files([block], session.folder)
        if block.language == "console" and "run" in block.remarks:
            for command, shown, given in session.play(block.source):
                assert agrees(shown, given), f"{block.place}: {command} gave\n{given}\nand not\n{shown}"
