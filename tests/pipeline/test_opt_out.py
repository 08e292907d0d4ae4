from datetime import timedelta

import pytest

from tests.pipeline.conftest import ASHA, BEN, Desk, MakeDesk
from wabot.core.messages import Button, Inbound, Kind
from wabot.core.tables import ContactRow, OutboxRow
from wabot.errors import NotSent, SendUnknown
from wabot.pipeline import Words
from wabot.runtime.policy import OPTED_OUT

BYE = "You will get no more messages from us. Write START if you want them again."
BACK = "Welcome back. You will get our messages again."


def opted_out(desk: Desk) -> list[bool]:
    with desk.app.database.reading() as session:
        return [row.opted_out_at is not None for row in session.query(ContactRow).order_by(ContactRow.id)]


def test_stop_is_written_down_and_confirmed_once(desk: Desk) -> None:
    desk.write("hello")
    assert desk.write("STOP") == [BYE]
    assert opted_out(desk) == [True]
    assert desk.write("stop", "Stop!") == []
    with desk.app.database.reading() as session:
        assert session.get_one(ContactRow, 1).opted_out_at == desk.clock.now()


def test_no_flow_hears_it_or_anything_after_it(desk: Desk) -> None:
    desk.write("hello")
    desk.write("stop", "are you there?")
    view = desk.app.conversation(ASHA)
    assert view is not None
    assert view.state is not None
    assert [row.status for row in desk.app.events(view.id)] == ["done"] * 3
    assert [message for message, _ in desk.outbox()] == ["sent", "sent"]


def test_start_brings_the_contact_back(desk: Desk) -> None:
    desk.write("stop")
    assert desk.write("Start") == [BACK]
    assert opted_out(desk) == [False]
    assert desk.write("hello") == ["You said hello"]


def test_start_is_a_word_like_others_to_one_who_did_not_stop(desk: Desk) -> None:
    assert desk.write("start") == ["You said start"]


def test_one_who_stops_stops_for_nobody_else(desk: Desk) -> None:
    desk.write("stop")
    assert desk.write("hello", phone=BEN) == ["You said hello"]
    assert opted_out(desk) == [True, False]


def test_it_is_honoured_at_the_moment_of_sending(desk: Desk) -> None:
    """What a flow said before is still in the outbox when the contact stops."""
    desk.channel.fail_next(NotSent("busy"))
    desk.hear("hello")
    desk.hear("stop")
    desk.app.drain()
    assert desk.wait(timedelta(minutes=5)) == [BYE]
    assert desk.outbox() == [("failed", OPTED_OUT), ("sent", "")]


def test_a_timer_says_nothing_to_one_who_stopped(desk: Desk) -> None:
    desk.write("hello", "later")
    desk.write("stop")
    assert desk.wait(timedelta(minutes=10)) == []
    assert desk.outbox() == [("sent", ""), ("sent", ""), ("failed", OPTED_OUT)]


def test_the_confirmation_never_goes_twice(desk: Desk) -> None:
    desk.channel.fail_next(SendUnknown("time-out"), taken=True)
    desk.write("stop")
    for _ in range(5):
        desk.wait(timedelta(minutes=2))
    assert [delivery.message.text for delivery in desk.channel.sent] == [BYE]
    with desk.app.database.reading() as session:
        assert [row.category for row in session.query(OutboxRow)] == ["opt_out"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("STOP", True), ("Unsubscribe.", True), ("opt-out", True), ("संदेश बंद करें", True), ("Stopp", True),
        ("Désabonner", True), ("please stop", False), ("stop it", False), ("", False), ("cancel", False),
    ],
)  # fmt: skip
def test_a_whole_message_means_stop_in_any_language(text: str, meant: bool) -> None:
    assert Words().means_stop(inbound(text=text)) is meant


def test_a_projects_words_take_the_place_of_ours_for_their_locale(make_desk: MakeDesk) -> None:
    desk = make_desk({"opt_out": {"stop": {"en": ["leave me"]}, "start": {"en": ["come back"]}}})
    assert desk.write("stop") == ["You said stop"]
    assert desk.write("Leave me!") == [BYE]
    assert desk.write("start") == []
    assert desk.write("come back") == [BACK]
    assert desk.write("abmelden") == [BYE]


def test_a_quick_reply_of_a_template_counts_and_a_flows_button_does_not() -> None:
    words = Words()
    assert words.means_stop(inbound(kind=Kind.BUTTON, title="Stop", payload="Stop"))
    assert words.means_stop(inbound(kind=Kind.BUTTON, title="Stop"))
    assert not words.means_stop(inbound(kind=Kind.BUTTON, title="Stop", payload="echo:1:stop"))
    assert not words.means_stop(inbound(kind=Kind.IMAGE, text="stop"))
    assert Button(id="stop", title="Stop").payload == ""


def inbound(**parts: object) -> Inbound:
    return Inbound.model_validate(
        {"channel": "fake", "event_id": "1", "sender": ASHA, "recipient": "+91", **parts}
    )
