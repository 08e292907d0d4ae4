"""A process's numbers over HTTP, for Prometheus to fetch."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6

from sqlalchemy.exc import SQLAlchemyError

from wabot.core.log import describe, get_logger
from wabot.core.metrics import CONTENT_TYPE
from wabot.errors import RecordError, UsageError

LOOPBACK = "127.0.0.1"
PATH = "/metrics"
PATIENCE_SECONDS = 10.0
"""For a client that connects and says nothing."""

Address = tuple[str, int]


def read_address(written: str, *, place: int = 0) -> Address:
    """`HOST:PORT`, or `PORT` alone on the loopback; the port of the process in this place, counted from 0.

    Raises UsageError.
    """
    host, colon, port = written.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if (
        not port.isascii()
        or not port.isdecimal()
        or not 0 < int(port) + place < 2**16
        or (colon and not host)
    ):
        raise UsageError(
            f'--metrics: "{written}" is no address', hint=f"write it like {LOOPBACK}:9400, or 9400"
        )
    return host or LOOPBACK, int(port) + place


@contextmanager
def metrics_at(address: Address | None, text: Callable[[], str]) -> Iterator[None]:
    """While the block runs, answer `GET /metrics` with this text, from threads; nothing without an address.

    Where the database can't be read, it is 503. Raises UsageError where the address can't be had.
    """
    if address is None:
        yield
        return
    with _listen(address, text) as server:
        thread = threading.Thread(target=server.serve_forever, name="wabot-metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _listen(address: Address, text: Callable[[], str]) -> "_Server":
    try:
        return _Server(address, text)
    except OSError as error:
        host, port = address
        raise UsageError(
            f"--metrics: can't listen on {host}:{port}: {error.strerror or error}", hint="take another port"
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: Address, text: Callable[[], str]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.text = text
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exception()
        # One who hangs up is no news.
        if error is not None and not isinstance(error, OSError):
            get_logger().error("metrics", **describe(error))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"The numbers are at {PATH}.\n")
            return
        try:
            numbers = self.server.text()
        except (RecordError, SQLAlchemyError) as error:
            get_logger().warning("metrics", **describe(error))
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "The database can't be read now.\n")
        else:
            self._answer(HTTPStatus.OK, numbers)

    def log_message(self, format: str, *args: object) -> None:
        """Who fetches numbers is no news."""

    def _answer(self, status: HTTPStatus, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
