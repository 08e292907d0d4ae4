import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import wabot
from wabot.bootstrap import build, load_settings
from wabot.cli.run import project_name
from wabot.core.messages import Inbound


def test_a_database_is_brought_up_to_date(project: Path) -> None:
    ran = wabot("db", "current")
    assert ran.code == 1
    assert ran.out == (
        f"sqlite:///{project}/wabot.db: not up to date are the tables of wabot\n  mend: wabot db upgrade\n"
    )
    assert wabot("db", "current", "--json").json["pending"] == ["wabot"]
    assert wabot("db", "upgrade").out == f"sqlite:///{project}/wabot.db: upgraded wabot\n"
    assert wabot("db", "upgrade", "--json").json == {
        "database": f"sqlite:///{project}/wabot.db",
        "upgraded": [],
    }
    assert wabot("db", "upgrade", "--project", project).out.endswith("nothing to do\n")
    ran = wabot("db", "current")
    assert (ran.code, ran.out) == (0, f"sqlite:///{project}/wabot.db: up to date\n")


@pytest.mark.parametrize("arguments", [["db", "current"], ["db", "upgrade"], ["run"]])
def test_where_there_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = wabot(*arguments)
    assert ran.code == 2
    assert "there is no project here" in ran.err


def test_a_directory_that_is_no_project(tmp_path: Path) -> None:
    ran = wabot("run", tmp_path)
    assert ran.code == 2
    assert "is no project" in ran.err


def waiting(project: Path) -> None:
    """Leave a message that was accepted and has not had its turn."""
    with build(load_settings(project)).bind() as app:
        app.accept(
            Inbound(channel="console", event_id="1", sender="+911", recipient="wabot", text="Hi", name="Asha")
        )


def test_a_project_is_named_by_its_directory(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(project)
    assert project_name(settings) == "shop"
    monkeypatch.chdir(tmp_path)
    assert project_name(settings) == "shop"
    monkeypatch.chdir(project / "flows")
    assert project_name(settings) == str(project)
    monkeypatch.chdir("/")
    assert project_name(settings.model_copy(update={"directory": Path()})) == "."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_until_it_is_told_to_stop(project: Path, number: signal.Signals) -> None:
    waiting(project)
    command = [str(Path(sys.executable).with_name("wabot")), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Welcome, Asha!\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=180)
    assert process.returncode == 0
    assert errors.startswith("shop runs; Ctrl-C stops it.\nNo provider in the settings: ")
    assert errors.endswith("Stopped.\n")
    assert "Traceback" not in errors
