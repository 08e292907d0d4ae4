"""A real HTTP server for tests, which answers as it is told and keeps what it was asked."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SHOP = Path(__file__).parent / "tls/shop.pem"
"""The certificate of shop.example.test and its key."""


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def give(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Names of headers with `_` for `-`."""
        self.send_response(status)
        given = {"Content-Length": str(len(body)), **{n.replace("_", "-"): v for n, v in headers.items()}}
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def give_json(self, text: str) -> None:
        self.give(body=text.encode(), Content_Type="application/json; charset=utf-8")

    def drip(self, data: bytes) -> None:
        """A byte each 20 ms, until the other side has enough of it."""
        for byte in data:
            if self.server.over.wait(0.02):
                return
            self.wfile.write(bytes([byte]))

    def hang(self) -> None:
        self.server.over.wait(120)

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.server.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
        try:
            self.server.routes.get(path, Handler.give)(self)
        except OSError:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any  # noqa: N815 - theirs

    def log_message(self, format: str, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Callable[[Handler], None]] = {}
        self.asked: list[Asked] = []
        self.over = threading.Event()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    def handle_error(self, request: object, client_address: object) -> None:
        return


@dataclass
class Names:
    """A resolver that knows these names, each with the answers that it gives one after the other."""

    answers: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        found = self.answers.get(host)
        if found is None:
            raise OSError("no such name")
        return found.pop(0) if len(found) > 1 else found[0]


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Server]:
    server = Server()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
