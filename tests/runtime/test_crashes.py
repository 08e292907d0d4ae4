import multiprocessing
import signal
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.runtime import crashing
from tests.runtime.crashing import PHONE, make_app, make_shop
from wabot.modules.invoices.tables import InvoiceRow
from wabot.modules.orders.tables import OrderRow
from wabot.testing.fakes import FileLookupChannel

ACCEPT = ["accept.before_commit", "accept.after_commit"]
TURN = ["turn.before_commit", "turn.after_commit"]
SEND = ["send.after_claim", "send.before_mark"]

# Real processes, forked from one that has imported everything already.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.runtime.crashing"])


def run(folder: Path, *texts: str, hours: float = 0, lookup: bool = True, crash_at: str = "") -> int | None:
    process = PROCESSES.Process(target=crashing.main, args=(folder, hours, lookup, crash_at, texts))
    process.start()
    process.join(60)
    return process.exitcode


def run_shop(folder: Path, *texts: str, hours: float = 0, crash_at: str = "") -> int | None:
    process = PROCESSES.Process(target=crashing.shop, args=(folder, hours, crash_at, texts))
    process.start()
    process.join(60)
    return process.exitcode


def said(folder: Path) -> list[str]:
    return [delivery.message.text for delivery in FileLookupChannel(folder / "sent.jsonl").deliveries()]


def killed(folder: Path, crash_at: str, *texts: str, lookup: bool = True) -> None:
    assert run(folder, *texts, crash_at=crash_at, lookup=lookup) == -signal.SIGKILL


@pytest.mark.parametrize("crash_at", [*ACCEPT, *TURN, *SEND])
def test_a_contacts_first_message_has_one_effect(tmp_path: Path, crash_at: str) -> None:
    killed(tmp_path, crash_at, "hi")
    assert run(tmp_path, "hi", hours=1) == 0
    assert run(tmp_path, "hi", hours=2) == 0
    assert said(tmp_path) == ["Welcome"]
    one_effect_each(tmp_path, turns=1)


@pytest.mark.parametrize("crash_at", [*ACCEPT, *TURN, *SEND])
def test_a_later_message_has_one_effect(tmp_path: Path, crash_at: str) -> None:
    assert run(tmp_path, "hi") == 0
    killed(tmp_path, crash_at, "a", "b")
    assert run(tmp_path, "a", "b", hours=1) == 0
    assert run(tmp_path, hours=2) == 0
    assert said(tmp_path) == ["Welcome", "Tally |", "Message 1", "Tally ||", "Message 2"]
    one_effect_each(tmp_path, turns=3)


def one_effect_each(folder: Path, turns: int) -> None:
    """What the database says, whatever was killed before."""
    with make_app(folder, hours=3, lookup=True).bind() as app:
        conversation = app.conversation(PHONE)
        assert conversation is not None
        assert conversation.state is not None
        assert conversation.version == turns
        assert conversation.state.frames[0].variables == {"n": turns - 1}
        assert conversation.contact.name == "|" * (turns - 1)
        assert len(app.timers(conversation.id)) == turns
        assert {event.status for event in app.events(conversation.id)} == {"done"}
        assert {message.status for message in app.outbox(conversation.id)} == {"sent"}


@pytest.mark.parametrize("crash_at", ["timer.before_commit", *TURN])
def test_a_timer_has_one_effect(tmp_path: Path, crash_at: str) -> None:
    assert run(tmp_path, "hi", "a") == 0
    days = 24 * 4 + 1
    assert run(tmp_path, hours=days, crash_at=crash_at) == -signal.SIGKILL
    assert run(tmp_path, hours=days + 1) == 0
    assert run(tmp_path, hours=days + 2) == 0
    assert said(tmp_path) == ["Welcome", "Tally |", "Message 1", "Remember"]


def test_where_the_provider_cannot_tell_a_message_goes_at_most_twice(tmp_path: Path) -> None:
    killed(tmp_path, "send.before_mark", "hi", lookup=False)
    assert said(tmp_path) == ["Welcome"]
    for hours in (1, 2, 3, 4):
        assert run(tmp_path, "hi", hours=hours, lookup=False) == 0
    assert said(tmp_path) == ["Welcome", "Welcome"]


def test_a_bot_that_dies_again_and_again_gets_there(tmp_path: Path) -> None:
    for hours, crash_at in enumerate([*ACCEPT, *TURN, *SEND]):
        run(tmp_path, "hi", "a", "b", hours=hours, crash_at=crash_at)
    for hours in (10, 11):
        assert run(tmp_path, "hi", "a", "b", hours=hours) == 0
    assert said(tmp_path) == ["Welcome", "Tally |", "Message 1", "Tally ||", "Message 2"]
    one_effect_each(tmp_path, turns=3)


@pytest.mark.parametrize("crash_at", [*ACCEPT, *TURN, *SEND])
def test_an_order_is_confirmed_once_and_has_one_invoice(tmp_path: Path, crash_at: str) -> None:
    assert run_shop(tmp_path, "Hi", "Cement x 100") == 0
    before = said(tmp_path)
    assert run_shop(tmp_path, "1", crash_at=crash_at) == -signal.SIGKILL
    for hours in (1, 2):
        assert run_shop(tmp_path, "1", hours=hours) == 0
    new = said(tmp_path)[len(before) :]
    assert len(new) == 2
    assert "INV/25-26/00001" in new[0]
    with make_shop(tmp_path, hours=3).bind() as app:
        assert {event.status for event in app.events(1)} == {"done"}
        with app.database.reading() as session:
            (order,) = session.scalars(select(OrderRow)).all()
            (invoice,) = session.scalars(select(InvoiceRow)).all()
        assert order.status == "confirmed"
        assert invoice.order_id == order.id
