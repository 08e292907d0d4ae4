"""What a durable turn costs, beside the least that a database must do for one.

A turn is: accept a message and commit; then lock its conversation, run the order conversation of
benchmarks.turn one message further ("Hi", "Cement x 100", "1"), and commit state, replies, timers and
that the message is done. Its commands answer from memory (`turns`), or write orders and invoices as
those of the example shop do, gapless numbers and all (`shop`). `sent` is `turns`, and after each what a
worker's jobs do: look for the conversation's next event, and send what is due, to a provider that takes no
time.

The bare loop has no wabot in it: psycopg (or sqlite3) by hand, one transaction that inserts an inbound row,
selects the conversation for update, updates 1 KB of JSON in it, and inserts an outbox row. So it
commits once where a turn commits twice.

On PostgreSQL eight processes work at once, each in eight conversations of its own; on SQLite, which has
one writer, one process. Rounds of the sides alternate; figures are the median over rounds. A database
syncs to disk as it does by default, and SQLite as wabot sets it (WAL, FULL).

The last part is one process that accepts, finds what is due, takes the turn and sends, with a thousand
and with a million idle conversations beside it.
"""

import argparse
import json
import multiprocessing
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import psycopg
from pydantic import BaseModel, ConfigDict
from sqlalchemy import make_url, text

from benchmarks._lines import line, tell
from benchmarks.turn import FLOWS, SCRIPT, Commands
from tests import servers
from wabot.app import App
from wabot.bootstrap import build, find_modules, load_settings
from wabot.core.database import Database
from wabot.core.messages import Inbound
from wabot.core.migrate import upgrade
from wabot.core.module import Call, Module
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.pipeline import Outcome, Turn
from wabot.runtime import accept
from wabot.settings import RateLimitSettings, Settings
from wabot.testing.fakes import FakeChannel

MERCHANT = Path(__file__).parents[1] / "examples" / "merchant"
WORKERS = 8
CONVERSATIONS = 8
WARM_UP = 8
"""Conversations of each worker before it counts: PostgreSQL plans a statement anew its first times."""
KILOBYTE = json.dumps({"state": "x" * 1010})
UNLIMITED = RateLimitSettings(per_minute=0)
PROCESSES = multiprocessing.get_context("fork")

Ready = Callable[[], float]
"""Waits until every worker is ready to begin; gives when to end, by `perf_counter`."""
Work = Callable[[str, int, Ready], int]
"""Works on the database of this URL as this worker; gives how many turns."""


class _Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


def _from_memory() -> list[Module]:
    modules: list[Module] = []

    def answer(name: str) -> Callable[[_Anything, Call], Any]:
        def handler(arguments: _Anything, _call: Call) -> Any:
            return Commands().run(name, arguments.model_extra or {})

        return handler

    for real in find_modules(["catalog", "orders"]):
        module = Module(real.name)
        for name in real.commands:
            module.command(name.removeprefix(f"{real.name}."))(answer(name))
        modules.append(module)
    return modules


def _memory_app(url: str) -> App:
    settings = Settings.model_validate({"flow": "order", "database": url, "rate_limit": UNLIMITED})
    sources = [load_flow(path.read_text("utf-8"), path.name) for path in sorted(FLOWS.glob("*.yaml"))]
    texts = Texts.load([FLOWS / "texts"])
    return App(settings, modules=_from_memory(), channel=_channel(), sources=sources, texts=texts)


def _shop_app(url: str) -> App:
    settings = load_settings(MERCHANT, environment={"DATABASE_URL": url})
    return build(settings.model_copy(update={"rate_limit": UNLIMITED}), channel=_channel())


def _channel() -> FakeChannel:
    return FakeChannel("bench")


def _message(contact: str, number: int) -> Inbound:
    return Inbound(
        channel="bench",
        event_id=uuid4().hex,
        sender=contact,
        recipient="+911",
        text=SCRIPT[number % len(SCRIPT)],
    )


Step = Callable[[App, Inbound], None]


