import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.terminal import wabot
from wabot.bootstrap import find_modules, load_settings
from wabot.core.database import Database
from wabot.core.migrate import upgrade
from wabot.core.ports import SystemClock
from wabot.runtime.keys import new_key

TWILIO = {
    "TWILIO_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "a" * 32,
    "TWILIO_WHATSAPP_NUMBER": "+14155238886",
}
META = {
    "WHATSAPP_ACCESS_TOKEN": "EAA" + "x" * 60,
    "WHATSAPP_APP_SECRET": "b" * 32,
    "WHATSAPP_VERIFY_TOKEN": "no one guesses that",
    "WABOT_META__PHONE_NUMBERS": '{"+919876543210": "106540352242922"}',
}
PUBLIC = {"WABOT_WEB__PUBLIC_URL": "https://bot.example.com"}


@pytest.fixture
def examined(project: Path, monkeypatch: pytest.MonkeyPatch) -> "Examine":
    return Examine(monkeypatch)


class Examine:
    """Runs the doctor with these variables; gives what it says, by what it looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.code = 0
        self.errors = 0

    def __call__(self, **environment: str) -> dict[str, list[dict[str, Any]]]:
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        ran = wabot("doctor", "--json")
        self.code, self.errors = ran.code, ran.json["errors"]
        assert "s3cr3t" not in ran.out
        found: dict[str, list[dict[str, Any]]] = {}
        for finding in ran.json["findings"]:
            found.setdefault(finding.pop("about"), []).append(finding)
        return found


def add_key(project: Path) -> None:
    settings = load_settings(project)
    database = Database(settings.database_url)
    upgrade(database, find_modules(settings.modules))
    new_key(database, SystemClock(), "crm", ["admin"])
    database.close()


def test_a_new_project_is_well(examined: Examine, project: Path) -> None:
    found = examined()
    assert (examined.code, examined.errors) == (0, 0)
    assert {about for about, each in found.items() if each[0]["verdict"] == "ok"} == {
        "settings",
        "project",
        "database",
        "redis",
        "media",
    }
    assert found["database"][0]["message"] == f"sqlite:///{project}/wabot.db, made at the first start"
    assert not list(project.glob("wabot.db*"))
    assert found["channel"][0]["mend"].startswith("set TWILIO_SID")


def test_a_whole_deployment_is_well(examined: Examine, project: Path) -> None:
    add_key(project)
    found = examined(**TWILIO, **META, **PUBLIC)
    assert examined.code == 0
    told = [each for several in found.values() for each in several]
    assert {each["verdict"] for each in told} == {"ok"}
    assert found["twilio"][0]["message"] == f"account {TWILIO['TWILIO_SID']}, sends as +14155238886"
    webhook = "https://bot.example.com/whatsapp/webhook"
    assert found["public_url"][0]["message"] == f"{webhook}, {webhook}/meta"
    assert len(found["signatures"]) == 2
    assert found["web"][0]["message"] == "127.0.0.1, port 8000; there is a key"
    assert found["migrations"][0]["message"] == "the tables are up to date"


def test_the_public_url_is_shown_as_its_provider_is_told_it(examined: Examine, project: Path) -> None:
    add_key(project)
    told = examined(**META, **PUBLIC)["public_url"][0]["message"]
    assert told == "https://bot.example.com/whatsapp/webhook/meta"


def test_a_key_is_asked_for_in_dev_mode_too_once_there_is_one(examined: Examine, project: Path) -> None:
    add_key(project)
    assert examined(WABOT_WEB__DEV="1")["web"] == [
        {
            "verdict": "ok",
            "message": "127.0.0.1, port 8000; there is a key, so dev asks for it too",
            "mend": "",
        }
    ]


def test_it_is_told_in_lines_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TWILIO.items():
        monkeypatch.setenv(name, value)
    ran = wabot("doctor")
    assert ran.code == 1
    assert "error    public_url there is none, and signatures are made over it\n" in ran.out
    assert "mend: wabot keys new NAME --scope admin\n" in ran.out
    assert ran.out.endswith("\n2 errors, 0 warnings\n")


def test_wrong_settings_are_all_there_is_to_say(examined: Examine) -> None:
    found = examined(TWILIO_SID="SK1")
    assert list(found) == ["settings"]
    assert "the environment's TWILIO_SID: this is no account SID" in found["settings"][0]["message"]
    assert examined.code == 1


def test_mistakes_of_the_project(examined: Examine, project: Path) -> None:
    (project / "flows" / "more.yaml").write_text("flow: more\nstates: {a: {initial: true, enter: {sya: x}}}")
    assert examined()["project"][0]["mend"] == "wabot check shows each with its place"
    shutil.rmtree(project / "flows")
    found = examined()["project"][0]
    assert (found["verdict"], 'there is no "' in found["message"]) == ("error", True)


@pytest.mark.parametrize(
    ("environment", "about", "verdict", "message"),
    [
        ({"TWILIO_AUTH_TOKEN": '"s3cr3t"'}, "twilio", "error", "the auth token isn't the 32 digits"),
        ({"WABOT_TWILIO__API_BASE": "http://127.0.0.1:9"}, "twilio", "warning", "and not to Twilio"),
        ({"WHATSAPP_ACCESS_TOKEN": "s3cr3t"}, "meta", "error", "the access token is too short"),
        ({"WHATSAPP_APP_SECRET": "s3cr3t"}, "signatures", "error", "the app secret isn't"),
        ({"WHATSAPP_VERIFY_TOKEN": "s3cr3t"}, "meta", "warning", "fewer than 16 characters"),
        ({"WABOT_META__API_BASE": "http://127.0.0.1:9"}, "meta", "warning", "and not to Meta"),
        ({"WABOT_WEB__PUBLIC_URL": ""}, "public_url", "error", "there is none"),
        ({"WABOT_WEB__PUBLIC_URL": "http://bot.example.com"}, "public_url", "error", "isn't https"),
        ({"WABOT_WEB__PUBLIC_URL": "https://10.0.0.1"}, "public_url", "error", "can't be reached"),
        ({"WABOT_WEB__PUBLIC_URL": "https://bot.internal"}, "public_url", "error", "can't be reached"),
        ({"WABOT_WEB__PUBLIC_URL": "https://8.8.8.8/whatsapp"}, "public_url", "error", "ends in /whatsapp"),
        (
            {"WABOT_WEB__PUBLIC_URL": "https://bot.example.com:8443"},
            "public_url",
            "warning",
            "port 443 alone",
        ),
        ({"WABOT_WEB__DEV": "1"}, "web", "warning", "need no key"),
        ({}, "web", "error", "without a key"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "database", "error", "isn't there"),
        ({"DATABASE_URL": "postgresql:///x?host=/nowhere"}, "database", "error", "it can't be used"),
        ({"DATABASE_URL": "cobol://x"}, "settings", "error", "cobol"),
        ({"REDIS_URL": "unix:///nowhere/redis.sock"}, "redis", "error", "it doesn't answer"),
        ({"REDIS_URL": "carrier-pigeon://x"}, "redis", "error", "the URL of Redis can't be read"),
        ({"REDIS_URL": "unix:///nowhere/redis.sock"}, "log_key", "warning", "hashes phone numbers"),
        ({"WABOT_MEDIA__FOLDER": "wabot.toml"}, "media", "error", "can't be written"),
    ],
)
def test_what_is_not_well(
    examined: Examine, environment: dict[str, str], about: str, verdict: str, message: str
) -> None:
    found = examined(**{**TWILIO, **META, **PUBLIC, **environment})[about]
    [finding] = [each for each in found if message in each["message"]]
    assert finding["verdict"] == verdict
    assert finding["mend"]
    assert (examined.code == 1) is (examined.errors > 0)


SAYS = """
flow: late
states:
  start: {initial: true, enter: {say: {text: Hi, template: {name: %s}}}}
