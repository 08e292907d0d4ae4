import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import delete, select

from tests.channels.conftest import ON_BOTH, OpenTwilio
from wabot.adapters.channels.twilio import TwilioChannel
from wabot.core.database import Database
from wabot.core.messages import Button, Choices, Outbound, Row, Section, Template
from wabot.core.tables import ContentRow
from wabot.errors import NotSent
from wabot.testing import Behaviour, FakeTwilio

OURS, THEIRS = "+14155238886", "+919876543210"
WORDS = "Shall I?\n\n1. Yes\n2. No"


def buttons(*titles: str, text: str = "Shall I?") -> Outbound:
    return Outbound(text=text, buttons=tuple(Button(id=title.lower(), title=title) for title in titles))


def remembered(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(ContentRow.provider_id).order_by(ContentRow.id)))


@ON_BOTH
def test_a_shape_is_made_once_whatever_it_says(
    twilio: FakeTwilio, channel: TwilioChannel, record: Database
) -> None:
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "one")
    channel.send(THEIRS, OURS, buttons("Tea", "Milk", text="Other words"), "two")
    assert twilio.content_requests == 1
    assert twilio.texts() == ["Shall I?", "Other words"]
    channel.send(THEIRS, OURS, buttons("Yes"), "three")
    assert twilio.content_requests == 2
    assert remembered(record) == list(twilio.contents)
    assert all(re.fullmatch("wabot-quick-reply-[0-9a-f]{16}", each.name) for each in twilio.contents.values())


def test_rows_with_and_without_a_description_are_two_shapes(
    twilio: FakeTwilio, channel: TwilioChannel
) -> None:
    for description in ("", "by the kilo", "each", ""):
        row = Row(id="a", title="Apples", description=description)
        choices = Choices(button="See", sections=(Section(rows=(row,)),))
        channel.send(THEIRS, OURS, Outbound(text="All", choices=choices), "one")
    assert twilio.content_requests == 2


def test_it_is_remembered_over_a_restart(twilio: FakeTwilio, open_twilio: OpenTwilio) -> None:
    for _ in range(3):
        open_twilio().send(THEIRS, OURS, buttons("Yes", "No"), "one")
    assert (twilio.content_requests, len(twilio.deliveries)) == (1, 3)


def test_accounts_and_channels_have_their_own(
    twilio: FakeTwilio, open_twilio: OpenTwilio, record: Database
) -> None:
    open_twilio().send(THEIRS, OURS, buttons("Yes", "No"), "one")
    open_twilio(name="second").send(THEIRS, OURS, buttons("Yes", "No"), "two")
    # Found at Twilio by its name, and not made again.
    assert twilio.content_requests == 1
    assert len(remembered(record)) == 2


def test_one_whose_maker_was_killed_is_found_again(
    twilio: FakeTwilio, open_twilio: OpenTwilio, record: Database
) -> None:
    open_twilio().send(THEIRS, OURS, buttons("Yes", "No"), "one")
    with record.transaction() as session:
        session.execute(delete(ContentRow))
        session.commit()
    open_twilio().send(THEIRS, OURS, buttons("Yes", "No"), "two")
    assert twilio.content_requests == 1
    assert remembered(record) == list(twilio.contents)


def test_threads_of_a_process_make_it_once(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    start = Barrier(8)

    def send(number: int) -> str:
        start.wait()
        return channel.send(THEIRS, OURS, buttons("Yes", "No"), str(number))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(8)))) == 8
    assert (twilio.content_requests, len(twilio.contents)) == (1, 1)


@ON_BOTH
def test_of_two_processes_one_wins_and_the_other_clears_up(
    twilio: FakeTwilio, open_twilio: OpenTwilio, record: Database
) -> None:
    """The second finds none at Twilio either: its content is made while the first one's is."""
    first, second = open_twilio(), open_twilio()
    found = twilio.find_contents

    def while_it_looks(pattern: str) -> list[object]:
        twilio.find_contents = found  # type: ignore[method-assign]
        first.send(THEIRS, OURS, buttons("Yes", "No"), "one")
        return []

    twilio.find_contents = while_it_looks  # type: ignore[method-assign,assignment]
    second.send(THEIRS, OURS, buttons("Yes", "No"), "two")
    assert twilio.content_requests == 2
    assert len(twilio.deliveries) == 2
    assert remembered(record) == list(twilio.contents)
    assert len(twilio.contents) == 1


