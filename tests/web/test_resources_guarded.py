"""Every route of the resources: who may use it, what it says of itself, and what its filters do with SQL."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from sqlalchemy import func, select

from tests.web.offices import Office
from tests.web.sites import ASHA, make_site
from wabot.adapters.web import create_app
from wabot.core.database import Base
from wabot.core.tables import ContactRow
from wabot.modules import invoices, orders

PUBLIC = {
    "/whatsapp/webhook",
    "/whatsapp/webhook/status",
    "/whatsapp/webhook/meta",
    "/whatsapp/health",
    "/whatsapp/health/alive",
    "/whatsapp/health/ready",
}
INJECTIONS = [
    "' OR '1'='1",
    "1; DROP TABLE contact;--",
    "1 UNION SELECT hash FROM api_key",
    "\\'; SELECT pg_sleep(9);--",
    '" OR ""="',
    "%27%20OR%201=1",
    "1)) OR ((1=1",
]


def _operations() -> list[tuple[str, str, str]]:
    """Method, path and scope of everything that isn't for everybody, as it is documented."""
    site = make_site(modules=[orders.module, invoices.module])
    document = site.get("/whatsapp/openapi.json").json
    site.app.close()
    assert document
    return [
        (method, path, operation["security"][0]["key"][0])
        for path, item in document["paths"].items()
        if path not in PUBLIC
        for method, operation in item.items()
    ]


OPERATIONS = _operations()
FILTERED = [
    "/conversations",
    "/conversations/1/messages",
    "/contacts",
    "/messages",
    "/orders",
    "/invoices",
    "/failed",
    "/effects",
    "/timers",
]


@pytest.fixture(scope="module")
def lobby() -> Iterator[Office]:
    """One for all tests that change nothing."""
    office = Office("sqlite://")
    office.hear("hi")
    office.order()
    yield office
    office.close()


