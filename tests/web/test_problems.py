import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, abort
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from werkzeug.exceptions import Conflict, TooManyRequests
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.web.sites import ASHA, Site, make_site, mounted
from wabot.adapters.web.limits import BODY_LIMIT
from wabot.errors import NotFound, RecordError, Rejected, UnknownName


@pytest.fixture(scope="module")
def own() -> Site:
    """Tests of this file change nothing of it."""
    site = make_site()
    return Site(site.app, mounted(site.app, lambda _: WORK["now"]()), site.key)


WORK: dict[str, Callable[[], Any]] = {}


def raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


class Thing(BaseModel):
    name: str
    price: int


def thing_that_is_none() -> Exception:
    try:
        Thing.model_validate({"name": 7})
    except ValidationError as error:
        return error
    raise AssertionError


def post(own: Site, work: Callable[[], Any]) -> Any:
    WORK["now"] = work
    return own.post("/whatsapp/work", json={"name": "x"})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("There is no order 7"), 404, "not_found"),
        (UnknownName("There is no flow"), 404, "not_found"),
        (Rejected("No", code="out_of_stock"), 422, "out_of_stock"),
        (Conflict(), 409, "conflict"),
        (TooManyRequests(retry_after=7), 429, "too_many_requests"),
        (OperationalError("select", {}, Exception("gone")), 503, "unavailable"),
        (InterfaceError("select", {}, Exception("closed")), 503, "unavailable"),
        (NoConnection("the pool is empty"), 503, "unavailable"),
        (RecordError("busy"), 503, "unavailable"),
        (DataError("insert into secret_table", {"phone": ASHA}, Exception("bad")), 500, "internal"),
        (KeyError("a secret"), 500, "internal"),
        (thing_that_is_none(), 500, "internal"),
        (RecursionError("deep"), 500, "internal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_error_is_a_problem_with_its_status_and_code(
    own: Site, error: Exception, status: int, code: str
) -> None:
    answer = post(own, raising(error))
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    told = answer.json
    assert (told["status"], told["code"]) == (status, code)
    assert told["title"]
    assert told["request_id"] == answer.headers["X-Request-Id"]


def test_what_is_inside_is_never_told(own: Site, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Any:
        raise DataError(f"insert into secret_table values ('{ASHA}')", {"phone": ASHA}, Exception("a secret"))

    with caplog.at_level(logging.DEBUG):
        answer = post(own, fail)
    for inside in ("secret", "insert", ASHA[1:], "Traceback", ".py"):
        assert inside not in answer.text
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "wabot"]
    assert (line["event"], line["error"]) == ("request failed", "DataError")
    assert line["correlation"] == answer.headers["X-Request-Id"]
    assert "test_problems.py" in line["stack"][-1]
    assert ASHA[1:] not in json.dumps(line)


def test_what_an_error_of_http_says_itself_is_not_told(own: Site) -> None:
    answer = post(own, lambda: abort(409, "the password is 42"))
    assert (answer.status_code, "42" in answer.text) == (409, False)
    later = post(own, raising(TooManyRequests(retry_after=7)))
    assert later.headers["Retry-After"] == "7"
    made = post(own, lambda: abort(Response("as it is", 418)))
    assert (made.status_code, made.text) == (418, "as it is")


def test_a_view_gives_a_model_plain_data_a_response_or_nothing(own: Site) -> None:
    assert post(own, lambda: Thing(name="é", price=3)).json == {"name": "é", "price": 3}
    assert post(own, lambda: [Thing(name="a", price=1)]).json == [{"name": "a", "price": 1}]
    assert (post(own, lambda: ({"a": 1}, 202)).status_code, post(own, lambda: None).status_code) == (202, 204)
    assert post(own, lambda: Response("pdf", mimetype="application/pdf")).mimetype == "application/pdf"


def test_paths_and_methods_that_aren_t_there_are_problems_too() -> None:
    site = make_site()
    with site.app:
        for path in ("/", "/whatsapp", "/whatsapp/nothing", "/admin", "/whatsapp/health/x"):
            answer = site.client.get(path)
            assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
        answer = site.client.delete("/whatsapp/health")
        assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
        assert "GET" in answer.headers["Allow"]