PROCESS = """
import sys
from wabot.adapters.channels.twilio import TwilioChannel
from wabot.core.database import Database
from wabot.core.messages import Button, Outbound
from wabot.core.ports import SystemClock

account, token, api, url, count = sys.argv[1:]
database = Database(url)
channel = TwilioChannel(account, token, database=lambda: database, clock=SystemClock(), api_base=api)
print("ready", flush=True)
sys.stdin.readline()
for number in range(1, int(count) + 1):
    buttons = tuple(Button(id=str(each), title=str(each)) for each in range(number))
    channel.send("+919876543210", "+14155238886", Outbound(text="Which?", buttons=buttons), "r")
"""


@ON_BOTH
def test_processes_at_once_end_with_one_of_each_shape(twilio: FakeTwilio, record: Database) -> None:
    url = record.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", PROCESS, twilio.account_sid, twilio.auth_token, twilio.url, url, "3"]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    assert sorted(len(each.message.buttons) for each in twilio.deliveries) == [1, 1, 2, 2, 3, 3]
    assert sorted(remembered(record)) == sorted(twilio.contents)
    assert len(twilio.contents) == 3


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (Behaviour(take=False, status=429), "20429"),
        (Behaviour(take=False, status=500), None),
        (Behaviour(take=False, cut=True), None),
        (Behaviour(status=500), None),
    ],
)
def test_without_its_content_the_message_waits(
    twilio: FakeTwilio, channel: TwilioChannel, behaviour: Behaviour, code: str | None
) -> None:
    twilio.next_content(behaviour)
    with pytest.raises(NotSent) as raised:
        channel.send(THEIRS, OURS, buttons("Yes", "No"), "one")
    assert raised.value.code == code
    assert twilio.requests == 0
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "one")
    assert len(twilio.contents) == 1
    assert len(twilio.deliveries[0].message.buttons) == 2


def test_where_twilio_wants_no_such_content_it_is_said_in_words(
    twilio: FakeTwilio, channel: TwilioChannel
) -> None:
    twilio.next_content(Behaviour(take=False, status=400, code="92003"))
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "one")
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "two")
    assert twilio.texts() == [WORDS, WORDS]
    assert twilio.content_requests == 1


@ON_BOTH
def test_a_content_that_was_deleted_is_made_anew(
    twilio: FakeTwilio, open_twilio: OpenTwilio, record: Database
) -> None:
    channel, other = open_twilio(), open_twilio()
    for each in (channel, other):
        each.send(THEIRS, OURS, buttons("Yes", "No"), "one")
    twilio.drop_content(remembered(record)[0])
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "two")
    assert (twilio.texts()[-1], remembered(record)) == (WORDS, [])
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "three")
    other.send(THEIRS, OURS, buttons("Yes", "No"), "four")
    other.send(THEIRS, OURS, buttons("Yes", "No"), "five")
    assert [len(each.message.buttons) for each in twilio.deliveries] == [2, 2, 0, 2, 0, 2]
    assert remembered(record) == list(twilio.contents)


def test_words_that_a_content_cannot_carry_go_without_it(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    twilio.next(Behaviour(take=False, status=400, code="21656"))
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "one")
    assert twilio.texts() == [WORDS]
    channel.send(THEIRS, OURS, buttons("Yes", "No"), "two")
    assert twilio.texts()[-1] == "Shall I?"


def test_what_cannot_be_cleared_up_is_left(
    twilio: FakeTwilio, open_twilio: OpenTwilio, record: Database
) -> None:
    first, second = open_twilio(), open_twilio()
    found = twilio.find_contents

    def while_it_looks(pattern: str) -> list[object]:
        twilio.find_contents = found  # type: ignore[method-assign]
        first.send(THEIRS, OURS, buttons("Yes", "No"), "one")
        twilio.drop_content = lambda sid: False  # type: ignore[method-assign]
        return []

    twilio.find_contents = while_it_looks  # type: ignore[method-assign,assignment]
    second.send(THEIRS, OURS, buttons("Yes", "No"), "two")
    assert len(twilio.deliveries) == 2
    assert len(remembered(record)) == 1


@ON_BOTH
def test_without_a_record_the_message_waits(
    twilio: FakeTwilio, open_twilio: OpenTwilio, record: Database
) -> None:
    channel = open_twilio()
    channel.send(THEIRS, OURS, buttons("Yes"), "one")
    ContentRow.__table__.drop(record.engine)  # type: ignore[attr-defined]
    for message in (buttons("Yes", "No"), Outbound(template=Template(name="hello"))):
        with pytest.raises(NotSent, match="remembered"):
            channel.send(THEIRS, OURS, message, "two")
    twilio.drop_content(next(iter(twilio.contents)))
    with pytest.raises(NotSent, match="remembered"):
        channel.send(THEIRS, OURS, buttons("Yes"), "three")
    assert len(twilio.deliveries) == 1
    channel.send(THEIRS, OURS, Outbound(text="Hello"), "four")
