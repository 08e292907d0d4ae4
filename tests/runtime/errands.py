"""A bot whose flow asks another server, in a process of its own, for tests that kill it."""

import os
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from wabot.adapters.http import Http
from wabot.app import App
from wabot.core.faults import CRASH_AT
from wabot.core.http import HttpSettings
from wabot.core.messages import Inbound
from wabot.engine.loader import load_flow
from wabot.settings import Settings
from wabot.testing.fakes import FileLookupChannel, ManualClock

PHONE = "+919876543210"
FLOW = """
flow: errands
states:
  open:
    initial: true
    enter: {say: Yes?}
    transitions:
      - {event: message.text, cond: message.text == 'get', target: getting}
      - {event: message.text, cond: message.text == 'post', target: posting}
  getting:
    invoke: {id: got, http: {url: "http://SHOP/stock", headers: {X-Word: "{{ message.text }}"}}}
    transitions:
      - {event: done.invoke.got, target: open, on: {say: "Got {{ event.data.body.n }}"}}
      - {event: error.invoke.got, target: open, on: {say: "Lost {{ event.data.code }}"}}
  posting:
    invoke: {id: sent, http: {url: "http://SHOP/order", method: POST, json: {n: 1}}}
    transitions:
      - {event: done.invoke.sent, target: open, on: {say: "Sent {{ event.data.status }}"}}
      - {event: error.invoke.sent, target: open, on: {say: "Lost {{ event.data.code }}"}}
"""


def make(database: str, shop: str, folder: Path, hours: float) -> App:
    clock = ManualClock()
    clock.advance(timedelta(hours=hours))
    app = App(
        Settings(database=SecretStr(database)),
        channel=FileLookupChannel(folder / "sent.jsonl"),
        clock=clock,
        sources=[load_flow(FLOW.replace("SHOP", shop), "errands.yaml")],
    )
    app.runner("http", Http(HttpSettings(allow=[shop])))
    return app


def written(text: str) -> Inbound:
    return Inbound(channel="file", event_id=text, sender=PHONE, recipient="+911000000000", text=text)


def talk(database: str, shop: str, folder: Path, hours: float, crash_at: str, texts: tuple[str, ...]) -> None:
    """Accept each text, its event id the text itself, and drain, `hours` after noon; die at `crash_at`."""
    os.environ[CRASH_AT] = crash_at
    with make(database, shop, folder, hours).bind() as app:
        for text in texts:
            app.accept(written(text))
        app.drain()
