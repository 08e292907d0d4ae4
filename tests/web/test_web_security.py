import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.routing import Rule

from tests.web.conftest import MakeSite
from tests.web.sites import ASHA, Site, Work, make_app, message, mounted
from wabot.adapters.web import blueprint, create_app
from wabot.adapters.web.security import public, require
from wabot.errors import ConfigurationError
from wabot.runtime.keys import new_key, revoke

OPEN = {
    "wabot.webhook_twilio",
    "wabot.webhook_twilio_status",
    "wabot.webhook_meta",
    "wabot.webhook_meta_challenge",
    "wabot.health",
    "wabot.alive",
    "wabot.ready",
    "wabot.openapi",
    "wabot.docs",
    "wabot.docs_asset",
}
"""Routes that ask for no key: providers sign, and the others have nothing to hide."""
LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
FAR = {"REMOTE_ADDR": "203.0.113.9"}


def routes(site: Site) -> Iterator[tuple[Rule, str, str]]:
    """Every route that asks for a key: rule, method, and a path that fits it."""
    for rule in site.flask.url_map.iter_rules():
        if rule.endpoint not in OPEN | {"static"}:
            path = re.sub("<[^>]*>", "1", rule.rule)
            yield from (
                (rule, method, path) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            )


def test_every_route_of_the_api_asks_for_a_key(site: Site) -> None:
    tried, almost = 0, site.key[:-1] + ("B" if site.key.endswith("A") else "A")
    for _, method, path in routes(site):
        for headers in (
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {almost}"},
            {"Authorization": f"Bearer {site.key}x"},
            {"Authorization": f"Basic {site.key}"},
            {"Authorization": f"Bearer wabot_{'0' * 12}_{'x' * 43}"},
            {"Authorization": "Bearer é' or 1=1 --"},
        ):
            answer = site.client.open(path, method=method, headers=headers, environ_overrides=FAR)
            assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), (method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            tried += 1
    assert tried


def test_every_route_of_the_api_asks_for_its_scope(site: Site) -> None:
    nothing = site.key_for("nothing:read")
    for _, method, path in routes(site):
        answer = site.client.open(
            path, method=method, headers={"Authorization": f"Bearer {nothing}"}, environ_overrides=FAR
        )
        assert answer.status_code == 403, (method, path)
        assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


def test_what_is_sent_is_read_only_for_a_key(site: Site) -> None:
    for _, method, path in routes(site):
        if method == "POST":
            answer = site.client.post(path, data=b"x" * 10_000_000, environ_overrides=FAR)
            assert answer.status_code == 401


def test_a_key_that_is_revoked_opens_nothing_from_then_on(site: Site) -> None:
    key = site.key_for("metrics:read")
    assert site.get("/whatsapp/metrics", key).status_code == 200
    revoke(site.app.database, site.app.clock, key.split("_")[1])
    assert site.get("/whatsapp/metrics", key).status_code == 401


def test_a_route_that_says_not_for_whom_it_is_can_t_be_added(site: Site) -> None:
    api = blueprint(site.app)
    with pytest.raises(ConfigurationError, match="says not for whom it is"):
        api.get("/open")(dict)
    with pytest.raises(ConfigurationError, match="is no scope"):
        require("everything")


def test_a_view_takes_nothing_but_path_query_and_body(site: Site) -> None:
    @public
    def view(cookie: Work) -> dict[str, str]:
        return {}

    with pytest.raises(TypeError, match="takes path, query and body"):
        blueprint(site.app).get("/cookie")(view)


def test_without_a_key_the_server_doesn_t_start(database_url: str) -> None:
    with make_app(database_url).bind() as app:
        with pytest.raises(ConfigurationError, match="no key yet") as caught:
            create_app(app)
        assert "wabot keys new" in str(caught.value)
        with pytest.raises(ConfigurationError, match="no key yet"):
            blueprint(app)
        key, _ = new_key(app.database, app.clock, "boss", ["admin"])
        create_app(app)
        revoke(app.database, app.clock, key.prefix)
        with pytest.raises(ConfigurationError, match="no key yet"):
            create_app(app)


def test_dev_mode_asks_nobody_on_this_machine_for_a_key_until_there_is_one() -> None:
    with make_app(web={"dev": True}).bind() as app:
        site = Site(app, mounted(app), "")
        local: dict[str, Any] = {"base_url": "http://localhost:8000", "environ_overrides": LOCAL}
        assert site.client.get("/whatsapp/secret", **local).status_code == 200
        assert site.client.post("/whatsapp/work", json={"name": "Asha"}, **local).status_code == 201
        site.key = site.key_for("orders:read")
        assert site.client.get("/whatsapp/secret", **local).status_code == 401
        assert site.get("/whatsapp/secret", **local).status_code == 200


@pytest.mark.parametrize(
    ("host", "remote", "headers"),
    [
        ("evil.example.com", "127.0.0.1", {}),
        ("localhost", "203.0.113.9", {}),
        ("localhost", "", {}),
        ("localhost", "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}),
        ("127.0.0.1", "127.0.0.1", {"Forwarded": "for=203.0.113.9"}),
        ("localhost", "127.0.0.1", {"Via": "1.1 tunnel"}),
        ("localhost", "127.0.0.1", {"Sec-Fetch-Site": "cross-site"}),
        ("127.0.0.1.evil.example.com", "127.0.0.1", {}),
    ],
)
def test_dev_mode_is_for_programs_on_this_machine_alone(
    host: str, remote: str, headers: dict[str, str]
) -> None:
    with make_app(web={"dev": True}).bind() as app:
        client = mounted(app).test_client()
        for path in ("/whatsapp/secret", "/whatsapp/metrics"):
            answer = client.get(
                path,
                base_url=f"http://{host}:8000",
                headers=headers,
                environ_overrides={"REMOTE_ADDR": remote},
            )
            assert answer.status_code == 401, path


def test_numbers_are_for_a_key_and_for_programs_on_this_machine(site: Site) -> None:
    here: dict[str, Any] = {"base_url": "http://127.0.0.1:8000", "environ_overrides": LOCAL}
    for path in ("/metrics", "/whatsapp/metrics"):
        told = site.client.get(path, **here)
        assert (told.status_code, told.mimetype) == (200, "text/plain")
        assert "wabot_backlog{" in told.text
        assert site.client.get(path, environ_overrides=FAR).status_code == 401
        assert site.get(path, site.key_for("metrics:read"), environ_overrides=FAR).status_code == 200
        assert site.get(path, site.key_for("orders:read"), **here).status_code == 403
        assert site.get(path, "wrong", **here).status_code == 401


def test_who_may_write_may_read_and_nothing_else(build: MakeSite) -> None:
    site = build()
    flask = mounted(site.app)
    own = Site(site.app, flask, site.key)
    for scopes, read, write in (
        (["orders:read"], 200, 403),
        (["orders:write"], 200, 201),
        (["admin"], 200, 201),
        (["contacts:write", "messages:read"], 403, 403),
    ):
        key = site.key_for(*scopes)
        assert own.get("/whatsapp/secret", key).status_code == read
        assert own.post("/whatsapp/work", key, json={"name": "Asha"}).status_code == write


def test_a_refusal_is_logged_by_the_key_s_prefix_alone(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    key = site.key_for("orders:read")
    with caplog.at_level(logging.INFO, "wabot"):
        site.get("/whatsapp/metrics?phone=%2B919876543210", key)
        site.get("/whatsapp/metrics", key + "x", environ_overrides=FAR)
    first, second = (json.loads(record.getMessage()) for record in caplog.records)
    assert (first["event"], first["status"], first["key"]) == ("refused", 403, key.split("_")[1])
    assert (second["status"], second["key"]) == (401, None)
    said = caplog.text
    assert key.split("_", 2)[2] not in said
    assert ASHA[1:] not in said


def test_the_log_names_a_key_that_was_revoked(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    key = site.key_for("metrics:read")
    prefix = key.split("_")[1]
    revoke(site.app.database, site.app.clock, prefix)
    with caplog.at_level(logging.INFO, "wabot"):
        assert site.get("/whatsapp/metrics", key).status_code == 401
        site.get("/whatsapp/metrics", key[:-1] + ("A" if key[-1] != "A" else "B"))
    genuine, guessed = (json.loads(record.getMessage()) for record in caplog.records)
    assert (genuine["event"], genuine["status"], genuine["key"]) == ("refused", 401, prefix)
    assert (guessed["status"], guessed["key"]) == (401, None)
    assert key.split("_", 2)[2] not in caplog.text


def test_every_answer_keeps_a_browser_from_making_something_of_it(site: Site) -> None:
    for answer in (site.client.get("/whatsapp/health"), site.client.get("/nothing"), site.twilio(message())):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert answer.headers["X-Request-Id"]


def test_without_https_nobody_is_told_to_come_by_it(build: MakeSite) -> None:
    site = build(web={"public_url": "http://bot.example.com"})
    assert "Strict-Transport-Security" not in site.client.get("/whatsapp/health").headers


def test_the_page_of_the_documentation_loads_nothing_from_elsewhere(site: Site) -> None:
    page = site.client.get("/whatsapp/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "://" not in page.text
    for name in re.findall('(?:src|href)="([^"]*)"', page.text):
        asset = site.client.get(f"/whatsapp/{name}")
        assert asset.status_code == 200, name
        asset.close()
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    for name in ("..%2f__init__.py", "swagger-ui.js", "%2e%2e/plugins.py", "."):
        assert site.client.get(f"/whatsapp/docs/{name}").status_code == 404


def test_the_documentation_says_who_may_ask_and_what_may_be_answered(site: Site) -> None:
    told = site.client.get("/whatsapp/openapi.json").json or {}
    assert told["openapi"].startswith("3.1")
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            keyless = f"wabot.{operation['operationId']}" in OPEN
            assert ("security" in operation) is not keyless, (path, method)
            if method == "post":
                assert "Idempotency-Key" in [each["name"] for each in operation["parameters"]]
                assert {"401", "403", "409", "413", "415", "422"} <= set(operation["responses"])
    assert not [path for path in told["paths"] if "webhook" in path]


def test_an_app_of_one_s_own_has_the_documentation_too(site: Site) -> None:
    client = mounted(site.app).test_client()
    told = client.get("/whatsapp/openapi.json").json or {}
    assert "/whatsapp/secret" in told["paths"]
    assert client.get("/").text == "home"
    assert client.get("/nowhere").mimetype == "text/html"
    assert "X-Request-Id" not in client.get("/").headers
    assert client.get("/whatsapp/docs").status_code == 200
