import gzip
import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.adapters.answering import SHOP, Handler, Names, Server, serving
from wabot.adapters.http import Http
from wabot.adapters.http.addresses import is_public
from wabot.adapters.http.exchange import Deadline, Exchange, Message, Reply
from wabot.adapters.http.target import Target
from wabot.core.circuits import CircuitPolicy, MemoryBreaker
from wabot.core.http import HttpSettings
from wabot.core.module import Outside
from wabot.core.money import Money
from wabot.errors import EffectError, TryAgain
from wabot.testing.fakes import ManualClock

OUTSIDE = Outside("key-1", ManualClock())


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as made:
        yield made


def make(server: Server, *more: Server, **settings: Any) -> Http:
    allow = [each.authority for each in (server, *more)]
    return Http(HttpSettings(**{"allow": allow, **settings}))


def ask(server: Server, path: str = "/", *, http: Http | None = None, **arguments: Any) -> dict[str, Any]:
    return (http or make(server)).run({"url": f"{server.url}{path}", **arguments}, OUTSIDE)


def refused(server: Server, path: str = "/", *, http: Http | None = None, **arguments: Any) -> EffectError:
    with pytest.raises(EffectError) as caught:
        ask(server, path, http=http, **arguments)
    return caught.value


def test_json_comes_back_as_data_and_everything_else_as_text(server: Server) -> None:
    server.routes = {
        "/json": lambda h: h.give_json('{"stock": 3, "price": 9.5, "name": "सीमेंट"}'),
        "/problem": lambda h: h.give(404, b'{"title": "none"}', Content_Type="application/problem+json"),
        "/text": lambda h: h.give(body="Größe".encode("latin-1"), Content_Type="text/plain; charset=latin1"),
        "/odd": lambda h: h.give(body=b"a\xff", Content_Type="text/plain; charset=punycode"),
        "/nothing": lambda h: h.give(204, Content_Type="application/json"),
    }
    assert ask(server, "/json") == {
        "status": 200,
        "headers": ask(server, "/json")["headers"],
        "body": {"stock": 3, "price": 9.5, "name": "सीमेंट"},
    }
    assert ask(server, "/json")["headers"]["content-type"] == "application/json; charset=utf-8"
    assert (ask(server, "/problem")["status"], ask(server, "/problem")["body"]) == (404, {"title": "none"})
    assert ask(server, "/text")["body"] == "Größe"
    assert ask(server, "/odd")["body"] == "a\ufffd"
    assert (ask(server, "/nothing")["status"], ask(server, "/nothing")["body"]) == (204, None)


def test_what_is_asked_is_what_was_written(server: Server) -> None:
    ask(
        server,
        "/find?a=1#part",
        method="post",
        headers={"X-Shop": "asha", "X-Number": 7},
        query={"q": "a&b =ü", "n": [1, Decimal("2.50")], "on": True, "day": date(2026, 1, 5), "none": None},
        json={"total": Money(Decimal("118.00"), "INR"), "rate": Decimal("1.5"), "day": date(2026, 1, 5)},
    )
    (asked,) = server.asked
    assert asked.method == "POST"
    assert asked.path == "/find?a=1&q=a%26b+%3D%C3%BC&n=1&n=2.50&on=true&day=2026-01-05"
    assert json.loads(asked.body) == {
        "total": {"amount": "118.00", "currency": "INR"},
        "rate": "1.5",
        "day": "2026-01-05",
    }
    assert asked.headers["Host"] == server.authority
    assert asked.headers["Content-Type"] == "application/json"
    assert (asked.headers["X-Shop"], asked.headers["X-Number"]) == ("asha", "7")
    assert (asked.headers["Idempotency-Key"], asked.headers["User-Agent"]) == ("key-1", "wabot")


def test_headers_of_the_flow_go_before_wabots_own(server: Server) -> None:
    ask(server, method="PUT", body="naïve \ud83d", headers={"content-type": "text/csv", "accept": "*/*"})
    (asked,) = server.asked
    assert asked.body == "naïve ?".encode()
    named = [name.lower() for name in asked.headers]
    assert sorted(set(named)) == sorted(named)
    lower = {name.lower(): value for name, value in asked.headers.items()}
    assert (lower["content-type"], lower["accept"]) == ("text/csv", "*/*")


