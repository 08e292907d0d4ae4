import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import wabot
from wabot.app import App
from wabot.bootstrap import build, load_settings
from wabot.core.messages import Inbound
from wabot.core.ports import SystemClock
from wabot.core.tables import OutboxRow
from wabot.errors import NotSent, SendError, SendUnknown, Undeliverable
from wabot.testing.fakes import FakeChannel, ManualClock

ASHA, RAVI, MEENA = "+919800000001", "+919800000002", "+919800000003"


class Shop:
    """The project's app, an hour and a bit ago, with a channel that refuses what it is told to."""

    def __init__(self, app: App, channel: FakeChannel) -> None:
        self.app, self.channel = app, channel

    def hear(self, phone: str, text: str, refused: SendError | None = None) -> None:
        """Let the bot answer this message; its answer is refused so."""
        if refused:
            self.channel.fail_next(refused)
        self.app.accept(
            Inbound(channel="console", event_id=f"{phone}{text}", sender=phone, recipient="wabot", text=text)
        )
        self.app.drain()


@pytest.fixture
def shop(project: Path, shared_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("DATABASE_URL", shared_url)
    clock = ManualClock(SystemClock().now() - timedelta(hours=1, seconds=1))
    channel = FakeChannel("console")
    with build(load_settings(project), clock=clock, channel=channel).bind() as app:
        yield Shop(app, channel)


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Message 1 is sent, 2 has failed, 3 goes again later and 4 behind it, of 5 nothing is known."""
    shop.hear(ASHA, "Hi")
    shop.hear(ASHA, "Asha", Undeliverable("the contact is blocked", code="63014"))
    shop.hear(RAVI, "Hi", NotSent("too many requests", code="63018"))
    shop.hear(RAVI, "Ravi")
    shop.hear(MEENA, "Hi", SendUnknown("no answer came in time"))
    return shop


def rows(*arguments: str) -> list[list[str]]:
    """The lines below the heads: id, contact, status, tries, due, and code and reason."""
    lines = [re.split(" {2,}", line) for line in wabot("outbox", *arguments).out.splitlines()[1:]]
    return [[words[0], *words[2:6], " ".join(words[6:])] for words in lines]


def test_every_message_that_has_not_left_says_why(busy: Shop) -> None:
    heads = wabot("outbox").out.splitlines()[0]
    assert heads.split() == ["id", "written", "contact", "status", "tries", "due", "code", "reason"]
    assert rows() == [
        ["5", MEENA, "unknown", "1", "now", "no answer came in time"],
        ["4", RAVI, "pending", "0", "now", "leaves after message 3"],
        ["3", RAVI, "pending", "1", "now", "63018 too many requests"],
        ["2", ASHA, "failed", "1", "-", "63014 the contact is blocked"],
    ]


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["--status", "failed"], ["2"]),
        (["--status", "unknown"], ["5"]),
        (["--status", "pending"], ["4", "3"]),
        (["--status", "sent"], ["1"]),
        (["--contact", RAVI], ["4", "3"]),
        (["--contact", RAVI.removeprefix("+")], ["4", "3"]),
        (["--after", "4"], ["3", "2"]),
        (["--status", "pending", "--contact", ASHA], []),
    ],
)
def test_some_of_them(busy: Shop, arguments: list[str], ids: list[str]) -> None:
    shown = wabot("outbox", *arguments, "--json").json
    assert [str(message["id"]) for message in shown["messages"]] == ids


def test_so_many_at_a_time(busy: Shop) -> None:
    told = wabot("outbox", "--limit", "3").out.splitlines()
    assert told[4] == "The older ones: wabot outbox --after 3, with the same options."
    assert wabot("outbox", "--limit", "3", "--json").json["next"] == 3
    assert rows("--limit", "3", "--after", "3")[0][0] == "2"


def test_programs_get_what_the_http_api_tells(busy: Shop) -> None:
    message = wabot("outbox", "--status", "pending", "--json").json["messages"][0]
    assert (message["id"], message["phone"], message["leaves_after"]) == (4, RAVI, 3)
    assert message["message"]["text"]
    failed = wabot("outbox", "--status", "failed", "--json").json["messages"][0]
    assert (failed["code"], failed["reason"]) == ("63014", "the contact is blocked")
    assert (failed["due_at"], failed["leaves_after"]) == (None, None)


@pytest.mark.parametrize(
    ("values", "due", "why"),
    [
        ({"due_at": None, "status": "unknown"}, "-", ""),
        ({"status": "claimed"}, "now", "is being sent"),
        ({"status": "pending"}, "now", "waits for a process that sends by console"),
        ({"status": "pending", "due_at": timedelta(hours=26)}, "in 1d2h", "waits for a process"),
    ],
)
def test_what_a_message_waits_for_of_which_nothing_was_told(
    shop: Shop, values: dict[str, Any], due: str, why: str
) -> None:
    shop.hear(ASHA, "Hi", SendUnknown(""))
    with shop.app.database.transaction() as session:
        row = session.get_one(OutboxRow, 1)
        row.reason = ""
        for name, value in values.items():
            later = isinstance(value, timedelta)
            setattr(row, name, SystemClock().now() + value if later else value)
        session.commit()
    (shown,) = rows()
    assert shown[4] == due
    assert shown[5].startswith(why)


def test_nothing_waits(project: Path) -> None:
    behind = wabot("outbox")
    assert (behind.code, "mend: wabot db upgrade" in behind.err) == (1, True)
    wabot("db", "upgrade")
    assert wabot("outbox").out == "No message waits, has failed or is unknown.\n"
    assert wabot("outbox", "--status", "failed").out == "No message has the status failed.\n"
    assert wabot("outbox", "--contact", ASHA).out.startswith(f"No message to {ASHA} waits")
    assert wabot("outbox", "--json").json == {"messages": [], "next": None}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--status", "faild"], 'did you mean "failed"'),
        (["--status", "lost"], "there are pending, claimed, sent, failed, unknown"),
        (["--contact", ""], '--contact: "" is no phone number\n  mend: write it like +919876543210'),
        (["--after", str(2**63)], f"--after: there is no message {2**63}"),
        (["--limit", "201"], "--limit"),
    ],
)
def test_what_can_t_be_asked_for(project: Path, arguments: list[str], told: str) -> None:
    ran = wabot("outbox", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
