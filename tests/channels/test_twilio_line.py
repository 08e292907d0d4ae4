import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from wabot.adapters.channels.twilio.line import IDLE, AnswerLost, Line, NotReached

CERTIFICATE = Path(__file__).parents[1] / "adapters/tls/shop.pem"


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lines: list[object] = []
        self.asked: list[tuple[str, str]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that doesn't trust it hangs up: that is what the test is about."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path))
        self.server.lines.append(self.client_address)
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"\xff{")

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        serving = Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_all_of_twilios_servers_are_the_one_given(server: Server) -> None:
    line = Line(f"http://127.0.0.1:{server.server_port}/")
    line.request("GET", "https://api.twilio.com/2010/a.json", params={"To": "whatsapp:+1", "n": 2})
    line.request("GET", "https://content.twilio.com/v1/b?x=1", params={"y": "2"})
    line.request("GET", "https://content.twilio.com/v1/b?x=1")
    assert server.asked == [
        ("GET", "/2010/a.json?To=whatsapp%3A%2B1&n=2"),
        ("GET", "/v1/b?x=1&y=2"),
        ("GET", "/v1/b?x=1"),
    ]
    line.close()


def test_a_redirect_is_not_followed_and_no_text_breaks_it(server: Server) -> None:
    line = Line(f"http://127.0.0.1:{server.server_port}")
    answer = line.request("GET", "https://api.twilio.com/away")
    assert (answer.status_code, answer.text) == (302, "\N{REPLACEMENT CHARACTER}{")
    assert len(server.asked) == 1
    line.close()


def test_a_connection_is_used_again_while_it_is_young(server: Server) -> None:
    clock = Clock()
    line = Line(f"http://127.0.0.1:{server.server_port}", now=clock)
    for clock.now in (0.0, IDLE - 0.1, IDLE, 2 * IDLE + 0.1):
        line.request("GET", "https://api.twilio.com/")
    assert server.lines[0] == server.lines[1] == server.lines[2]
    assert server.lines[3] != server.lines[0]
    line.close()


def test_without_a_server_of_its_own_it_goes_to_twilios(server: Server) -> None:
    line = Line()
    line.request("GET", f"http://127.0.0.1:{server.server_port}/as-it-is")
    assert server.asked == [("GET", "/as-it-is")]
    line.close()


def test_a_certificate_that_is_not_trusted_is_told_nothing(server: Server) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    line = Line(f"https://127.0.0.1:{server.server_port}")
    with pytest.raises(NotReached, match="certificate"):
        line.request("GET", "https://api.twilio.com/")
    assert server.asked == []
    line.close()


@pytest.mark.parametrize("base", ["http://", "gopher://127.0.0.1"])
def test_an_address_that_is_none_is_not_reached(base: str) -> None:
    with pytest.raises(NotReached):
        Line(base).request("GET", "https://api.twilio.com/")


def test_a_line_that_is_not_tls_tells_nothing(server: Server) -> None:
    line = Line(f"https://127.0.0.1:{server.server_port}", timeout=0.3)
    with pytest.raises(AnswerLost):
        line.request("GET", "https://api.twilio.com/")
    line.close()
