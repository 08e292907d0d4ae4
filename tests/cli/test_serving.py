import json
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.cli.terminal import wabot
from tests.queue.deployment import Process
from wabot.adapters.wsgi import Threads, address
from wabot.cli.run import with_options
from wabot.core.limits import META_WEBHOOK_BYTES
from wabot.errors import ConfigurationError, UsageError
from wabot.settings import Settings

AT = re.compile(r"the web server at (http://\S+);")
NO_KEY = "Until wabot keys new makes a key, programs on this machine need none: dev is on in [web].\n"


@contextmanager
def served(project: Path, *arguments: str, **environment: str) -> Iterator[tuple[Process, str]]:
    """`wabot` with these arguments at any free port, in dev mode, and the URL that it tells."""
    command = [sys.executable, "-m", "wabot", *arguments, "--port", "0"]
    process = Process(
        command, {**os.environ, "WABOT_PROJECT": str(project), "WABOT_WEB__DEV": "1", **environment}
    )
    try:
        process.until(lambda: AT.search(process.said) is not None)
        found = AT.search(process.said)
        assert found is not None
        yield process, found[1]
    finally:
        process.close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("command", ["run", "web"])
def test_http_is_served_until_it_is_told_to_stop(project: Path, command: str) -> None:
    with served(project, command) as (process, url):
        status, body = get(f"{url}/whatsapp/health")
        assert (status, json.loads(body)["ready"]) == (200, True)
        assert get(f"{url}/whatsapp/webhook/meta?hub.mode=subscribe")[0] == 404
        assert process.stop() == 0
        assert "Traceback" not in process.said


def test_a_second_ctrl_c_is_not_needed(project: Path) -> None:
    with served(project, "run") as (process, _):
        assert process.stop(signal.SIGINT) == 0
        assert process.said.endswith("Stopped.\n")


def test_without_redis_the_web_server_says_who_works(project: Path) -> None:
    with served(project, "web") as (process, _):
        assert "No Redis in the settings: wabot run, beside this, has the turns and sends." in process.said


@pytest.mark.parametrize("command", ["run", "web"])
def test_it_says_that_no_key_is_asked_for(project: Path, command: str) -> None:
    with served(project, command) as (process, url):
        process.until(lambda: NO_KEY in process.said)
        assert get(f"{url}/whatsapp/contacts")[0] == 200


@pytest.mark.parametrize("command", ["run", "web"])
def test_it_says_why_a_key_is_asked_for_in_dev_mode_too(project: Path, command: str) -> None:
    wabot("keys", "new", "crm", "--scope", "admin")
    with served(project, command) as (process, url):
        process.until(lambda: "asks for a key, though dev is on in [web]: there is one" in process.said)
        assert get(f"{url}/whatsapp/contacts")[0] == 401


def test_without_dev_mode_it_asks_for_a_key(project: Path) -> None:
    wabot("keys", "new", "crm", "--scope", "admin")
    with served(project, "web", WABOT_WEB__DEV="0") as (process, _):
        process.until(lambda: "The HTTP API asks for a key: wabot keys list" in process.said)


@pytest.mark.parametrize("arguments", [["web"], ["run", "--web"]])
@pytest.mark.parametrize(
    ("host", "home"),
    [("127.0.0.1", "at home, dev = true"), ("0.0.0.0", "at home, listen at 127.0.0.1 with dev = true")],
)
def test_nothing_is_served_without_a_key(project: Path, arguments: list[str], host: str, home: str) -> None:
    ran = wabot(*arguments, "--host", host)
    assert ran.code == 1
    assert "no key" in ran.err
    assert f"mend: wabot keys new NAME --scope admin; or {home} in [web]" in ran.err


@pytest.mark.parametrize("command", ["web", "run"])
def test_an_address_that_is_taken(project: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("WABOT_WEB__DEV", "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = wabot(command, "--port", port)
    assert ran.code == 1
    assert f"nothing can listen at 127.0.0.1, port {port}: Address already in use" in ran.err
    assert "--port" in ran.err


def test_dev_mode_stays_at_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WABOT_WEB__DEV", "1")
    ran = wabot("web", "--host", "0.0.0.0")
    assert (ran.code, "only at a loopback address" in ran.err) == (2, True)
    assert "mend: leave --host out; or take dev out of [web]" in ran.err


def test_options_come_before_the_settings() -> None:
    settings = with_options(Settings(), {"port": 9000, "host": None})
    assert (settings.web.port, settings.web.host) == (9000, "127.0.0.1")
    with pytest.raises(UsageError, match="--workers: Input should be greater than or equal to 1"):
        with_options(Settings(), {"workers": 0})


@pytest.mark.parametrize(
    ("host", "reason"), [("192.0.2.1", "look at host and port"), ("no.such.host.invalid", "look at host")]
)
def test_an_address_that_is_not_ours(host: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Threads(lambda _environment, _start: [], host=host, port=0, threads=1)


def test_the_threads_take_what_meta_sends_at_most() -> None:
    def length(environment: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [str(len(environment["wsgi.input"].read())).encode()]

    with Threads(length, host="127.0.0.1", port=0, threads=1) as server:
        request = urllib.request.Request(server.url, data=b"x" * META_WEBHOOK_BYTES)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert int(answer.read()) == META_WEBHOOK_BYTES


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("bot.example", "http://bot.example:80")],
)
def test_an_address_is_shown_as_a_browser_takes_it(host: str, url: str) -> None:
    assert address(host, 80) == url
