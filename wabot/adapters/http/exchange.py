"""One request and its answer, over a connection of its own to an address that was checked before."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from types import TracebackType
from typing import Self

from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection
from urllib3.exceptions import DecodeError, HTTPError
from urllib3.exceptions import TimeoutError as TimeoutException
from urllib3.response import HTTPResponse

from wabot.adapters.http.addresses import Resolver, is_public, resolve_within
from wabot.adapters.http.target import Target
from wabot.errors import EffectError

ADDRESSES = 3
"""How many addresses of a host are tried before it counts as unreachable."""
HEADER_BYTES = 16 * 1024
_CHUNK = 16 * 1024
_DIGITS = 19
_ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")

Now = Callable[[], float]


class Trouble(Exception):
    """The other side, or the way there, doesn't work now. `sent`: the request may have been taken."""

    def __init__(self, code: str, message: str, *, sent: bool = True) -> None:
        self.code, self.message, self.sent = code, message, sent
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: `headers` are complete but for those of the connection."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


class Deadline:
    """Cuts a connection's line when the time is up, however slowly its bytes come."""

    def __init__(self, seconds: float, now: Now = time.monotonic) -> None:
        self._now = now
        self._end = now() + seconds
        self._line: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self.over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    @property
    def left(self) -> float:
        """Seconds, never none: a socket would take that for not waiting at all."""
        return max(self._end - self._now(), 0.001)

    def watch(self, line: socket.socket | None) -> None:
        with self._lock:
            self._line = line
            if self.over:
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self.over = True
            self._shut()

    def _shut(self) -> None:
        if self._line is not None:
            try:
                # Past the TLS layer, which another thread is using.
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)
            except OSError:
                return  # It is closed already.


class Incoming:
    """An answer whose body hasn't been read yet; `headers` as in `Reply`."""

    def __init__(self, response: HTTPResponse, deadline: Deadline) -> None:
        self.status = response.status
        self.headers = _headers(response.headers)
        self._response = response
        self._deadline = deadline

    @property
    def length(self) -> int | None:
        """How many bytes it says are to come, as they come; None where it doesn't say."""
        said = self.headers.get("content-length", "")
        return int(said) if said.isascii() and said.isdigit() and len(said) < _DIGITS else None

    def chunks(self, max_bytes: int) -> Iterator[bytes]:
        """The body, unpacked. Raises Trouble, or EffectError where it is too large or can't be unpacked:
        whoever has heard the end of it has all of it."""
        if self.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
            raise EffectError("the answer is packed in a way that wasn't asked for", code="encoding")
        size = 0
        while chunk := self._read():
            size += len(chunk)
            if size > max_bytes:
                raise EffectError(f"the answer has more than {max_bytes} bytes", code="too_large")
            yield chunk

    def _read(self) -> bytes:
        with _told(self._deadline):
            chunk: bytes = self._response.read(_CHUNK, decode_content=True)
        if self._deadline.over:
            # A line that was cut looks like the end of a body without a length.
            raise _late()
        return chunk


class Exchange:
    """`max_bytes` is the most that an answer's body may have; `context` is for TLS, by default one with the
    system's authorities, which takes time to read and so is made when it is needed."""

    def __init__(self, max_bytes: int, context: ssl.SSLContext | None = None) -> None:
        self._max_bytes = max_bytes
        self._context = context

    def run(self, target: Target, addresses: list[str], message: Message, deadline: Deadline) -> Reply:
        """Raises Trouble, or EffectError where the answer can't be used."""
        with self.open(target, addresses, message, deadline) as incoming:
            leads_on = 300 <= incoming.status < 400 and "location" in incoming.headers
            body = b"" if leads_on else b"".join(incoming.chunks(self._max_bytes))
            return Reply(incoming.status, incoming.headers, body)

    @contextmanager
    def open(
        self, target: Target, addresses: list[str], message: Message, deadline: Deadline
    ) -> Iterator[Incoming]:
        """The answer, to be read within the block. Raises as `run`."""
        line = self._connect(target, addresses, deadline)
        connection = HTTPConnection(target.host, target.port, timeout=deadline.left)
        connection.sock = line
        try:
            with _told(deadline):
                response = _asked(connection, target, message)
            # Its body may be left unread, and would keep the line open.
            with closing(response):
                incoming = Incoming(response, deadline)
                if deadline.over:
                    raise _late()
                yield incoming
        finally:
            deadline.watch(None)
            connection.close()

    def _connect(self, target: Target, addresses: list[str], deadline: Deadline) -> socket.socket:
        for address in addresses[:ADDRESSES]:
            try:
                return self._line(target, address, deadline)
            except ssl.SSLCertVerificationError as error:
                message = f"the certificate is not that of {target.host}, or not trusted"
                raise EffectError(message, code="certificate") from error
            except OSError as error:
                if deadline.over or isinstance(error, TimeoutError):
                    raise _late(sent=False) from error
        raise Trouble("connection", "the host can't be reached", sent=False)

    def _line(self, target: Target, address: str, deadline: Deadline) -> socket.socket:
        """A socket to this very address: no name is resolved here, and no proxy asked."""
        line = socket.create_connection((address, target.port), timeout=deadline.left)
        deadline.watch(line)
        if target.scheme == "http":
            return line
        try:
            self._context = self._context or ssl.create_default_context()
            secure = self._context.wrap_socket(line, server_hostname=target.host)
        except BaseException:
            line.close()
            raise
        deadline.watch(secure)
        return secure


def reach(target: Target, resolver: Resolver, deadline: Deadline, *, anywhere: bool) -> list[str]:
    """Where the host is, resolved once: the request goes to one of these and to nothing else.

    Raises Trouble, or EffectError unless all of them are public or it may be `anywhere`.
    """
    try:
        found = resolve_within(resolver, target.host, target.port, deadline.left)
    except TimeoutError:
        raise Trouble("timeout", "the host's name was not resolved in time", sent=False) from None
    except OSError:
        raise Trouble("connection", "the host's name can't be resolved", sent=False) from None
    if not anywhere and not (found and all(map(is_public, found))):
        raise EffectError("the host is not a public one", code="not_allowed")
    return found


def _asked(connection: HTTPConnection, target: Target, message: Message) -> HTTPResponse:
    connection.request(
        message.method,
        target.path,
        body=message.body,
        headers={"Host": target.authority, "Accept-Encoding": "identity", **message.headers},
        preload_content=False,
    )
    return connection.getresponse()


@contextmanager
def _told(deadline: Deadline) -> Iterator[None]:
    """What went wrong on the line, as Trouble."""
    try:
        yield
    except (OSError, HTTPException, HTTPError) as error:
        if deadline.over or isinstance(error, TimeoutError | TimeoutException):
            raise _late() from error
        if isinstance(error, DecodeError):
            raise EffectError("the answer can't be unpacked", code="encoding") from error
        raise Trouble("connection", f"the line broke: {type(error).__name__}") from error


def _headers(given: HTTPHeaderDict) -> dict[str, str]:
    """By lower-case names; several of one name are one, with commas between."""
    headers: dict[str, str] = {}
    for name, value in given.items():
        headers[name.lower()] = value
    if sum(len(name) + len(value) for name, value in headers.items()) > HEADER_BYTES:
        raise EffectError(f"the answer's headers have more than {HEADER_BYTES} bytes", code="too_large")
    return headers


def _late(*, sent: bool = True) -> Trouble:
    return Trouble("timeout", "there was no answer in time", sent=sent)