"""


@pytest.mark.parametrize(
    ("name", "environment", "verdict"),
    [
        ("order_ready", TWILIO | META, "ok"),
        ("HX" + "0" * 32, TWILIO, "ok"),
        ("HX" + "0" * 32, TWILIO | META, "error"),
        ("Order-Ready", TWILIO, "ok"),
        ("Order-Ready", META, "error"),
    ],
)
def test_templates_that_flows_name(
    examined: Examine, project: Path, name: str, environment: dict[str, str], verdict: str
) -> None:
    (project / "flows" / "late.yaml").write_text(SAYS % name)
    found = examined(**PUBLIC, **environment)["templates"][0]
    assert (found["verdict"], name in found["message"]) == (verdict, True)


def test_templates_that_texts_name_and_flows_lack(examined: Examine, project: Path) -> None:
    text = "late: {text: Still there?, template: {name: still_there}}\n"
    with (project / "texts" / "en.yaml").open("a") as file:
        file.write(text)
    states = "  start: {initial: true, after: {2d: end}}\n  end: {enter: {say: Bye}, final: true}\n"
    (project / "flows" / "late.yaml").write_text(f"flow: late\nstates:\n{states}")
    named, lacking = examined(**PUBLIC, **TWILIO)["templates"]
    assert "still_there" in named["message"]
    assert (lacking["verdict"], lacking["mend"][:11]) == ("warning", "wabot check")


def test_no_flow_wants_a_template(examined: Examine, project: Path) -> None:
    for file in (project / "flows").iterdir():
        file.unlink()
    (project / "flows" / "shop.yaml").write_text(SAYS.replace(", template: {name: %s}", ""))
    found = examined(**PUBLIC, **TWILIO, WABOT_FLOW="late")["templates"]
    assert [each["message"] for each in found] == ["no flow wants one"]


def test_an_extra_that_is_not_installed(examined: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "wabot.adapters.channels.twilio"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("twilio", "gunicorn"):
        monkeypatch.setitem(sys.modules, name, None)
    found = examined(**TWILIO, **PUBLIC)
    assert found["twilio"][0]["mend"] == 'pip install "wabot[twilio]"'
    assert found["web"][0]["mend"] == 'pip install "wabot[web]"'


def test_a_lone_verify_token(examined: Examine) -> None:
    assert "nothing else of Meta" in examined(WHATSAPP_VERIFY_TOKEN="x")["meta"][0]["message"]
    assert examined.code == 0
    assert "meta" not in examined(**TWILIO)


class Disk(NamedTuple):
    total: int = 0
    used: int = 0
    free: int = 0


@pytest.mark.parametrize(("free", "verdict"), [(500 * 1024**2, "warning"), (1024**2, "error")])
def test_a_disk_that_is_nearly_full(
    examined: Examine, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Disk(free=free))
    found = examined()["media"][0]
    assert (found["verdict"], found["mend"].startswith("make room")) == (verdict, True)


def test_a_file_that_is_behind_is_mended_by_the_next_start(examined: Examine, project: Path) -> None:
    (project / "wabot.db").touch()
    found = examined()
    assert found["migrations"][0]["message"] == "the next start brings up to date: wabot"
    assert examined.code == 0


@pytest.mark.postgres
def test_a_server_that_is_behind_wants_an_upgrade(examined: Examine, postgres_database: str) -> None:
    found = examined(DATABASE_URL=postgres_database)
    assert found["database"][0]["message"].endswith("up to 10 a process")
    assert found["migrations"][0]["mend"] == "wabot db upgrade"
    found = examined(WABOT_POOL__SIZE="900")
    assert found["database"][0]["mend"] == "raise max_connections, or lower size and overflow of [pool]"


@pytest.mark.redis
def test_redis_that_answers_wants_a_server_beside_it(examined: Examine, redis_url: str) -> None:
    found = examined(REDIS_URL=redis_url, WABOT_LOG_KEY="k")
    assert found["redis"][0]["message"] == "it answers"
    assert "log_key" not in found
    examined(DATABASE_URL="sqlite:///shop.db")
    Path("shop.db").touch()
    assert "wait for each other" in examined()["database"][0]["message"]
