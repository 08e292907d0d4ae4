"""The examples of the README and the docs do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_of, lay_files
from tests.docs.console import Session, agrees

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