def _turns(make: Callable[[str], App], step: Step, url: str, ready: Ready) -> int:
    with make(url).bind() as app:
        contacts = [f"+91{uuid4().int % 10**10:010}" for _ in range(CONVERSATIONS)]
        for number in range(WARM_UP * len(SCRIPT)):
            step(app, _message("+91warm" + contacts[0], number))
        done, end = 0, ready()
        while perf_counter() < end:
            step(app, _message(contacts[done % CONVERSATIONS], done // CONVERSATIONS))
            done += 1
        return done


def _turn(app: App, message: Inbound) -> None:
    conversation = accept(app.database, app.clock, app.ids, message)
    turn = Turn(conversation or 0, wait=False)
    app.pipeline.run(turn)
    if turn.outcome is not Outcome.DONE:
        raise RuntimeError(f"a turn was {turn.outcome}: {turn.error!r}")


def _answered(app: App, message: Inbound) -> None:
    app.serve(accept(app.database, app.clock, app.ids, message) or 0)
    app.send()


def turns(url: str, _worker: int, ready: Ready) -> int:
    return _turns(_memory_app, _turn, url, ready)


def sent(url: str, _worker: int, ready: Ready) -> int:
    return _turns(_memory_app, _answered, url, ready)


def shop(url: str, _worker: int, ready: Ready) -> int:
    return _turns(_shop_app, _turn, url, ready)


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def bare_postgres(url: str, worker: int, ready: Ready) -> int:
    with psycopg.connect(_plain(url)) as connection:
        done, end = 0, ready()
        while perf_counter() < end:
            conversation = worker * CONVERSATIONS + done % CONVERSATIONS + 1
            with connection.transaction():
                connection.execute(
                    "insert into bare_inbound (conversation_id, event_id, payload) values (%s, %s, %s)",
                    (conversation, uuid4().hex, '{"text": "Cement x 100"}'),
                )
                connection.execute(
                    "select state from bare_conversation where id = %s for update", (conversation,)
                ).fetchone()
                connection.execute(
                    "update bare_conversation set state = %s where id = %s", (KILOBYTE, conversation)
                )
                connection.execute(
                    "insert into bare_outbox (conversation_id, message) values (%s, %s)",
                    (conversation, '{"text": "Your order: 100 x Cement"}'),
                )
            done += 1
    return done


def bare_sqlite(url: str, _worker: int, ready: Ready) -> int:
    with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as connection:
        done, end = 0, ready()
        connection.execute("pragma synchronous = full")
        while perf_counter() < end:
            conversation = done % CONVERSATIONS + 1
            connection.execute("begin immediate")
            connection.execute(
                "insert into bare_inbound (conversation_id, event_id, payload) values (?, ?, ?)",
                (conversation, uuid4().hex, '{"text": "Cement x 100"}'),
            )
            connection.execute("select state from bare_conversation where id = ?", (conversation,)).fetchone()
            connection.execute(
                "update bare_conversation set state = ? where id = ?", (KILOBYTE, conversation)
            )
            connection.execute(
                "insert into bare_outbox (conversation_id, message) values (?, ?)",
                (conversation, '{"text": "Your order: 100 x Cement"}'),
            )
            connection.execute("commit")
            done += 1
    return done


def prepare(url: str) -> None:
    """The tables of both sides, and the bare one's conversations."""
    with closing(Database(url)) as database:
        upgrade(database, find_modules())
        serial = (
            "integer primary key" if database.engine.dialect.name == "sqlite" else "bigserial primary key"
        )
        with database.transaction() as session:
            for statement in (
                f"create table bare_conversation (id {serial}, state text)",
                f"""create table bare_inbound
                (id {serial}, conversation_id bigint, event_id text unique, payload text)""",
                f"create table bare_outbox (id {serial}, conversation_id bigint, message text)",
                "create index bare_inbound_of on bare_inbound (conversation_id)",
                "create index bare_outbox_of on bare_outbox (conversation_id)",
            ):
                session.execute(text(statement))
            rows = [{"state": KILOBYTE}] * (WORKERS * CONVERSATIONS)
            session.execute(text("insert into bare_conversation (state) values (:state)"), rows)
            session.commit()


def forget_messages(url: str) -> None:
    """What the round before has left to send is no work of the next."""
    with closing(Database(url)) as database, database.transaction() as session:
        session.execute(text("update outbox set due_at = null where due_at is not null"))
        session.commit()


def rate(work: Work, url: str, workers: int, seconds: float) -> float:
    """Turns a second of this many processes together, from when the last of them is ready."""
    barrier, counts = PROCESSES.Barrier(workers), PROCESSES.Queue()

    def ready() -> float:
        barrier.wait(60)
        end: float = perf_counter() + seconds
        return end

    def run(worker: int) -> None:
        counts.put(work(url, worker, ready))

    processes = [PROCESSES.Process(target=run, args=(worker,)) for worker in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds + 120)
    if any(process.exitcode for process in processes):
        raise RuntimeError("a worker failed")
    done: int = sum(counts.get(timeout=10) for _ in processes)
    return done / seconds


def compare(
    name: str, url: str, bare: Work, workers: int, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    sides: dict[str, Work] = {"bare": bare, "turns": turns, "sent": sent, "shop": shop}
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for side, work in sides.items():
            forget_messages(url)
            found[side].append(rate(work, url, workers, seconds))
    ratios = {
        side: statistics.median(
            each / beside for each, beside in zip(found[side], found["bare"], strict=True)
        )
        for side in sides
        if side != "bare"
    }
    bare_rate = statistics.median(found["bare"])
    return [
        line(f"{name}.{side}", statistics.median(found[side]), "turns/s", bare_rate, ratio)
        for side, ratio in ratios.items()
    ]


IDLE = (
    """insert into contact (phone, name, locale, created_at)
    select 'idle' || n, '', '', now() from generate_series({first}, {last}) n""",
    """insert into conversation
        (channel, sender, contact_id, flow, state, version, counter, positions, created_at)
    select 'bench', '+911', id, 'idle', repeat('x', 300), 1, 1, 1, now() from contact
    where phone like 'idle%' and not exists (select from conversation where contact_id = contact.id)""",
    """insert into inbound (channel, event_id, conversation_id, origin, payload, correlation, status,
        attempts, error, received_at, done_at)
    select 'bench', 'idle' || id, id, 'message', '{{}}', '', 'done', 0, '', now(), now()
    from conversation where flow = 'idle' on conflict do nothing""",
)


def fill(url: str, first: int, last: int) -> None:
    """Idle conversations, each with a message that is done."""
    with closing(Database(url)) as database, database.transaction() as session:
        for statement in IDLE:
            session.execute(text(statement.format(first=first, last=last)))
        session.commit()
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        # What a server does by itself within minutes, and would do beside what is measured.
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")


def latencies(url: str, count: int) -> list[float]:
    """Milliseconds from accepting a message until its reply has left, and nothing is due."""
    with _memory_app(url).bind() as app:
        app.drain()
        contacts = [f"+91{uuid4().int % 10**10:010}" for _ in range(CONVERSATIONS)]
        taken = []
        for number in range(count):
            began = perf_counter()
            app.accept(_message(contacts[number % CONVERSATIONS], number // CONVERSATIONS))
            app.drain()
            taken.append((perf_counter() - began) * 1000)
    return sorted(taken[CONVERSATIONS:])


def idle(url: str, sizes: tuple[int, int], count: int) -> dict[str, Any]:
    p99 = []
    before = 0
    for size in sizes:
        fill(url, before + 1, size)
        before = size
        taken = latencies(url, count)
        p99.append(taken[int(len(taken) * 0.99)])
    return line(f"durable.idle.{sizes[1]}.p99", p99[1], "ms", p99[0], p99[1] / p99[0])


@contextmanager
def folder() -> Iterator[Path]:
    """On the disk, unlike that of the tests: a commit is to wait for it."""
    path = Path(tempfile.mkdtemp(prefix="wabot-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def postgres(given: str) -> Iterator[str]:
    """The URL of a new database, on the server given or on one of our own."""
    if given:
        with servers.postgres_database(given) as url:
            yield url
        return
    with ExitStack() as stack:
        server, _restart = stack.enter_context(servers.carried_postgres(stack.enter_context(folder())))
        yield stack.enter_context(servers.postgres_database(server))


def main() -> None:
    parser = argparse.ArgumentParser(description="What a durable turn costs.")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument(
        "--quick", action="store_true", help="a minute and a half, with 50,000 idle conversations"
    )
    parser.add_argument("--postgres", default="", help="an SQLAlchemy URL; else a server of our own")
    options = parser.parse_args()
    rounds, seconds, count = (1, 3.0, 300) if options.quick else (3, 8.0, 2000)
    sizes = (1_000, 50_000) if options.quick else (1_000, 1_000_000)

    def told(*entries: dict[str, Any]) -> None:
        for entry in entries:
            tell(entry, as_json=options.json)

    with folder() as home:
        url = f"sqlite:///{home / 'bench.db'}"
        prepare(url)
        told(*compare("durable.sqlite", url, bare_sqlite, 1, rounds, seconds))
    try:
        with postgres(options.postgres) as url:
            prepare(url)
            told(*compare("durable.postgres", url, bare_postgres, WORKERS, rounds, seconds))
            told(idle(url, sizes, count))
    except servers.ServerMissing as error:
        print(f"no PostgreSQL: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