@pytest.mark.parametrize(
    ("status", "arguments", "again"),
    [
        (500, {}, True),
        (503, {"method": "PUT", "body": "x"}, True),
        (500, {"method": "POST", "json": {}}, False),
        (500, {"method": "POST", "json": {}, "retry": True}, True),
        (502, {"retry": False}, False),
        (429, {"method": "POST"}, True),
        (429, {"method": "POST", "retry": False}, False),
    ],
)
def test_only_what_cannot_be_done_twice_is_tried_again(
    server: Server, status: int, arguments: dict[str, Any], again: bool
) -> None:
    server.routes["/"] = lambda h: h.give(status, b"busy")
    error = refused(server, **arguments)
    assert (error.code, error.details, isinstance(error, TryAgain)) == ("status", {"status": status}, again)


@pytest.mark.parametrize(("header", "after"), [("7", 7.0), ("Fri, 31 Dec 1999 23:59:59 GMT", None)])
def test_a_server_says_when_to_come_again(server: Server, header: str, after: float | None) -> None:
    server.routes["/"] = lambda h: h.give(429, Retry_After=header)
    error = refused(server)
    assert isinstance(error, TryAgain)
    assert error.after == after


def slow_head(handler: Handler) -> None:
    handler.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000)


def slow_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.drip(b"x" * 1000)


