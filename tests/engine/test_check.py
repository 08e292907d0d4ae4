import re
from pathlib import Path

import pytest

from tests.engine import wrongs
from wabot.engine.check import CODES
from wabot.engine.problems import Problem


@pytest.mark.parametrize("path", wrongs.wrong_flows(), ids=lambda path: path.stem)
def test_a_wrong_flow_gives_exactly_its_findings(path: Path) -> None:
    assert wrongs.findings(path) == wrongs.expected(path)


@pytest.mark.parametrize("code", CODES)
def test_every_finding_has_a_wrong_flow(code: str) -> None:
    path = wrongs.FOLDER / f"{code}.yaml"
    severity = CODES[code].severity
    assert path.is_file(), f"write {path.name}: a flow with this finding"
    assert any(f"{severity}: " in line and line.endswith(f"[{code}]") for line in wrongs.expected(path))


def test_there_is_no_wrong_flow_without_a_finding_of_that_name() -> None:
    assert {path.stem for path in wrongs.wrong_flows()} <= set(CODES)


def test_every_code_in_the_source_is_declared() -> None:
    folder = Path(__file__).parents[2] / "wabot" / "engine"
    files = [*folder.glob("check/*.py"), folder / "shape.py", folder / "yaml.py", folder / "loader.py"]
    used = {
        code
        for file in files
        for code in re.findall(r'[Pp]roblem\(\s*(?:[\w.()*, ]+,\s*)?"([a-z-]+)"', file.read_text("utf-8"))
    }
    assert used <= set(CODES)
    assert len(used) > 40


def test_codes_say_what_they_mean() -> None:
    for name, code in CODES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert code.meaning.endswith(".")


def test_a_problem_is_json() -> None:
    from wabot.engine.problems import Place

    problem = Problem(Place("f.yaml", 2, 3), "unknown-state", "no", "yes")
    assert problem.as_json() == {
        "file": "f.yaml",
        "line": 2,
        "column": 3,
        "severity": "error",
        "code": "unknown-state",
        "message": "no",
        "hint": "yes",
    }


def test_the_language_reference_lists_every_finding() -> None:
    page = (Path(__file__).parents[2] / "docs" / "flow-language.md").read_text("utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \| (\*warning\*: )?(.+) \|$", page, re.MULTILINE)
    found = {code: (bool(warning), meaning) for code, warning, meaning in listed if code in CODES}
    assert found == {name: (code.severity == "warning", code.meaning) for name, code in CODES.items()}
