"""The page on the HTTP API: its commands work, and it names every route."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.blocks import blocks_of
from tests.web.offices import Office

PAGE = Path(__file__).parents[2] / "docs" / "http-api.md"
HERE = "http://localhost:8000"


def commands() -> list[list[str]]:
    source = "\n".join(block.source for block in blocks_of(PAGE) if block.language == "sh")
    joined = source.replace("\\\n", " ")
    return [shlex.split(command) for command in re.split(r"\n(?=curl)", joined) if command.strip()]


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office("sqlite://")
    office.hear("hi")
    office.hear("boom")
    office.order()
    yield office
    office.close()


def test_every_command_works(office: Office) -> None:
    assert len(commands()) > 15
    for words in commands():
        method, headers, body = "GET", {}, None
        (url,) = [word for word in words if word.startswith(HERE)]
        for option, value in pairwise(words):
            if option == "-H":
                name, _, text = value.partition(": ")
                headers[name] = text.replace("$KEY", office.site.key)
            if option == "-d":
                method, body = "POST", value
            if option == "-X":
                method = value
        path = url.removeprefix(HERE)
        answer = office.site.client.open(path, method=method, headers=headers, data=body)
        assert answer.status_code < 300, (words, answer.text)


def test_what_is_shown_first_is_what_comes(office: Office) -> None:
    shown = next(json.loads(block.source) for block in blocks_of(PAGE) if block.language == "json")
    given = office.read("/conversations")
    assert shown == given


def test_every_route_is_named(office: Office) -> None:
    words = PAGE.read_text(encoding="utf-8")
    paths = office.read("/openapi.json")["paths"]
    routes = {
        (method.upper(), path)
        for path, item in paths.items()
        for method in item
        if "/commands/" not in path and "/webhook" not in path
    }
    assert [f"{method} {path}" for method, path in sorted(routes) if f"{method} {path}`" not in words] == []
    named = set(re.findall(r"`(GET|POST) (/whatsapp/[^`]*)`", words))
    assert {path for _, path in named - routes} <= {"/whatsapp/metrics"}


def test_every_filter_is_named(office: Office) -> None:
    words = PAGE.read_text(encoding="utf-8")
    for path, item in office.read("/openapi.json")["paths"].items():
        row = next((line for line in words.splitlines() if line.startswith(f"| `GET {path}`")), "")
        if not row or "get" not in item:
            continue
        names = {each["name"] for each in item["get"].get("parameters", []) if each["in"] == "query"}
        told = set(re.findall(r"`(\w+)`", row.split("|")[3])) if names else set()
        assert names - {"limit", "after"} <= told, path
        assert urlsplit(path).path == path
