"""Would a cache in Redis make a turn cheaper? What it would save and what it would cost, on real servers.

A turn locks its conversation's row and has it then, state and all. The cache would leave the state out of
that statement and take it from Redis by the conversation's version, and would have to write it there after
each turn, for the row is written anyway. Both sides read and write the same text; sides alternate, round by
round, and each figure is the median over the rounds, in microseconds.

The catalog's look-ups are kept in the process already, found by the edition that a turn reads from SQL.
Beside that: the products as JSON from Redis, from which the names must be made ready again.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session, defer

from benchmarks._lines import line, tell
from tests import servers
from wabot.core.database import Database
from wabot.core.migrate import upgrade
from wabot.core.tables import ContactRow, ConversationRow
from wabot.modules import catalog
from wabot.modules.catalog import queries
from wabot.modules.catalog.names import Names

CONVERSATIONS = 64
SIZES = (1_000, 4_000, 16_000)
PRODUCTS = 1_000
NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = "wabot:state:{}:{}"


def median(rounds: int, *sides: Callable[[int], object]) -> list[float]:
    """What each side's call takes, in microseconds; they alternate, on one conversation after the other."""
    taken: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + 50):
        for side, times in zip(sides, taken, strict=True):
            began = perf_counter()
            side(number % CONVERSATIONS + 1)
            times.append((perf_counter() - began) * 1e6)
    return [round(statistics.median(times[50:]), 1) for times in taken]


def state_of(size: int) -> str:
    """A state's text of about this many characters."""
    variables = {f"variable_{number}": "x" * 40 for number in range(size // 60)}
    return json.dumps({"frames": [{"flow": "order", "version": 1, "variables": variables}]})


def fill(database: Database, client: Redis, state: str) -> None:
    with database.transaction() as session:
        session.execute(text("delete from conversation"))
        session.execute(text("delete from contact"))
        for number in range(1, CONVERSATIONS + 1):
            session.add(ContactRow(id=number, phone=f"+{number}", created_at=NOW))
        session.flush()
        for number in range(1, CONVERSATIONS + 1):
            row = {"id": number, "channel": "fake", "sender": "+0", "contact_id": number, "created_at": NOW}
            session.add(ConversationRow(**row, state=state, version=1))
            client.set(KEY.format(number, 1), state, ex=3600)
        session.commit()


def state_figures(database: Database, client: Redis, size: int, rounds: int) -> list[dict[str, Any]]:
    """A turn's load of the state, and load and save together; from SQL alone, and by way of Redis."""
    state = state_of(size)
    fill(database, client, state)

    def locked(session: Session, id: int, *, whole: bool) -> ConversationRow:
        options = [] if whole else [defer(ConversationRow.state)]
        return session.get_one(ConversationRow, id, options=options, with_for_update=True)

    def load_sql(id: int) -> None:
        with database.transaction() as session:
            json.loads(locked(session, id, whole=True).state or "")

    def load_redis(id: int) -> None:
        with database.transaction() as session:
            row = locked(session, id, whole=False)
            json.loads(str(client.get(KEY.format(id, row.version))))

    def turn_sql(id: int) -> None:
        with database.transaction() as session:
            row = locked(session, id, whole=True)
            row.state = json.dumps({**json.loads(row.state or ""), "at": perf_counter()})
            session.commit()

    def turn_redis(id: int) -> None:
        with database.transaction() as session:
            row = locked(session, id, whole=False)
            cached = str(client.get(KEY.format(id, row.version)))
            written = json.dumps({**json.loads(cached), "at": perf_counter()})
            row.state = written
            session.commit()
        client.set(KEY.format(id, row.version), written, ex=3600)

    loads = median(rounds, load_sql, load_redis)
    turns = median(rounds, turn_sql, turn_redis)
    names = (f"cache.state.{len(state)}.load", f"cache.state.{len(state)}.turn")
    return [
        line(name, redis, "us", sql, redis / sql)
        for name, (sql, redis) in zip(names, (loads, turns), strict=True)
    ]


def catalog_figures(database: Database, client: Redis, rounds: int) -> dict[str, Any]:
    """A look-up's way to the products: by their edition, as it is; and by the edition from Redis."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.csv"
        rows = "".join(
            f"SKU-{number},Product {number},pcs,{number},18\n" for number in range(1, PRODUCTS + 1)
        )
        file.write_text(f"sku,name,unit,price,tax_rate\n{rows}", encoding="utf-8")
        with database.transaction() as session:
            queries.import_file(session, file, "INR", NOW)
            products = [(product.name, product.sku) for product in queries.products(session)]
            session.commit()
    client.set("wabot:catalog", json.dumps(products))

    def in_process(_: int) -> None:
        with database.reading() as session:
            queries.edition(session)

    def from_redis(_: int) -> None:
        names = Names(80.0)
        with database.reading() as session:
            queries.edition(session)
        for at, (name, sku) in enumerate(json.loads(str(client.get("wabot:catalog")))):
            names.add(at, (name,), (sku,))

    kept, fetched = median(rounds, in_process, from_redis)
    return line(f"cache.catalog.{len(products)}", fetched, "us", kept, fetched / kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--rounds", type=int, default=500)
    arguments = parser.parse_args()
    with (
        servers.postgres() as server,
        servers.redis() as redis_url,
        closing(Database(server)) as database,
        Redis.from_url(redis_url, decode_responses=True) as client,
    ):
        upgrade(database, [catalog.module])
        figures = [
            figure for size in SIZES for figure in state_figures(database, client, size, arguments.rounds)
        ]
        figures.append(catalog_figures(database, client, max(arguments.rounds // 10, 5)))
    for each in figures:
        tell(each, as_json=arguments.json)


if __name__ == "__main__":
    main()