SENT: list[tuple[bytes, str, int]] = [
    (b'{"name": "x"}', "application/json", 200),
    (b'{"name": "x"}', "application/json; charset=utf-8", 200),
    (b'{"name": "x"}', "text/plain", 415),
    (b"name=x", "application/x-www-form-urlencoded", 415),
    (b"{", "application/json", 400),
    (b"", "application/json", 400),
    (b"\xff\xfe", "application/json", 400),
    (b'{"name": 7}', "application/json", 422),
    (b"null", "application/json", 422),
    (b"[]", "application/json", 422),
    (b'{"name": "a\\u0000b"}', "application/json", 422),
    (b'{"name": "a\\\\u0000b"}', "application/json", 200),
    (b"[" * 100_000, "application/json", 400),
    (b'{"name":' * 20_000 + b"1" + b"}" * 20_000, "application/json", 400),
    (b'{"name": "' + b"x" * BODY_LIMIT + b'"}', "application/json", 413),
    (b" " * 10_000_000, "application/json", 413),
    (json.dumps({f"f{number}": 1 for number in range(10_000)}).encode(), "application/json", 422),
    (b'{"name": "\\ud800"}', "application/json", 400),
]


@pytest.mark.parametrize(("body", "kind", "status"), SENT, ids=range(len(SENT)))
def test_a_body_is_taken_or_refused_cleanly(own: Site, body: bytes, kind: str, status: int) -> None:
    WORK["now"] = dict
    answer = own.post("/whatsapp/work", data=body, content_type=kind)
    assert answer.status_code == status
    assert status == 200 or answer.mimetype == "application/problem+json"


def test_a_body_that_says_not_how_long_it_is_is_bounded_too(own: Site) -> None:
    class Endless:
        def __init__(self) -> None:
            self.read_bytes = 0

        def read(self, size: int = -1) -> bytes:
            self.read_bytes += max(size, 0)
            return b" " * max(size, 0)

    endless = Endless()
    environ = EnvironBuilder(
        "/whatsapp/work",
        method="POST",
        headers=[("Authorization", f"Bearer {own.key}"), ("Transfer-Encoding", "chunked")],
        content_type="application/json",
    ).get_environ()
    environ["wsgi.input"] = endless
    environ["wsgi.input_terminated"] = True
    environ.pop("CONTENT_LENGTH", None)
    _, status, _ = run_wsgi_app(own.flask.wsgi_app, environ)
    assert status.startswith("413")
    assert endless.read_bytes <= 2 * BODY_LIMIT


def test_a_mistake_is_named_by_its_place_and_what_was_sent_is_not_repeated(own: Site) -> None:
    answer = own.post("/whatsapp/work", json={"name": ["a secret"]})
    assert answer.json
    assert answer.json["errors"] == [{"where": "body.name", "message": "Input should be a valid string"}]
    assert "a secret" not in answer.text


def test_path_and_query_come_as_their_models(own: Site) -> None:
    told = own.get("/whatsapp/things/a%20b?limit=7&kinds=x&kinds=y&after=2026-01-02T10:00:00Z")
    assert told.json == {"id": "a b", "limit": 7, "kinds": ["x", "y"], "after": "2026-01-02T10:00:00Z"}
    assert own.get("/whatsapp/things/1?kinds=x").json == {"id": "1", "kinds": ["x"]}


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("1?limit=0", "query.limit"),
        ("1?limit=1e400", "query.limit"),
        ("1?limit=1&limit=2", "query.limit"),
        ("1?after=never", "query.after"),
        ("1?wrong=1", "query.wrong"),
        ("1?kinds=a%00b", "query.kinds"),
        ("1?%00=1", "query."),
        ("a%00b", "path.id"),
        ("x" * 21, "path.id"),
        ("1?limit=1' or '1'='1", "query.limit"),
    ],
)
def test_a_path_or_query_that_does_not_fit_is_named(own: Site, asked: str, where: str) -> None:
    answer = own.get(f"/whatsapp/things/{asked}")
    assert answer.status_code == 422
    assert answer.json
    assert [each["where"] for each in answer.json["errors"]] == [where]