def _ask(office: Office, method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    path = path.replace("{id}", "1").replace("{name}", "x")
    options: dict[str, Any] = {"json": {}} if method == "post" else {}
    answer = office.site.client.open(path, method=method.upper(), headers=headers, **options)
    return answer.status_code, answer.json


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_no_route_is_open(lobby: Office, method: str, path: str, scope: str) -> None:
    status, problem = _ask(lobby, method, path, {})
    assert (status, problem["code"]) == (401, "unauthorized")
    for wrong in (
        "Bearer wabot_000000000000_" + "x" * 43,
        "Bearer",
        "Basic YTpi",
        f"Bearer {lobby.site.key}x",
    ):
        assert _ask(lobby, method, path, {"Authorization": wrong})[0] == 401


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_a_key_of_other_scopes_opens_no_route(lobby: Office, method: str, path: str, scope: str) -> None:
    others = {one for _, _, one in OPERATIONS} - {scope, scope.replace(":read", ":write")} - {"admin"}
    key = lobby.site.key_for(*sorted(others))
    status, problem = _ask(lobby, method, path, {"Authorization": f"Bearer {key}"})
    assert (status, problem["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_its_own_scope_opens_a_route(lobby: Office, method: str, path: str, scope: str) -> None:
    key = lobby.site.key_for(scope)
    status, _ = _ask(lobby, method, path, {"Authorization": f"Bearer {key}"})
    assert status not in (401, 403)
    assert status < 500


def test_every_route_is_documented(lobby: Office) -> None:
    documented = {
        (method.upper(), path.translate(str.maketrans("{}", "<>"))) for method, path, _ in OPERATIONS
    }
    served = {
        (method, rule.rule)
        for rule in lobby.site.flask.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/whatsapp") and rule.rule not in PUBLIC
    }
    hidden = {("GET", f"/whatsapp{path}") for path in ("/docs", "/docs/<name>", "/openapi.json", "/metrics")}
    assert served - hidden == documented


def test_what_writes_is_not_for_who_may_read() -> None:
    writes = {scope for method, _, scope in OPERATIONS if method == "post"}
    reads = {scope for method, _, scope in OPERATIONS if method == "get"}
    assert all(scope.endswith(":write") for scope in writes)
    assert all(scope.endswith(":read") for scope in reads)


def test_the_examples_fit_what_is_documented(lobby: Office) -> None:
    document = lobby.read("/openapi.json")
    shown = 0
    for item in document["paths"].values():
        content = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            schema = {**content["schema"], "components": document["components"]}
            jsonschema.validate(example["value"], schema, cls=jsonschema.Draft202012Validator)
            shown += 1
    assert shown >= 6


def test_every_answer_is_as_documented(lobby: Office) -> None:
    document = lobby.read("/openapi.json")
    for path in ("/conversations/1", "/contacts/1", "/orders/1", "/invoices/1", "/messages/1", *FILTERED):
        shape = document["paths"][f"/whatsapp{path.replace('/1', '/{id}')}"]["get"]["responses"]["200"]
        schema = {**shape["content"]["application/json"]["schema"], "components": document["components"]}
        jsonschema.validate(lobby.read(path), schema, cls=jsonschema.Draft202012Validator)


def _filters() -> list[tuple[str, str]]:
    site = make_site(modules=[orders.module, invoices.module])
    document = site.get("/whatsapp/openapi.json").json
    site.app.close()
    assert document
    return [
        (path, parameter["name"])
        for path in FILTERED
        for parameter in document["paths"][f"/whatsapp{path.replace('/1/', '/{id}/')}"]["get"]["parameters"]
        if parameter["in"] == "query"
    ]


@pytest.fixture
def stocked(database_url: str) -> Iterator[Office]:
    office = Office(database_url)
    office.hear("hi")
    office.order()
    yield office
    office.close()


def test_sql_in_a_filter_is_a_value(stocked: Office) -> None:
    """Each finds nothing or doesn't fit; none finds what it shouldn't, and everything is still there."""
    before = _rows(stocked)
    for path, name in _filters():
        for words in INJECTIONS:
            answer = stocked.get(path, **{name: words})
            assert answer.status_code in (200, 422), (path, name, words)
            if answer.status_code == 200:
                assert answer.json == {"items": [], "next": None}, (path, name, words)
    assert _rows(stocked) == before


def _rows(office: Office) -> dict[str, int]:
    with office.app.database.reading() as session:
        return {
            table.name: session.scalars(select(func.count()).select_from(table)).one()
            for table in Base.metadata.sorted_tables
            if table.name in ("contact", "conversation", "inbound", "outbox", "orders", "invoices", "api_key")
        }


@pytest.mark.parametrize("id", ["0", "-1", str(2**63), "1.5", "abc", "1 OR 1=1", "1'", "%00", "１"])
@pytest.mark.parametrize(
    "path", ["/conversations/", "/contacts/", "/messages/", "/failed/", "/orders/", "/invoices/"]
)
def test_an_id_is_a_whole_number(lobby: Office, path: str, id: str) -> None:
    assert lobby.get(path + id).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"after": "0"},
        {"after": str(2**63)},
        {"limt": "1"},
        {"from": "2026-01-02T12:00:00"},
        {"from": "0001-01-01T00:00:00+05:30"},
        {"to": "9999-12-31T23:59:59-05:30"},
        {"phone": ""},
        {"phone": "+91\x00"},
        {"status": "sent' OR 1=1"},
    ],
)
def test_a_filter_that_does_not_fit_is_told(lobby: Office, query: dict[str, str]) -> None:
    answer = lobby.get("/messages", **query)
    assert answer.status_code == 422
    assert answer.json
    assert answer.json["errors"]


@pytest.mark.parametrize("day", ["1969-12-31", "9999-01-01", "yesterday", "2026-02-30"])
def test_a_day_is_in_the_calendar(lobby: Office, day: str) -> None:
    assert lobby.get("/orders", to=day).status_code == 422


def test_a_phone_number_is_text(lobby: Office) -> None:
    answer = lobby.post("/messages", {"to": 919876543210, "message": {"text": "x"}})
    assert answer.status_code == 422


def test_what_is_sent_is_not_repeated_in_a_problem(lobby: Office) -> None:
    secret = "<script>alert('8e1')</script>"
    answer = lobby.get("/messages", status=secret)
    assert "8e1" not in answer.text
    assert answer.mimetype == "application/problem+json"


def test_a_filter_is_given_once(lobby: Office) -> None:
    assert lobby.site.get("/whatsapp/messages?limit=1&limit=2").status_code == 422


def test_nothing_is_bound_to_a_flask_app_of_its_own(lobby: Office) -> None:
    again = create_app(lobby.app).test_client()
    answer = again.get("/whatsapp/contacts", headers={"Authorization": f"Bearer {lobby.site.key}"})
    assert answer.json
    assert answer.json["items"][0]["phone"] == ASHA
    assert lobby.site.count(ContactRow) == 1