def endless(handler: Handler) -> None:
    """A body that ends with the line: what a cut line looks like too."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.drip(b"x" * 1000)


@pytest.mark.parametrize("behave", [Handler.hang, slow_head, slow_body, endless])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_answer_takes_longer_than_its_time(
    server: Server, behave: Callable[[Handler], None], method: str
) -> None:
    server.routes["/"] = behave
    error = refused(server, timeout="500ms", method=method)
    assert (error.code, isinstance(error, TryAgain)) == ("timeout", method == "GET")


def test_the_settings_bound_the_time(server: Server) -> None:
    server.routes["/"] = Handler.hang
    assert refused(server, timeout="1h", http=make(server, timeout="100ms")).code == "timeout"


def test_a_name_that_is_not_resolved_in_time_costs_no_more(server: Server) -> None:
    def slow(host: str, port: int) -> list[str]:
        server.over.wait(120)
        return []

    error = refused(server, timeout="50ms", http=Http(HttpSettings(allow=[server.authority]), resolver=slow))
    assert (error.code, isinstance(error, TryAgain)) == ("timeout", True)


def cut(handler: Handler) -> None:
    """The line ends with a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def cut_within(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


def babble(handler: Handler) -> None:
    handler.wfile.write(b"SMTP ready\r\n\r\n")
    handler.close_connection = True


@pytest.mark.parametrize("behave", [cut, cut_within, babble])
def test_a_line_that_breaks_may_have_taken_the_request(
    server: Server, behave: Callable[[Handler], None]
) -> None:
    server.routes["/"] = behave
    assert isinstance(refused(server), TryAgain)
    post = refused(server, method="POST")
    assert (post.code, isinstance(post, TryAgain)) == ("connection", False)


def test_a_request_that_was_not_sent_is_tried_again_whatever_it_is(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = f"127.0.0.1:{free.getsockname()[1]}"
    settings = HttpSettings(allow=[closed, "nowhere.example.test:80"])
    for url in (f"http://{closed}/", "http://nowhere.example.test/"):
        for retry, again in ((None, True), (False, False)):
            with pytest.raises(EffectError) as caught:
                Http(settings, resolver=Names({"127.0.0.1": [["127.0.0.1"]]})).run(
                    {"url": url, "method": "POST", "retry": retry}, OUTSIDE
                )
            assert (caught.value.code, isinstance(caught.value, TryAgain)) == ("connection", again)


def test_an_answer_may_have_so_many_bytes_and_no_more(server: Server) -> None:
    def unmeasured(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    bomb = gzip.compress(b"0" * 50_000_000)
    server.routes = {
        "/fits": lambda h: h.give(body=b"x" * 1000),
        "/big": lambda h: h.give(body=b"x" * 1001),
        "/endless": unmeasured,
        "/packed": lambda h: h.give(body=gzip.compress(b"small"), Content_Encoding="gzip"),
        "/bomb": lambda h: h.give(body=bomb, Content_Encoding="gzip"),
        "/broken": lambda h: h.give(body=b"not gzip", Content_Encoding="gzip"),
        "/odd": lambda h: h.give(body=b"x", Content_Encoding="br"),
        "/heads": lambda h: h.give(200, b"", **{f"X_{n}": "y" * 1000 for n in range(20)}),
    }
    http = make(server, max_bytes=1000)
    assert ask(server, "/fits", http=http)["body"] == "x" * 1000
    assert ask(server, "/packed", http=http)["body"] == "small"
    for path in ("/big", "/endless", "/bomb", "/heads"):
        assert refused(server, path, http=http).code == "too_large"
    for path in ("/broken", "/odd"):
        assert refused(server, path, http=http).code == "encoding"


@pytest.mark.parametrize(
    "text", ["{", "NaN", '{"n": 1e999}', "[" * 100_000, "[" * 65 + "]" * 65, '"\\ud83d" x', "9" * 5000]
)
def test_json_that_is_none_is_refused(server: Server, text: str) -> None:
    server.routes["/"] = lambda h: h.give_json(text)
    assert refused(server).code == "json"


ATTACKS = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://8.8.8.8:22/",
    "http://example.com:6379/",
    "https://127.0.0.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com@127.0.0.1/",
    "http://user:word@example.com/",
    "http://[fe80::1%25lo]/",
    "http:///etc/passwd",
    "//127.0.0.1/",
    "127.0.0.1",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "http://exa mple.com/",
    "http://example.com:99999/",
    "http://./",
    " http://127.0.0.1/",
]


@pytest.mark.parametrize("url", ATTACKS)
def test_no_url_leads_into_the_network_of_the_bot(url: str) -> None:
    class Never(Exchange):
        def run(self, target: Target, addresses: list[str], message: Message, deadline: Deadline) -> Reply:
            raise AssertionError(f"{target} was asked at {addresses}")

    for resolver in ({}, {"resolver": Names({})}):
        with pytest.raises(EffectError) as caught:
            Http(HttpSettings(), exchange=Never(10), **resolver).run({"url": url}, OUTSIDE)  # type: ignore[arg-type]
        assert caught.value.code in ("not_allowed", "arguments", "connection")
        if not resolver:
            assert caught.value.code != "connection" or "①" in url


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("192.0.0.8", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("2001:db8::1", False),
        ("fe80::1%eth0", False),
        ("4000::1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_name_that_cannot_be_one_is_not_resolved() -> None:
    def strict(host: str, port: int) -> list[str]:
        return [host.encode("idna").decode()]

    with pytest.raises(EffectError) as caught:
        Http(resolver=strict).run({"url": f"http://{'a' * 64}.example.com/"}, OUTSIDE)
    assert caught.value.code == "connection"


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::ffff:10.0.0.1"], []])
def test_a_name_of_a_private_address_is_refused(answers: list[str]) -> None:
    http = Http(resolver=Names({"shop.example.com": [answers]}))
    with pytest.raises(EffectError, match="not a public one"):
        http.run({"url": "https://shop.example.com/"}, OUTSIDE)


class Remembering(Exchange):
    """Answers with these, and keeps where each request would have gone."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(1000)
        self.replies = list(replies)
        self.went: list[tuple[Target, list[str], Message]] = []

    def run(self, target: Target, addresses: list[str], message: Message, deadline: Deadline) -> Reply:
        self.went.append((target, addresses, message))
        return self.replies.pop(0)


OK = Reply(200, {}, b"")


def moved(location: str, status: int = 302) -> Reply:
    return Reply(status, {"location": location}, b"")


def test_a_name_is_resolved_once_and_the_request_goes_where_it_was_checked() -> None:
    names = Names({"shop.example.com": [["93.184.215.14"], ["127.0.0.1"]]})
    exchange = Remembering(OK)
    Http(resolver=names, exchange=exchange).run({"url": "https://shop.example.com/a"}, OUTSIDE)
    ((target, addresses, _),) = exchange.went
    assert (target.host, addresses, names.asked) == (
        "shop.example.com",
        ["93.184.215.14"],
        ["shop.example.com"],
    )


def test_a_redirect_is_resolved_and_checked_again() -> None:
    names = Names({"shop.example.com": [["93.184.215.14"], ["127.0.0.1"]]})
    exchange = Remembering(moved("/b"))
    with pytest.raises(EffectError, match="not a public one"):
        Http(resolver=names, exchange=exchange).run({"url": "https://shop.example.com/a"}, OUTSIDE)
    assert len(exchange.went) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "//[::1]/",
        "http://shop.example.com:22/",
        "file:///etc/passwd",
        "http://internal.example.com:8080/",
        "http://u:p@shop.example.com/",
    ],
)
def test_no_redirect_leads_into_the_network_of_the_bot(location: str) -> None:
    """Nor to a host that the settings allow: a flow may go there, another server may not send it."""
    names = Names({"shop.example.com": [["93.184.215.14"]], "internal.example.com": [["10.0.0.1"]]})
    names.answers |= {name: [[name]] for name in ("127.0.0.1", "169.254.169.254", "::1")}
    exchange = Remembering(moved(location), OK)
    settings = HttpSettings(allow=["internal.example.com:8080"])
    with pytest.raises(EffectError) as caught:
        Http(settings, resolver=names, exchange=exchange).run({"url": "https://shop.example.com/"}, OUTSIDE)
    assert caught.value.code in ("not_allowed", "arguments")
    assert len(exchange.went) == 1


def moving(to: int) -> Callable[[Handler], None]:
    return lambda handler: handler.give(302, Location=str(to))


def test_redirects_are_followed_so_far_and_no_further(server: Server) -> None:
    for n in range(5):
        server.routes[f"/{n}"] = moving(n + 1)
    assert ask(server, "/2")["status"] == 200
    assert [asked.path for asked in server.asked] == ["/2", "/3", "/4", "/5"]
    assert refused(server, "/0").code == "redirects"
    assert refused(server, "/4", http=make(server, redirects=0)).code == "redirects"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (303, "POST", ("GET", b"")),
        (302, "POST", ("GET", b"")),
        (307, "POST", ("POST", b"x")),
        (308, "PUT", ("PUT", b"x")),
    ],
)
def test_a_redirect_says_whether_the_body_goes_along(
    server: Server, status: int, method: str, then: tuple[str, bytes]
) -> None:
    server.routes["/a"] = lambda h: h.give(status, Location="/b")
    ask(server, "/a", method=method, body="x")
    assert (server.asked[1].method, server.asked[1].body) == then


SECRET = "Bearer s3cr3t-token"


def with_secret(server: Server, *more: Server, hosts: list[str] | None = None) -> Http:
    secrets = {"crm": {"value": SECRET, "hosts": hosts or [server.authority]}}
    return make(server, *more, secrets=secrets)


HEADERS = {"Authorization": {"secret": "crm"}}


def test_a_secret_goes_to_its_host_and_comes_back_to_no_flow(server: Server) -> None:
    def echo(handler: Handler) -> None:
        value = handler.headers["Authorization"]
        body = json.dumps({"you sent": [value, 1], value.split()[1]: "token"}).encode()
        handler.give(body=body, Content_Type="application/json", X_Echo=value)

    server.routes["/"] = echo
    found = ask(server, http=with_secret(server), headers=HEADERS)
    assert server.asked[0].headers["Authorization"] == SECRET
    assert found["body"] == {"you sent": ["***", 1], "***": "token"}
    assert found["headers"]["x-echo"] == "***"


def test_a_secret_goes_to_no_other_host(server: Server, other: Server) -> None:
    http = with_secret(server, other)
    error = refused(other, http=http, headers=HEADERS)
    assert (error.code, "s3cr3t" in str(error)) == ("secret", False)
    assert refused(server, http=http, headers={"X": {"secret": "cmr"}}).code == "secret"
    assert not server.asked
    assert not other.asked


def test_a_secret_goes_over_https_alone() -> None:
    secrets = {"crm": {"value": SECRET, "hosts": ["crm.example.com"]}}
    names = Names({"crm.example.com": [["93.184.215.14"]], "else.example.com": [["93.184.215.15"]]})
    exchange = Remembering(
        moved("https://crm.example.com/b"),
        moved("http://crm.example.com/c"),
        moved("https://else.example.com/"),
        OK,
    )
    http = Http(HttpSettings(secrets=secrets), resolver=names, exchange=exchange)
    headers = {**HEADERS, "Cookie": "a=b", "X-Shop": "asha"}
    with pytest.raises(EffectError, match="not without https"):
        http.run({"url": "http://crm.example.com/", "headers": HEADERS}, OUTSIDE)
    http.run({"url": "https://crm.example.com/a", "headers": headers}, OUTSIDE)
    sent = [dict(message.headers) for _, _, message in exchange.went]
    assert [message.get("Authorization") for message in sent] == [SECRET, SECRET, None, None]
    assert [message.get("Cookie") for message in sent] == ["a=b", "a=b", None, None]
    assert {message["X-Shop"] for message in sent} == {"asha"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"headers": {"X": "a\r\nAuthorization: b"}},
        {"headers": {"X": "हिन्दी"}},
        {"headers": {"Host": "internal"}},
        {"headers": {"X Y": "a"}},
        {"headers": {"X": {"secret": 1}}},
        {"query": {"a": {"b": 1}}},
        {"query": {"a": Money(Decimal(1), "INR")}},
        {"method": "POST", "json": {"a": object()}},
        {"method": "POST", "json": {}, "body": ""},
        {"method": "TRACE"},
        {"url": ""},
        {"timeout": "0s"},
        {"surprise": 1},
    ],
)
def test_arguments_that_do_not_fit_are_refused_for_good(server: Server, arguments: dict[str, Any]) -> None:
    error = refused(server, **arguments)
    assert (error.code, isinstance(error, TryAgain)) == ("arguments", False)
    assert not server.asked


def test_a_host_that_fails_is_left_alone_for_a_while(server: Server) -> None:
    clock = ManualClock()
    server.routes = {
        "/": lambda h: h.give(500),
        "/none": lambda h: h.give(404),
        "/odd": lambda h: h.give_json("{"),
    }
    breaker = MemoryBreaker(clock, CircuitPolicy(threshold=2))
    http = Http(HttpSettings(allow=[server.authority]), breaker=breaker)
    ask(server, "/none", http=http)
    assert refused(server, http=http).code == "status"
    assert refused(server, "/odd", http=http).code == "json"
    assert refused(server, http=http).code == "status"
    assert refused(server, http=http).code == "status"
    before = len(server.asked)
    error = refused(server, "/none", http=http, method="POST")
    assert (error.code, isinstance(error, TryAgain), len(server.asked)) == ("circuit", True, before)


def test_no_proxy_of_the_environment_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(server)["status"] == 200


def test_tls_is_for_the_name_although_the_address_is_pinned() -> None:
    context = ssl.create_default_context(cafile=str(SHOP))
    with serving(SHOP) as server:
        names = Names({"shop.example.test": [["127.0.0.1"]], "other.example.test": [["127.0.0.1"]]})
        allow = [f"{name}.example.test:{server.server_port}" for name in ("shop", "other")]
        http = Http(HttpSettings(allow=allow), resolver=names, exchange=Exchange(1000, context))
        url = f"https://shop.example.test:{server.server_port}/a"
        assert http.run({"url": url}, OUTSIDE)["status"] == 200
        assert server.asked[0].headers["Host"] == f"shop.example.test:{server.server_port}"
        with pytest.raises(EffectError, match="certificate") as caught:
            http.run({"url": url.replace("shop", "other")}, OUTSIDE)
        assert caught.value.code == "certificate"
        with pytest.raises(EffectError, match="certificate"):
            Http(HttpSettings(allow=allow), resolver=names).run({"url": url}, OUTSIDE)
        assert len(server.asked) == 1


def test_another_address_of_the_host_is_tried_where_one_is_silent(server: Server) -> None:
    names = Names({"shop.example.test": [["127.0.0.2", "127.0.0.1"]]})
    http = Http(HttpSettings(allow=[f"shop.example.test:{server.server_port}"]), resolver=names)
    assert http.run({"url": f"http://shop.example.test:{server.server_port}/"}, OUTSIDE)["status"] == 200


def test_a_lease_outlasts_every_request() -> None:
    http = Http(HttpSettings(timeout="20s", tries=7))
    assert (http.lease.total_seconds(), http.tries) == (35, 7)
    assert http.repeats({"url": "http://a"})
    assert not http.repeats({"url": "http://a", "method": "POST"})
