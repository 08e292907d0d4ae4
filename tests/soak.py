"""`make soak`: bots on one record, one of them killed every second, and a count of what the contacts got.

    python -m tests.soak --messages 10000 --contacts 500 --workers 4 --every 1

Without `--database` it starts a PostgreSQL of its own.
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta

from tests import servers
from tests.faults.bots import Bot
from tests.faults.crowd import Count, Crowd
from tests.faults.harness import Bots
from wabot.core.database import Database
from wabot.core.migrate import upgrade
from wabot.runtime import next_due
from wabot.testing import FakeProvider

STALLED = 120.0
"""Seconds without a delivery, after which what is missing counts as lost."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """`count` is of what the contacts got, `record` of the rows in the database."""

    count: Count
    record: Count
    killed: int
    seconds: float


def soak(
    database: str,
    messages: int,
    contacts: int,
    workers: int = 4,
    every: float = 1.0,
    tell: Callable[[str], None] = lambda line: None,
) -> Soaked:
    """Kill one of the bots every so many seconds and start another, until there is nothing left to do."""
    begun = time.monotonic()
    with FakeProvider() as provider, closing(Database(database)) as record:
        bot = Bot(database, provider.url, flow="echo", grace=timedelta(seconds=0.5))
        with closing(Bots(provider, bot)) as bots:
            for _ in range(workers):
                bots.start()
            crowd = Crowd(contacts, messages, lambda: [live.port for live in bots.live])
            crowd.start()
            killed = _kill_until_done(bots, crowd, record, every, tell)
            crowd.stop()
        seconds = time.monotonic() - begun
        return Soaked(crowd.count(provider), crowd.count_on_record(record), killed, seconds)


def _kill_until_done(
    bots: Bots, crowd: Crowd, record: Database, every: float, tell: Callable[[str], None]
) -> int:
    killed, chance = 0, random.Random(crowd.messages)
    delivered, last = 0, time.monotonic()
    next_kill = last + every
    while crowd.busy or next_due(record) is not None:
        time.sleep(max(0.0, next_kill - time.monotonic()))
        bots.replace(chance.choice(bots.live))
        killed += 1
        now, count = time.monotonic(), len(bots.provider.deliveries)
        # Where starting takes long: bots that never live do no work.
        next_kill = max(next_kill + every, now + every / 2)
        if count != delivered:
            delivered, last = count, now
        if now - last > STALLED:
            break
        if killed % 10 == 0:
            tell(f"{count} of {crowd.messages} answered, {killed} killed")
    return killed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--contacts", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two kills")
    parser.add_argument("--database", help="its URL; without one a PostgreSQL is started")
    options = parser.parse_args(arguments)
    # As Ctrl-C does it: no server and no bot outlives this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        url = options.database or stack.enter_context(servers.postgres())
        with closing(Database(url)) as database:
            upgrade(database)
        done = soak(url, options.messages, options.contacts, options.workers, options.every, _say)
    _say(
        f"{options.messages} messages of {options.contacts} contacts, {options.workers} workers, "
        f"{done.killed} killed, {done.seconds:.0f} s"
    )
    _say(f"what the contacts got: {done.count}")
    _say(f"what is on record, row by row: {done.record}")
    return 0 if done.count == done.record == Count() else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
