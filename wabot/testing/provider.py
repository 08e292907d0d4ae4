"""A provider that is a real HTTP server on 127.0.0.1: it counts what it takes, fails as told and calls back.

    with FakeProvider() as provider:
        channel = ProviderLookupChannel(provider.url)
        provider.next(Behaviour(cut=True))      # it takes the next message, and its answer is lost
        ...
        assert provider.texts("+919876543210") == ["Hello"]

The server belongs to the process that made it; other processes reach it by its `url`, through a channel
of their own.

    POST /messages              {to, sender, message, reference, callback}  ->  201 {"id": …}
    GET /messages?reference=…   ->  200 {"messages": [{"id": …, "reference": …}]}
"""

import json
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from wabot.core.messages import Outbound
from wabot.testing.fakes import Delivery
from wabot.testing.provider_channel import CREATED, HOST, OK, post

UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Callback:
    """One status that the provider reports of a message.

    It comes `after` so many seconds, `times` over; with `early` before the message is answered.
    """

    status: str
    after: float = 0.0
    times: int = 1
    early: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the provider does with a message.

    It takes it or not (`take`), and after `delay` seconds answers `status`, or with `cut` closes the
    line without a word. `callbacks` follow only where it took the message.
    """

    take: bool = True
    status: int = CREATED
    code: str = ""
    delay: float = 0.0
    cut: bool = False
    callbacks: tuple[Callback, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a callback carries: our reference and the provider's id of the message, and its new status."""

    reference: str
    provider_id: str
    status: str
    code: str = ""


Listener = Callable[[StatusReport], None]


