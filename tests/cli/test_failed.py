from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import wabot
from wabot.bootstrap import build, load_settings
from wabot.core.database import Database
from wabot.core.messages import Inbound
from wabot.core.tables import InboundRow, OutboxRow


@pytest.fixture
def parked(project: Path) -> Path:
    """A project whose first event has failed; one message did not go out."""
    with build(load_settings(project)).bind() as app:
        for number in (1, 2):
            app.accept(
                Inbound(channel="console", event_id=str(number), sender="+911", recipient="wabot", text="Hi")
            )
    with closing(Database(f"sqlite:///{project}/wabot.db")) as database, database.transaction() as session:
        row = session.get_one(InboundRow, 1)
        row.status, row.due_at, row.attempts, row.error = "failed", None, 3, "Traceback\nKeyError: 'x'"
        now = row.received_at
        message = {"text": "Hello"}
        session.add(
            OutboxRow(
                conversation_id=1,
                position=1,
                reference="r",
                message=message,
                status="failed",
                code="63016",
                reason="the window is closed",
                created_at=now,
            )
        )
        session.commit()
    return project


def test_nothing_failed(project: Path) -> None:
    behind = wabot("failed")
    assert (behind.code, "mend: wabot db upgrade" in behind.err) == (1, True)
    wabot("db", "upgrade")
    assert wabot("failed").out == "Nothing failed.\n"
    assert wabot("failed", "list", "--json").json == {"events": [], "messages": []}


def test_what_failed_is_listed_with_its_reason(parked: Path) -> None:
    out = wabot("failed").out
    assert "1 event failed:" in out
    assert "KeyError: 'x'" in out
    assert "63016  the window is closed" in out
    shown = wabot("failed", "list", "--project", parked, "--json").json
    assert [(event["id"], event["reason"]) for event in shown["events"]] == [(1, "KeyError: 'x'")]
    assert [(message["id"], message["code"]) for message in shown["messages"]] == [(1, "63016")]


def test_one_is_shown_with_its_traceback(parked: Path) -> None:
    out = wabot("failed", "show", 1).out
    assert "event 1 of conversation 1, console, +911" in out
    assert "3 attempts" in out
    assert "Traceback\nKeyError: 'x'\n" in out
    assert wabot("failed", "show", 1, "--json").json["payload"]["text"] == "Hi"
    ran = wabot("failed", "show", 2)
    assert (ran.code, ran.err) == (1, "error: there is no failed event 2\n")


@pytest.mark.parametrize("command", ["show", "retry", "drop"])
@pytest.mark.parametrize("id", [0, 2, 2**63, 10**30])
def test_an_id_that_no_event_has(parked: Path, command: str, id: int) -> None:
    ran = wabot("failed", command, id)
    assert (ran.code, ran.err) == (1, f"error: there is no failed event {id}\n")


def test_they_are_retried_and_dropped(parked: Path) -> None:
    assert wabot("failed", "retry", 1).out == "1 event put back in line.\n"
    assert wabot("failed", "retry", "--all").out == "0 events put back in line.\n"
    assert wabot("failed", "retry", "--all", "--json").json == {"retried": []}
    assert wabot("failed", "drop", 1).code == 1


def test_a_dropped_one_is_off_the_list(parked: Path) -> None:
    assert wabot("failed", "drop", 1).out == "Event 1 is dropped.\n"
    assert wabot("failed", "list", "--json").json["events"] == []


def test_dropping_tells_programs_too(parked: Path) -> None:
    assert wabot("failed", "drop", 1, "--json").json == {"dropped": 1}


@pytest.mark.parametrize("arguments", [[], ["1", "--all"]])
def test_which_ones_to_retry_is_said(parked: Path, arguments: list[str]) -> None:
    ran = wabot("failed", "retry", *arguments)
    assert ran.code == 2
    assert "say which" in ran.err
