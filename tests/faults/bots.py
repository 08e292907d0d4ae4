"""Bots in processes of their own, for tests that kill them. What runs in such a process is here."""

import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from sqlalchemy.exc import SQLAlchemyError

from wabot.app import App
from wabot.bootstrap import build, import_queue, load_settings
from wabot.core.faults import CRASH_AT, at_crash_points
from wabot.core.messages import Inbound, Outbound
from wabot.core.module import Call, Module, Outside
from wabot.core.ports import Clock, SystemClock
from wabot.core.tables import ContactRow
from wabot.engine.loader import load_flow
from wabot.errors import RecordError
from wabot.settings import PoolSettings, RuntimeSettings, Settings
from wabot.testing import ManualClock, ProviderChannel, ProviderLookupChannel

MERCHANT = Path(__file__).parents[2] / "examples/merchant"
OURS, PHONE, PRICES = "+911000000000", "+919876543210", "prices"
COUNT = """
flow: count
datamodel: {n: {type: integer, default: 0}}
states:
  open:
    initial: true
    enter:
      - say: "Welcome"
    after: {5d: late}
    transitions:
      - event: message.text
        on:
          - assign: {n: "{{ n + 1 }}"}
          - tally.count: {}
          - send: {event: reminder, delay: 4d}
          - say: "Message {{ n }}"
      - {event: reminder, on: [{say: "Remember"}]}
  late:
    final: true
"""
ECHO = """
flow: echo
datamodel: {n: {type: integer, default: 0}}
states:
  open:
    initial: true
    enter:
      - say: "{{ n }} {{ message.text }}"
    transitions:
      - event: message.text
        on:
          - assign: {n: "{{ n + 1 }}"}
          - say: "{{ n }} {{ message.text }}"
"""
ASK = """
flow: ask
states:
  open:
    initial: true
    invoke:
      - {id: price, call: tally.price, with: {of: "{{ message.text }}"}}
    transitions:
      - {event: done.invoke.price, on: [{say: "It costs {{ event.data }}"}]}
      - {event: error.invoke.price, on: [{say: "Nobody knows"}]}
"""
FLOWS = {"count": COUNT, "echo": ECHO, "ask": ASK}
LEASE, GRACE, SWEEP = timedelta(seconds=3), timedelta(seconds=1), timedelta(milliseconds=50)
"""Of bots that live by the real clock. The channel's time-out is shorter than the lease."""
TIMEOUT = 2.0


class Nothing(BaseModel):
    pass


class Price(BaseModel):
    of: str


def make_tally(outside: ProviderChannel) -> Module:
    """Counts in a contact's name, and by an event of its own says so. Its prices come from `outside`."""
    tally = Module("tally")

    @tally.command("count")
    def count(arguments: Nothing, call: Call) -> None:
        assert call.contact
        row = call.session.get_one(ContactRow, call.contact.id)
        row.name += "|"
        call.emit("tally.counted", {"tally": row.name})

    @tally.on("tally.counted")
    def tell(payload: Mapping[str, Any], call: Call) -> None:
        call.send(Outbound(text=f"Tally {payload['tally']}"))

    @tally.invoke("price", lease=timedelta(minutes=1))
    def price(arguments: Price, outside_of_turns: Outside) -> int:
        outside.send(PRICES, OURS, Outbound(text=arguments.of), outside_of_turns.key)
        return 7

    return tally


@dataclass(frozen=True, slots=True)
class Bot:
    """One process on a record and at a provider.

    Its clock stands `hours` after noon, or with None is the real one. With `lookup` its channel asks the
    provider what it took. It dies at `crash_at`, and is stopped (SIGSTOP) the first time at `stop_at`.
    With `redis` it is a worker, whose sweeper leaves what is younger than `patience` to RQ.
    """

    database: str
    provider: str
    flow: str = "count"
    hours: float | None = 0.0
    lookup: bool = True
    crash_at: str = ""
    stop_at: str = ""
    redis: str = ""
    patience: timedelta = timedelta(0)
    lease: timedelta = LEASE
    grace: timedelta = GRACE
    timeout: float = TIMEOUT
    busy: timedelta = timedelta(seconds=15)

    def make(self) -> App:
        kind = ProviderLookupChannel if self.lookup else ProviderChannel
        channel = kind(self.provider, timeout=self.timeout)
        parts: dict[str, Any] = {"channel": channel, "clock": self._clock()}
        if self.flow == "shop":
            settings = load_settings(MERCHANT, environment={"DATABASE_URL": self.database})
            return build(settings, **parts)
        runtime = RuntimeSettings()
        if self.hours is None:
            runtime = RuntimeSettings(lease=self.lease, grace=self.grace, sweep=SWEEP)
        # One that is stopped in the middle of a turn keeps its conversation for as long as a test needs.
        pool = PoolSettings(busy=self.busy, idle=timedelta(minutes=10))
        redis = SecretStr(self.redis) if self.redis else None
        settings = Settings(
            database=SecretStr(self.database), redis=redis, modules=[], runtime=runtime, pool=pool
        )
        parts["modules"] = [make_tally(channel)]
        parts["sources"] = [load_flow(FLOWS[self.flow], f"{self.flow}.yaml")]
        return build(settings, **parts) if redis else App(settings, **parts)

    def _clock(self) -> Clock:
        if self.hours is None:
            return SystemClock()
        clock = ManualClock()
        clock.advance(timedelta(hours=self.hours))
        return clock


def written(text: str, phone: str = PHONE, event_id: str = "") -> Inbound:
    """A contact's message; its event id is the text itself unless one is given."""
    return Inbound(
        channel="provider", event_id=event_id or f"{phone} {text}", sender=phone, recipient=OURS, text=text
    )


def talk(bot: Bot, texts: tuple[str, ...]) -> None:
    """Accept each text as a message of one contact, drain, and end."""
    with faults(bot), bot.make().bind() as app:
        for text in texts:
            app.accept(written(text))
        app.drain()


def serve(bot: Bot, tell: Connection) -> None:
    """Take messages over HTTP and work, until SIGTERM. Tells its port once it is ready."""
    with faults(bot), bot.make().bind() as app:
        work = work_of(bot, app)
        with ThreadingHTTPServer(("127.0.0.1", 0), webhook(app.accept)) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            tell.send(server.server_port)
            work()
            server.shutdown()


def work_of(bot: Bot, app: App) -> Callable[[], None]:
    """Sweep; or with Redis, what `wabot worker` does."""
    if bot.redis:
        return partial(import_queue().work, bot.redis, app, sweep=SWEEP, patience=bot.patience)
    sweeper = app.sweeper()
    signal.signal(signal.SIGTERM, lambda *_: sweeper.stop())
    return sweeper.run


def webhook(accept: Callable[[Inbound], bool]) -> type[BaseHTTPRequestHandler]:
    """200 once the message is committed, 503 where it can't be now."""

    class Webhook(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                new = accept(Inbound.model_validate(body))
            except (SQLAlchemyError, RecordError):
                self._answer(503, {})
            else:
                self._answer(200, {"new": new})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Webhook


def faults(bot: Bot) -> ExitStack:
    """What this bot was told to suffer."""
    stack = ExitStack()
    if bot.crash_at:
        os.environ[CRASH_AT] = bot.crash_at
    if bot.stop_at:
        stack.enter_context(at_crash_points(stop_once(bot.stop_at)))
    return stack


def stop_once(name: str) -> Callable[[str], None]:
    left = [name]

    def listener(passed: str) -> None:
        if passed in left:
            left.clear()
            os.kill(os.getpid(), signal.SIGSTOP)

    return listener