class FakeProvider:
    """Counts from the moment it is made; listens between `start` and `close`, or in its `with` block.

    `usual` is what it does with messages for which `next` said nothing. `listener` hears every
    callback; it runs in a thread of the provider's. A message that carries a callback URL has its reports
    posted there too, as JSON. A fake of one provider has a `handler` and a `call_url` of its own.
    """

    def __init__(self, usual: Behaviour | None = None, *, listener: Listener | None = None) -> None:
        self.usual = usual or Behaviour()
        self.listener = listener
        self.list_is_down = False
        self.requests = 0
        self.reports: list[StatusReport] = []
        self._deliveries: list[Delivery] = []
        self._by_reference: dict[str, list[Delivery]] = {}
        self._callback_urls: dict[str, str] = {}
        self._next: deque[Behaviour] = deque()
        self._changed = threading.Condition()
        self._open_callbacks: set[threading.Timer] = set()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Listen, on the same port as before if there was one."""
        self._server = Server(self, self._port)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="wabot-provider", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening, and drop the callbacks that have not been made."""
        with self._changed:
            waiting, self._open_callbacks = self._open_callbacks, set()
        for timer in waiting:
            timer.cancel()
        self._stop()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Within the block nobody listens: connections are refused."""
        self._stop()
        try:
            yield
        finally:
            self.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def deliveries(self) -> list[Delivery]:
        """Every message that a contact got, in order; one that came twice is there twice."""
        with self._changed:
            return list(self._deliveries)

    @property
    def counts(self) -> Counter[str]:
        """How often each reference was delivered."""
        return Counter(delivery.reference for delivery in self.deliveries)

    @property
    def callbacks(self) -> dict[str, str]:
        """By the provider's id of each message, the URL for its reports; empty where it has none."""
        with self._changed:
            return dict(self._callback_urls)

    def texts(self, to: str | None = None) -> list[str]:
        """What this contact, or everybody, got to read."""
        return [each.message.text for each in self.deliveries if to is None or each.to == to]

    def next(self, *behaviours: Behaviour) -> None:
        """What to do with the next messages, one each."""
        with self._changed:
            self._next.extend(behaviours)

    def wait_for(self, count: int, timeout: float = 30.0) -> bool:
        """Wait until so many messages were taken; whether they were, within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._deliveries) >= count, timeout)

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until every callback was made; whether they were, within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open_callbacks, timeout)

    def call_back(self, reference: str, status: str, *, times: int = 1, code: str = "") -> None:
        """Report a status of a message that was taken, now and in this thread."""
        taken = self.find(reference)[0]
        self._report(StatusReport(reference, taken.provider_id, status, code), times)

    def find(self, reference: str) -> list[Delivery]:
        """The messages with this reference, the first one first."""
        with self._changed:
            return list(self._by_reference.get(reference, ()))

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers a request; its server has this provider as `provider`."""
        return _Handler

    def receive(self, body: dict[str, Any]) -> tuple[Behaviour, Delivery | None]:
        """The server's part: what to do with this message, and the message itself if it is taken."""
        with self._changed:
            self.requests += 1
            behaviour = self._next.popleft() if self._next else self.usual
            if not behaviour.take:
                return behaviour, None
            taken = Delivery(
                to=body["to"],
                sender=body["sender"],
                message=Outbound.model_validate(body["message"]),
                reference=body["reference"],
                provider_id=self.new_id(len(self._deliveries) + 1),
            )
            self._deliveries.append(taken)
            self._by_reference.setdefault(taken.reference, []).append(taken)
            self._callback_urls[taken.provider_id] = body.get("callback", "")
            self._changed.notify_all()
        return behaviour, taken

    def new_id(self, number: int) -> str:
        """The provider's own id of the `number`th message that it takes."""
        return f"provider-{number}"

    def answered(self, behaviour: Behaviour, taken: Delivery) -> list[threading.Timer]:
        """The server's part: makes the early callbacks; the others to start once the answer is out."""
        later = []
        for callback in behaviour.callbacks:
            report = StatusReport(taken.reference, taken.provider_id, callback.status, callback.code)
            if callback.early:
                self._report(report, callback.times)
            else:
                later.append(self._timer(report, callback))
        with self._changed:
            self._open_callbacks.update(later)
        return later

    def _stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None

    def _timer(self, report: StatusReport, callback: Callback) -> threading.Timer:
        def call() -> None:
            try:
                self._report(report, callback.times)
            finally:
                with self._changed:
                    self._open_callbacks.discard(timer)
                    self._changed.notify_all()

        timer = threading.Timer(callback.after, call)
        timer.daemon = True
        return timer

    def _report(self, report: StatusReport, times: int) -> None:
        for _ in range(times):
            with self._changed:
                self.reports.append(report)
                url = self._callback_urls[report.provider_id]
            if self.listener is not None:
                self.listener(report)
            if url:
                self.call_url(url, report)

    def call_url(self, url: str, report: StatusReport) -> None:
        """Post a report to the URL that its message carried."""
        post(url, asdict(report), timeout=5.0)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, provider: FakeProvider, port: int) -> None:
        self.provider = provider
        super().__init__((HOST, port), provider.handler())

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Whoever asked was killed, and that is what the test is about: half a request, or a line that is cut.
        if not isinstance(sys.exception(), OSError | ValueError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """The test looks at what was delivered, not at a log."""

    def do_POST(self) -> None:
        provider = self.server.provider
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        behaviour, taken = provider.receive(body)
        later = provider.answered(behaviour, taken) if taken else []
        if behaviour.delay:
            threading.Event().wait(behaviour.delay)
        try:
            if behaviour.cut:
                self.close_connection = True
            elif behaviour.status == CREATED:
                self._answer(CREATED, {"id": taken.provider_id if taken else ""})
            else:
                self._answer(behaviour.status, {"code": behaviour.code or str(behaviour.status)})
        finally:
            for timer in later:
                timer.start()

    def do_GET(self) -> None:
        provider = self.server.provider
        if provider.list_is_down:
            self._answer(UNAVAILABLE, {})
            return
        reference = parse_qs(urlsplit(self.path).query).get("reference", [""])[0]
        found = [{"id": each.provider_id, "reference": each.reference} for each in provider.find(reference)]
        self._answer(OK, {"messages": found})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
