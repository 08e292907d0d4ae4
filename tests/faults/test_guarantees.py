"""The page on guarantees has a line for each crash point, and each is tried."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/guarantees.md"


def in_code() -> set[str]:
    """The names of all crash points."""
    names = set()
    for file in (ROOT / "wabot").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "crash_point"
            ):
                (name,) = node.args
                assert isinstance(name, ast.Constant), (
                    f"{file}:{node.lineno}: a crash point has a literal name"
                )
                names.add(str(name.value))
    return names


def test_every_crash_point_is_on_the_page() -> None:
    rows = re.findall(r"^\| `(\w+\.\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(in_code())


def test_every_crash_point_is_tried() -> None:
    files = [ROOT / "tests/faults/test_crashes.py", ROOT / "tests/web/test_idempotency.py"]
    tried = "".join(file.read_text(encoding="utf-8") for file in files)
    assert {name for name in in_code() if f'"{name}"' not in tried} == set()
