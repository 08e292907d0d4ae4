"""The files of the example deployment name commands, options and settings that there are."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from dotenv import dotenv_values

from tests.cli.terminal import wabot
from tests.deploy.merchant import MERCHANT, procfile
from wabot.cli.app import app
from wabot.settings import load_settings

ROOT = MERCHANT.parents[1]
UNITS = sorted((MERCHANT / "systemd").glob("*.service"))
ENVIRONMENT = {name: value or "" for name, value in dotenv_values(MERCHANT / ".env.example").items()}


def compose(folder: Path = MERCHANT) -> Any:
    """With its anchors, as docker reads it."""
    from ruamel.yaml import YAML

    return YAML(typ="safe").load((folder / "docker-compose.yml").read_text(encoding="utf-8"))


def understood(words: list[str]) -> bool:
    """Whether wabot's command line takes these; nothing is run."""
    found: Any = typer.main.get_command(app)
    rest = words[1:]
    while rest and rest[0] in getattr(found, "commands", {}):
        found = found.commands[rest.pop(0)]
    with found.make_context("wabot", rest):
        return not hasattr(found, "commands")


def commands() -> list[list[str]]:
    """Every command of wabot's in these files."""
    found = [shlex.split(command) for command in procfile().values()]
    found += [service["command"] for service in compose()["services"].values() if "build" in service]
    for unit in UNITS:
        [started] = re.findall(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        found.append(shlex.split(started))
    found.append(re.findall(r'"([^"]+)"', (MERCHANT / "Dockerfile").read_text().splitlines()[-1]))
    return [command for command in found if Path(command[0]).name == "wabot"]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_is_one_of_wabots(command: list[str]) -> None:
    assert understood(command)


def test_the_processes_are_there_in_each_way_of_starting_them() -> None:
    assert set(procfile()) == {"release", "web", "worker", "scheduler"}
    assert set(compose()["services"]) == {"postgres", "redis", "upgrade", "web", "worker", "scheduler"}
    assert [unit.stem for unit in UNITS] == ["wabot-scheduler", "wabot-web", "wabot-worker"]


def test_what_the_environment_may_set_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "wabot.toml").write_text("")
    assert not load_settings(tmp_path, environment=ENVIRONMENT).twilio.configured
    filled = {
        "TWILIO_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "t",
        "TWILIO_WHATSAPP_NUMBER": "+14155238886",
        "TWILIO_MESSAGING_SERVICE_SID": "MG" + "0" * 32,
        "WHATSAPP_ACCESS_TOKEN": "t",
        "WHATSAPP_APP_SECRET": "t",
        "WHATSAPP_VERIFY_TOKEN": "t",
        "WABOT_WEB__PUBLIC_URL": "https://bot.example.com",
        "WABOT_META__PHONE_NUMBERS": '{"+919876543210": "106540352242922"}',
    }
    assert filled.keys() <= ENVIRONMENT.keys()
    settings = load_settings(tmp_path, environment={**ENVIRONMENT, **filled})
    assert settings.twilio.configured
    assert settings.meta.configured
    assert (settings.web.public_url, settings.web.trust_proxy) == ("https://bot.example.com", 1)
    # A name that is no setting would have been refused, or have become the table of a module.
    assert settings.sections == {}


def test_compose_is_whole() -> None:
    found = compose()
    services = found["services"]
    for name, service in services.items():
        assert "image" in service
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in found["volumes"]
    build = services["web"]["build"]
    context = (MERCHANT / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    assert (context / build["args"]["PROJECT"] / "wabot.toml").is_file()
    assert services["web"]["depends_on"]["upgrade"] == {"condition": "service_completed_successfully"}


def test_secrets_stay_out_of_the_image() -> None:
    assert "**/.env" in (MERCHANT / "Dockerfile.dockerignore").read_text().splitlines()
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_a_new_project_has_a_deployment_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert wabot("new", "shop").code == 0
    shop = tmp_path / "shop"
    build = compose(shop)["services"]["web"]["build"]
    args = {"PROJECT": ".", "WABOT": "wabot[postgres,redis,twilio,web]"}
    assert build == {"context": ".", "dockerfile": "Dockerfile", "args": args}
    for name in ("Dockerfile", "Dockerfile.dockerignore", "Procfile", ".env.example", "wsgi.py"):
        assert (shop / name).read_text() == (MERCHANT / name).read_text()
    ignored = (shop / ".gitignore").read_text().splitlines()
    assert {".env", "media/"} <= set(ignored)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_the_units_are_well_formed(unit: Path, tmp_path: Path) -> None:
    """Of all that they name the program alone isn't on this machine."""
    text = unit.read_text(encoding="utf-8").replace("/srv/venv/bin/wabot", "/bin/true")
    (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []


@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
def test_the_units_start_again_and_stop_in_time(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    assert "Restart=always" in text
    assert "EnvironmentFile=/etc/wabot.env" in text
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    # A worker takes up to half a minute to end what it has in hand, gunicorn to answer its last requests.
    assert int(seconds) >= (20 if unit.stem == "wabot-scheduler" else 40)
