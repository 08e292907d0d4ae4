from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.terminal import wabot

MORE = """
conversations:
  the wrong way:
    - contact: Hi
      bot: Hello   # a greeting
  left out: {skip: not yet, steps: [{contact: Hi}]}
"""


def test_what_passed_and_what_was_covered(project: Path) -> None:
    ran = wabot("test")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("tests/shop.yaml  .\n\n1 passed in ")
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["inner", "0/2", "0/2", "0%"] in rows
    assert ["shop", "2/8", "1/19", "11%"] in rows
    assert "  flows/shop.yaml:10:5  the flow: message intent bye → end  never taken" in ran.out


def test_what_failed(project: Path) -> None:
    (project / "tests" / "more.yaml").write_text(MORE)
    ran = wabot("test", "--no-coverage")
    assert ran.code == 1
    assert ran.out.startswith("tests/more.yaml  Fs\ntests/shop.yaml  .\n")
    assert "the wrong way\ntests/more.yaml:5:12: the bot answered otherwise\n" in ran.out
    assert "    - Hello\n    + Welcome, Asha!\n" in ran.out
    assert "1 passed, 1 failed, 1 skipped in " in ran.out
    assert "covered" not in ran.out


def test_json(project: Path) -> None:
    (project / "tests" / "more.yaml").write_text(MORE)
    ran = wabot("test", "--json")
    report = ran.json
    assert ran.code == 1
    assert [report[key] for key in ("passed", "failed", "errors", "skipped")] == [1, 1, 0, 1]
    assert [each["name"] for each in report["conversations"]] == [
        "the wrong way",
        "left out",
        "the whole way",
    ]
    assert report["conversations"][0]["failures"][0]["line"] == 5
    assert [flow["flow"] for flow in report["coverage"]["flows"]] == ["inner", "shop"]
    assert "coverage" not in wabot("test", "--json", "--no-coverage").json


@pytest.mark.parametrize(("match", "names"), [("WRONG", ["the wrong way"]), ("shop.yaml", ["the whole way"])])
def test_only_what_matches(project: Path, match: str, names: list[str]) -> None:
    (project / "tests" / "more.yaml").write_text(MORE)
    report = wabot("test", "-k", match, "--json").json
    assert [each["name"] for each in report["conversations"]] == names


def test_of_a_part_nobody_asks_what_it_never_took(project: Path) -> None:
    assert wabot("test").out.count("never taken") > 1
    ran = wabot("test", "-k", "whole")
    assert ran.out.endswith("  with -k not everything is played, so what was never taken is not listed\n")
    assert ran.out.count("never taken") == 1
    assert "shop   2/8     1/19         11%" in ran.out
    assert "never taken" not in wabot("test", "-k", "whole", "--no-coverage").out


def test_nothing_matches(project: Path) -> None:
    ran = wabot("test", "-k", "nothing")
    assert ran.code == 2
    assert "there is no conversation to play" in ran.err


def test_an_update_writes_what_the_bot_says(project: Path) -> None:
    file = project / "tests" / "more.yaml"
    file.write_text(MORE)
    ran = wabot("test", "--update", "--no-coverage")
    assert ran.code == 0
    assert "tests/more.yaml  .s  1 answer written\n" in ran.out
    assert file.read_text() == MORE.replace("bot: Hello ", "bot: Welcome, Asha! ")
    assert wabot("test").code == 0


def test_junit(project: Path) -> None:
    wabot("test", "--junit", "report.xml")
    assert ET.parse(project / "report.xml").getroot()[0].get("name") == "tests/shop.yaml"


def test_coverage_that_is_too_low(project: Path) -> None:
    ran = wabot("test", "--fail-under", "50")
    assert ran.code == 1
    assert "coverage 9.7% is below 50%" in ran.out
    assert wabot("test", "--fail-under", "9").code == 0


def test_paths(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (project / "tests" / "other.yaml").write_text("not: ours\n")
    for path in ("tests/shop.yaml", "tests", ".", project, tmp_path):
        assert wabot("test", path, "--json").json["passed"] == 1


def test_a_file_that_is_wrong_and_the_others_go_on(project: Path) -> None:
    (project / "tests" / "more.yaml").write_text("conversation: [{contcat: Hi}]\n")
    ran = wabot("test")
    assert ran.code == 1
    assert 'tests/more.yaml:1:17: error: unknown key "contcat"' in ran.out
    assert "1 passed, 1 error in " in ran.out


def test_a_flow_that_is_wrong_is_told_once(project: Path) -> None:
    (project / "flows" / "shop.yaml").write_text("flow: shop\nstates: {a: {intial: true}}\n")
    ran = wabot("test")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("intial") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no nowhere"),
        (["talk.yaml"], "talk.yaml is in no project"),
        ([], "there is no project here"),
    ],
)
def test_where_nothing_can_be_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.yaml").write_text("conversation: [{contact: Hi}]\n")
    ran = wabot("test", *arguments)
    assert ran.code == 2
    assert message in ran.err
