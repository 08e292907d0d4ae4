"""What accepting a webhook costs, beside the least that its route must do.

One gunicorn, as `wabot web` starts it, serves both: wabot's webhook of Twilio, which verifies the signature,
reads the form, commits the message to PostgreSQL and answers; and a bare Flask route in the same app that
verifies the same signature with the same code and answers, with nothing kept and nothing logged. Both get
the same signed requests, of contacts that have written before, over the same number of connections, which
stay open. Rounds of the two alternate; figures are the median over rounds.

The load comes from one process beside the server on the same machine. PostgreSQL syncs to disk as it does by
default.
"""

import argparse
import os
import selectors
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from flask import Flask, Response, request
from pydantic import SecretStr
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from benchmarks._lines import line, tell
from benchmarks.durable import postgres
from tests import servers
from wabot.adapters.channels.twilio import TwilioWebhook
from wabot.adapters.web import create_app
from wabot.adapters.wsgi import serve_processes
from wabot.bootstrap import build, configure_logging, find_modules
from wabot.core.database import Database
from wabot.core.doors import TwilioSettings, WebSettings
from wabot.core.migrate import upgrade
from wabot.core.ports import SystemClock
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.runtime.keys import new_key
from wabot.settings import Settings

WORKERS, THREADS = 2, 4
CONTACTS = 200
TOKEN, ACCOUNT, OURS = uuid4().hex, f"AC{'0' * 32}", "+14155238886"
PUBLIC = "https://bench.example.com"
BARE, OURS_PATH = "/bare", "/whatsapp/webhook"
FLOW = """
flow: bench
states:
  open:
    initial: true
    enter: [{say: "Welcome"}]
"""
DATABASE, SECRET = "BENCH_DATABASE", "BENCH_TOKEN"


def settings(url: str, token: str) -> Settings:
    return Settings(
        database=SecretStr(url),
        twilio=TwilioSettings(account_sid=ACCOUNT, auth_token=SecretStr(token), number=OURS),
        web=WebSettings(public_url=PUBLIC),
    )


def make(url: str, token: str) -> Flask:
    """The server's app: wabot's routes, and the bare one."""
    given = settings(url, token)
    configure_logging(given)
    app = build(given, sources=[load_flow(FLOW, "bench.yaml")], texts=Texts()).bind()
    flask = create_app(app)
    bare = Flask("bare")
    webhook = TwilioWebhook(token)

    @bare.post(BARE)
    def verified() -> Response:
        parameters = parse_qsl(request.get_data(as_text=True), keep_blank_values=True)
        signature = request.headers.get("X-Twilio-Signature", "")
        if not webhook.genuine(f"{PUBLIC}{OURS_PATH}", parameters, signature):
            return Response(status=403)
        return Response("<Response/>", mimetype="text/xml")

    def both(environ: Any, start: Any) -> Any:
        return (bare if environ["PATH_INFO"] == BARE else flask)(environ, start)

    return both  # type: ignore[return-value]  # a WSGI application of two


