"""`wabot demo`: the example shop, to talk to or to watch."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from pydantic import SecretStr
from rich.text import Text
from sqlalchemy import select

from wabot.bootstrap import load_settings
from wabot.cli import panes
from wabot.cli.chat import Chat, typed
from wabot.cli.new import create
from wabot.cli.screen import show, table
from wabot.cli.talk import Talk
from wabot.core.database import Base
from wabot.core.messages import Outbound
from wabot.errors import RecordError
from wabot.settings import Settings

SCRIPT = ("Hi", "Cement x 100", "1")
PHONE, NAME = "+919800000001", "Asha"

Row = Mapping[str, Any]


def run(database: Path | None, *, fresh: bool, script: bool) -> None:
    """Talk, or play the script and leave with 1 where it ended without an order and an invoice."""
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not script
    with TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        shop = Path(home) / "shop"
        create(shop)
        file = (database or _kept("demo.db" if at_terminal else "demo-script.db")).absolute()
        if fresh or not at_terminal:
            _remove(file)
        settings = load_settings(shop, environment={}).model_copy(
            update={"database": SecretStr(f"sqlite:///{file}")}
        )
        if at_terminal:
            chat = Chat.open(settings, phone=PHONE, name=NAME, trace=False, at_terminal=True)
            stack.enter_context(contextlib.closing(chat))
            show(
                Text(f"A shop for building materials. Write Hi, then Cement x 100, then 1.  ({file})", "dim")
            )
            chat.go_on(typed())
        else:
            _play(settings, file)


def _play(settings: Settings, file: Path) -> None:
    with contextlib.closing(Talk(settings, _said, phone=PHONE, name=NAME)) as talk:
        for line in SCRIPT:
            show(Text.assemble(("you: ", "bold cyan"), line), "")
            talk.say(line)
            for error in talk.errors():
                raise error
        found = Found.of(talk)
    show(Text(f"In the database {file}", "bold"), "", *found.lines())
    if not found.complete:
        raise RecordError("the script ended without a confirmed order and an invoice")


def _said(message: Outbound) -> None:
    panes.bubble(message)
    show("")


class Found:
    """What the script left in the database."""

    def __init__(self, tables: Mapping[str, list[Row]]) -> None:
        self.tables = tables

    @classmethod
    def of(cls, talk: Talk) -> "Found":
        names = ("orders", "orders_line", "invoices", "invoices_tax")
        known = Base.metadata.tables
        with talk.app.database.reading() as session:
            return cls(
                {
                    name: [dict(row._mapping) for row in session.execute(select(known[name]))]  # noqa: SLF001 - its public name
                    for name in names
                    if name in known
                }
            )

    @property
    def complete(self) -> bool:
        confirmed = [order for order in self._rows("orders") if order["status"] == "confirmed"]
        return bool(confirmed and [invoice for invoice in self._rows("invoices") if invoice["number"]])

    def lines(self) -> Iterator[Any]:
        for order in self._rows("orders"):
            yield Text(f"order {order['number']}, {order['status']}", "bold")
            rows = [
                (
                    f"  {line['name']}",
                    f"{line['quantity']} {line['unit']}",
                    f"{line['price']}",
                    f"{line['net']}",
                )
                for line in self._rows("orders_line")
                if line["order_id"] == order["id"]
            ]
            yield from table(rows, {"item": "", "quantity": "", "price": "", "net": ""}, heads=False)
            yield f"  total {order['total']} {order['currency']}, with {order['tax']} tax"
        for invoice in self._rows("invoices"):
            yield ""
            yield Text(f"invoice {invoice['number']} of {invoice['issued_on']}", "bold")
            for tax in self._rows("invoices_tax"):
                if tax["invoice_id"] == invoice["id"]:
                    yield f"  {tax['name']} {tax['rate']}% of {tax['net']}: {tax['amount']}"
            yield f"  total {invoice['total']} {invoice['currency']}, due {invoice['due_on']}"

    def _rows(self, name: str) -> list[Row]:
        return self.tables.get(name, [])


def _kept(name: str) -> Path:
    """A file in the user's own state directory, or the one for temporary files where there is none."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        folder = Path(state).expanduser() / "wabot"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return Path(gettempdir()) / f"wabot-{name}"
    return folder / name if os.access(folder, os.W_OK) else Path(gettempdir()) / f"wabot-{name}"


def _remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
