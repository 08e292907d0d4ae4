"""A bot in a process of its own, for tests that kill it."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from wabot.app import App
from wabot.bootstrap import build, load_settings
from wabot.core.faults import CRASH_AT
from wabot.core.messages import Inbound, Outbound
from wabot.core.module import Call, Module
from wabot.core.tables import ContactRow
from wabot.engine.loader import load_flow
from wabot.settings import Settings
from wabot.testing.fakes import FileChannel, FileLookupChannel, ManualClock

MERCHANT = Path(__file__).parents[2] / "examples/merchant"
PHONE = "+919876543210"
FLOW = """
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


class Nothing(BaseModel):
    pass


def make_tally() -> Module:
    """Counts in a contact's name, and by an event of its own says so."""
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

    return tally


def make_app(folder: Path, hours: float, lookup: bool) -> App:
    clock = ManualClock()
    clock.advance(timedelta(hours=hours))
    channel = FileLookupChannel if lookup else FileChannel
    return App(
        Settings(directory=folder, database=SecretStr("sqlite:///crash.db")),
        modules=[make_tally()],
        channel=channel(folder / "sent.jsonl"),
        clock=clock,
        sources=[load_flow(FLOW, "count.yaml")],
    )


def make_shop(folder: Path, hours: float) -> App:
    """The example shop, with its record in `folder`."""
    clock = ManualClock()
    clock.advance(timedelta(hours=hours))
    settings = load_settings(MERCHANT, environment={"DATABASE_URL": f"sqlite:///{folder}/shop.db"})
    return build(settings, channel=FileLookupChannel(folder / "sent.jsonl"), clock=clock)


def main(folder: Path, hours: float, lookup: bool, crash_at: str, texts: tuple[str, ...]) -> None:
    """Accept each text as a message of one contact, its event id the text itself, and drain.

    The clock stands at `hours` after noon. What is sent is appended to `sent.jsonl`; with `lookup` the
    channel can tell what it has sent.
    """
    talk(make_app(folder, hours, lookup), crash_at, texts)


def shop(folder: Path, hours: float, crash_at: str, texts: tuple[str, ...]) -> None:
    """As `main`, with the example shop."""
    talk(make_shop(folder, hours), crash_at, texts)


def talk(app: App, crash_at: str, texts: tuple[str, ...]) -> None:
    os.environ[CRASH_AT] = crash_at
    with app.bind():
        for text in texts:
            app.accept(
                Inbound(channel="file", event_id=text, sender=PHONE, recipient="+911000000000", text=text)
            )
        app.drain()