@contextmanager
def served(url: str) -> Iterator[tuple[str, int]]:
    """A gunicorn of the app in processes of its own; yields where it listens."""
    environment = {**os.environ, DATABASE: url, SECRET: TOKEN}
    command = [sys.executable, "-m", "benchmarks.webhook", "--serve"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout
            said = process.stdout.readline()
            if not said:
                raise RuntimeError("the server did not start")
            host, _, port = said.strip().removeprefix("http://").rpartition(":")
            yield host, int(port)
        finally:
            process.terminate()


def serve() -> None:
    url, token = os.environ[DATABASE], os.environ[SECRET]
    serve_processes(
        lambda: make(url, token),
        host="127.0.0.1",
        port=0,
        workers=WORKERS,
        threads=THREADS,
        ready=lambda address: print(address, flush=True),
        ended=lambda: None,
    )


class Requests:
    """Signed webhooks, each a new message; the same bytes for both routes but for the path."""

    def __init__(self) -> None:
        self._validator = RequestValidator(TOKEN)
        self._numbers = count()
        self._run = uuid4().hex[:8]

    def some(self, path: str, number: int) -> list[bytes]:
        return [self._one(path, next(self._numbers)) for _ in range(number)]

    def _one(self, path: str, number: int) -> bytes:
        form = {
            "SmsMessageSid": f"SM{self._run}{number:024}",
            "NumMedia": "0",
            "ProfileName": "Asha",
            "MessageType": "text",
            "SmsSid": f"SM{self._run}{number:024}",
            "WaId": f"9198{number % CONTACTS:08}",
            "SmsStatus": "received",
            "Body": "100 bags of cement, please",
            "To": f"whatsapp:{OURS}",
            "NumSegments": "1",
            "ReferralNumMedia": "0",
            "MessageSid": f"SM{self._run}{number:024}",
            "AccountSid": ACCOUNT,
            "From": f"whatsapp:+9198{number % CONTACTS:08}",
            "ApiVersion": "2010-04-01",
        }
        signature = self._validator.compute_signature(f"{PUBLIC}{OURS_PATH}", form)
        body = urlencode(form)
        return (
            f"POST {path} HTTP/1.1\r\nHost: bench.example.com\r\nX-Twilio-Signature: {signature}\r\n"
            f"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


@dataclass
class Round:
    """What one side did in one round: seconds of each request that was answered 200."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)] * 1000


def load(address: tuple[str, int], requests: Sequence[bytes], connections: int) -> Round:
    """Send all of these, so many at a time, each connection its next one when it has its answer."""
    done, waiting = Round(), iter(requests)
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        began = perf_counter()
        for _ in range(connections):
            connection = stack.enter_context(socket.create_connection(address))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, perf_counter())
            connection.sendall(next(waiting))
        busy = connections
        while busy:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                if not answered(key.fileobj):
                    raise RuntimeError("a request was refused")
                now = perf_counter()
                done.latencies.append(now - key.data)
                if (following := next(waiting, None)) is None:
                    selector.unregister(key.fileobj)
                    busy -= 1
                else:
                    selector.modify(key.fileobj, selectors.EVENT_READ, now)
                    key.fileobj.sendall(following)
        done.seconds = perf_counter() - began
    return done


def answered(connection: socket.socket) -> bool:
    """Read one whole answer; whether it is a 200."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or end()
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (int(row[15:]) for row in head.split(b"\r\n") if row.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536) or end()
    return head.startswith(b"HTTP/1.1 200")


def end() -> bytes:
    raise RuntimeError("the server closed a connection")


def prepare(url: str) -> None:
    with closing(Database(url)) as database:
        upgrade(database, find_modules())
        new_key(database, SystemClock(), "bench", ["admin"])


def analyze(url: str) -> None:
    """As a server's autovacuum does within a minute: until then it looks at all conversations of a sender."""
    with closing(Database(url)) as database, database.transaction() as session:
        session.execute(text("analyze"))
        session.commit()


def compare(url: str, rounds: int, requests: int, connections: int) -> Iterator[dict[str, Any]]:
    source = Requests()
    sides: dict[str, list[Round]] = {BARE: [], OURS_PATH: []}
    with served(url) as address:
        # The contacts write for the first time, and both sides are warm.
        for path in (OURS_PATH, BARE):
            load(address, source.some(path, 2 * CONTACTS), connections)
        analyze(url)
        for _ in range(rounds):
            for path, found in sides.items():
                found.append(load(address, source.some(path, requests), connections))
    pairs = list(zip(sides[OURS_PATH], sides[BARE], strict=True))
    rate = [statistics.median(each.rate for each in sides[path]) for path in (OURS_PATH, BARE)]
    p99 = [statistics.median(each.p99 for each in sides[path]) for path in (OURS_PATH, BARE)]
    yield line(
        "webhook.postgres.accepted",
        rate[0],
        "requests/s",
        rate[1],
        statistics.median(ours.rate / bare.rate for ours, bare in pairs),
    )
    yield line(
        "webhook.postgres.p99",
        p99[0],
        "ms",
        p99[1],
        statistics.median(ours.p99 / bare.p99 for ours, bare in pairs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="What accepting a webhook costs.")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument("--quick", action="store_true", help="a quarter of a minute in all")
    parser.add_argument("--postgres", default="", help="an SQLAlchemy URL; else a server of our own")
    parser.add_argument("--connections", type=int, default=8, help="requests at a time")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    rounds, requests = (3, 1500) if options.quick else (7, 5000)
    try:
        with postgres(options.postgres) as url:
            prepare(url)
            for entry in compare(url, rounds, requests, options.connections):
                tell(entry, as_json=options.json)
    except servers.ServerMissing as error:
        print(f"no PostgreSQL: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
