import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal, wabot
from wabot.cli import demo
from wabot.cli.demo import Found

ORDER = {
    "id": 1, "number": "SO-1", "status": "confirmed", "total": "10.00", "currency": "INR", "tax": "1.00",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_the_script_ends_with_an_order_and_an_invoice(home: Path) -> None:
    ran = wabot("demo")
    assert (ran.code, ran.err) == (0, "")
    for part in (
        "you: Hi\n",
        "you: Cement x 100\n",
        "you: 1\n",
        "bot: ",
        "order SO-1, confirmed\n",
        "invoice INV/",
    ):
        assert part in ran.out
    assert (home / "wabot" / "demo-script.db").is_file()


def test_it_plays_the_same_again(home: Path) -> None:
    assert [wabot("demo").out.count("order SO-1, confirmed") for _ in range(2)] == [1, 1]


def test_a_database_of_ones_own(home: Path) -> None:
    ran = wabot("demo", "--database", home / "mine.db")
    assert ran.code == 0
    assert f"In the database {home}/mine.db\n" in ran.out


def test_without_the_invoice_it_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCRIPT", ("Hi",))
    ran = wabot("demo")
    assert ran.code == 1
    assert ran.err == "error: the script ended without a confirmed order and an invoice\n"


@pytest.mark.parametrize(
    ("tables", "complete"),
    [
        ({}, False),
        ({"orders": [ORDER]}, False),
        ({"orders": [ORDER], "invoices": [{"number": None}]}, False),
        ({"orders": [{**ORDER, "status": "draft"}], "invoices": [{"number": "1"}]}, False),
        ({"orders": [ORDER], "invoices": [{"number": "1"}]}, True),
    ],
)
def test_what_counts_as_complete(tables: dict[str, list[Mapping[str, Any]]], complete: bool) -> None:
    assert Found(tables).complete is complete


@pytest.mark.parametrize("home", ["file", "~nobody-of-this-name"])
def test_a_home_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", home)
    ran = wabot("demo")
    assert ran.code == 0
    assert f"In the database {tmp_path}/wabot-demo-script.db\n" in ran.out


def test_at_a_terminal_the_conversation_is_kept(home: Path) -> None:
    with Terminal(home, "demo") as terminal:
        terminal.until("A shop for building materials.")
        terminal.until("you: ")
        terminal.type("Cement x 100\n")
        terminal.until("₹43,070.00")
        terminal.until("you: ")
        terminal.type("/quit\n")
        assert terminal.end() == 0
    with Terminal(home, "demo") as terminal:
        terminal.until("You are in the middle of order: summary.")
        terminal.until("you: ")
        terminal.type("/quit\n")
        assert terminal.end() == 0
    with Terminal(home, "demo", "--fresh") as terminal:
        terminal.until("You write to order.")
        terminal.until("you: ")
        terminal.type("/quit\n")
        assert terminal.end() == 0
