import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel
from rich.text import Text
from typer.main import get_command

import wabot as package
from tests.cli.terminal import wabot
from wabot.cli import screen
from wabot.cli.app import app
from wabot.core.money import Money
from wabot.engine.problems import Place, Problem
from wabot.errors import FlowInvalid, SettingsError

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
ROOT: Any = get_command(app)
COMMANDS = sorted(ROOT.commands)


def leaves() -> Iterator[tuple[str, Any]]:
    """Every command as it is typed: `check`, `db upgrade`."""
    for name, command in ROOT.commands.items():
        inner = getattr(command, "commands", None)
        yield from ((f"{name} {each}", inner[each]) for each in inner) if inner else [(name, command)]


def test_help_names_every_command() -> None:
    ran = wabot("--help")
    assert ran.code == 0
    for command in COMMANDS:
        assert f" {command} " in ran.out


def test_every_command_has_its_section_and_no_other() -> None:
    heads = re.findall("^## (wabot .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(each.removeprefix("wabot ") for head in heads for each in head.split(", ")) == COMMANDS


@pytest.mark.parametrize("command", [*dict(leaves()), "failed"])
def test_each_command_shows_an_example(command: str) -> None:
    ran = wabot(*command.split(), "--help")
    assert ran.code == 0
    assert f"\n wabot {command}" in ran.out or f"| wabot {command}" in ran.out


@pytest.mark.parametrize(("name", "command"), list(leaves()))
def test_no_word_of_a_help_is_taken_for_markup(name: str, command: Any) -> None:
    for told in [command.help, *(parameter.help or "" for parameter in command.params)]:
        assert Text.from_markup(told.replace("\b", "")).plain == told.replace("\b", "")


def test_the_version() -> None:
    assert wabot("--version").out == f"wabot {package.__version__}\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], ["new"], ["step"]])
def test_a_command_line_that_makes_no_sense(arguments: list[str]) -> None:
    ran = wabot(*arguments)
    assert ran.code == 2
    assert "Usage: wabot" in ran.err
    assert "Traceback" not in ran.err


def test_a_missing_file_is_named() -> None:
    ran = wabot("step", "/nowhere/flow.yaml")
    assert (ran.code, ran.out) == (1, "")
    assert "/nowhere/flow.yaml" in ran.err
    assert ran.err.startswith("error: ")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom wabot.cli.app import app\n"
        "names = 'sqlalchemy pydantic statemachine babel jinja2 ruamel.yaml rich'.split()\n"
        "heavy = set(names) & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_a_reader_that_leaves_is_no_error(arguments: list[str]) -> None:
    command = [str(Path(sys.executable).with_name("wabot")), *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["step", "latin.yaml"], "the file isn't UTF-8"),
        (["graph", "latin.yaml"], "the file isn't UTF-8"),
        (["chat", "latin.yaml"], "the file isn't UTF-8"),
        (["step", "."], "Is a directory"),
        (["chat", "--database", "latin.yaml"], "the database can't be used: file is not a database"),
        (["chat", "--database", "/nowhere/x.db"], "the folder /nowhere for the database isn't there"),
        (["test", "--junit", "/nowhere/x.xml"], "/nowhere/x.xml: No such file or directory"),
        (["schema", "-o", "/nowhere/x"], "/nowhere/x: No such file or directory"),
    ],
)
def test_a_mistake_is_told_in_a_line(project: Path, arguments: list[str], told: str) -> None:
    (project / "latin.yaml").write_bytes(b"flow: caf\xe9\n" * 200)
    ran = wabot(*arguments)
    assert ran.code == 1
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_what_is_nobodys_mistake_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("wabot.cli.app.app", fail)
    with pytest.raises(ZeroDivisionError):
        wabot("check")


def test_an_error_with_findings_shows_each_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("flow: x\n\tstates: {}\n")
    place = Place(str(file), 2, 2)
    screen.show_error(
        FlowInvalid(
            problems=[
                Problem(place, "bad-value", "not so", "but so"),
                Problem(place, "b", "c", severity="warning"),
            ]
        )
    )
    assert capsys.readouterr().err == (
        f"{file}:2:2: error: not so  [bad-value]\n"
        "    2 |     states: {}\n"
        "      |     ^\n"
        "   mend: but so\n"
        f"{file}:2:2: warning: c  [b]\n"
        "    2 |     states: {}\n"
        "      |     ^\n"
    )


def test_an_error_with_a_mend(capsys: pytest.CaptureFixture[str]) -> None:
    screen.show_error(SettingsError("no flow", hint='write flow = "order"'))
    assert capsys.readouterr().err == 'error: no flow\n  mend: write flow = "order"\n'


def test_a_place_without_a_file_has_no_source_line() -> None:
    assert screen.source_line("/nowhere.yaml", 1) == ""
    assert screen.source_line(__file__, 10**6) == ""


def test_counts() -> None:
    assert [screen.counted(n, "match", "matches") for n in (0, 1, 2)] == ["0 matches", "1 match", "2 matches"]
    assert screen.counted(2, "error") == "2 errors"


def test_no_colour_is_honoured() -> None:
    environment = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "xterm"}
    command = [str(Path(sys.executable).with_name("wabot")), "step", "/nowhere.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "\x1b[3" not in done.stderr


def test_an_encoding_without_the_characters_loses_no_answer(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from wabot.cli import main; main()", "chat"]
    (tmp_path / "greet.yaml").write_text(
        "flow: greet\nstates: {on: {enter: {say: नमस्ते Asha!}, final: true}}\n", encoding="utf-8"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*command, "greet.yaml"],
        cwd=tmp_path,
        input="Hi\n",
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "?????? Asha!\n\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("argument", ["schema", "actions"])
def test_a_full_disk_is_told_in_a_line(argument: str) -> None:
    command = [sys.executable, "-c", "from wabot.cli import main; main()", argument]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: the output: No space left on device\n"


def test_a_value_is_shown_as_people_write_it() -> None:
    class Line(BaseModel):
        name: str
        price: Money

    line = Line(name="सीमेंट", price=Money.of("365", "INR"))
    told = screen.compact(
        {"line": line, "day": date(2026, 11, 22), "of": MappingProxyType({"n": Decimal("1.5")})}
    )
    assert (
        told == '{"line": {"name": "सीमेंट", "price": "365.00 INR"}, "day": "2026-11-22", "of": {"n": "1.5"}}'
    )
