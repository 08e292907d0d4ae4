from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wabot.core.messages import Location, Media, Outbound
from wabot.errors import BudgetExceeded, FlowInvalid, SettingsError, UsageError
from wabot.testing import Conversation, Project
from wabot.testing.conversation import InvokeFailed

PICTURE = Media(kind="image", url="https://example.com/a.jpg")


@pytest.fixture
def asha(opened: Project) -> Iterator[Conversation]:
    with Conversation(opened) as conversation:
        yield conversation


def texts(messages: list[Outbound]) -> list[str]:
    return [message.text for message in messages]


def test_what_is_said_and_answered(asha: Conversation) -> None:
    assert (asha.state, asha.flow, asha.last, asha.ended) == ([], "", "", False)
    assert texts(asha.say("Hi")) == ["Welcome, Asha!"]
    assert texts(asha.say("Ravi")) == texts(asha.replies) == ["Are you Ravi?"]
    assert (asha.state, asha.flow, asha.last) == (["asked"], "shop", "Are you Ravi?")
    assert asha.variables == {"name": "Ravi", "stock": 0}
    assert asha.transcript == [
        ("contact", "Hi"),
        ("bot", "Welcome, Asha!"),
        ("contact", "Ravi"),
        ("bot", "Are you Ravi?\n[Yes] [No]"),
    ]


def test_before_the_first_message_nothing_is_there(asha: Conversation) -> None:
    assert not asha.is_in("welcome")
    assert (asha.variables, asha.timers, asha.invokes, asha.effects, asha.trace) == ({}, {}, {}, [], [])


@pytest.mark.parametrize("option", ["yes", "Yes", "yES"])
def test_a_tap_by_id_or_title(asha: Conversation, option: str) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    asha.tap(option)
    assert asha.is_in("looking")


def test_an_old_button_is_told_apart(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    asha.tap("no")
    asha.say("Meera")
    replies = asha.tap("yes", message=2)
    assert asha.is_in("asked")
    assert replies[-1].text == "Are you Meera?"
    asha.tap("yes", message=-1)
    assert asha.is_in("looking")


def test_a_row_is_picked(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("list")
    assert texts(asha.pick("Beans")) == ["Goodbye"]
    assert asha.ended


@pytest.mark.parametrize(
    ("said", "option", "message", "error", "hint"),
    [
        (["Hi"], "yes", None, "the bot showed nothing to tap", None),
        (["Hi", "Ravi"], "yess", None, 'there is no "yess" to tap', 'did you mean "yes"?'),
        (["Hi", "Ravi"], "maybe", None, 'there is no "maybe" to tap', "there is yes (Yes), no (No)"),
        (["Hi", "Ravi"], "yes", 3, "there is no message 3", "the bot said 2"),
        (["Hi", "Ravi"], "yes", -3, "there is no message -3", "the bot said 2"),
        (["Hi", "Ravi"], "yes", 1, 'there is no "yes" to tap', "there is nothing"),
    ],
)
def test_a_tap_that_can_not_be(
    asha: Conversation, said: list[str], option: str, message: int | None, error: str, hint: str | None
) -> None:
    for text in said:
        asha.say(text)
    with pytest.raises(UsageError) as caught:
        asha.tap(option, message=message)
    assert (caught.value.message, caught.value.hint) == (error, hint)


def test_a_button_is_no_list(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    with pytest.raises(UsageError, match="the bot showed no list"):
        asha.pick("yes")


def test_other_kinds_of_messages(asha: Conversation) -> None:
    asha.say("Hi")
    assert texts(asha.send(media=PICTURE, text="a crack")) == ["A picture!", "Welcome, Asha!"]
    assert texts(asha.send(location=Location(latitude=12.5, longitude=77))) == ["12.5"]
    assert texts(asha.send(card={"name": "Ravi"})) == ["A card!"]
    assert [text for who, text in asha.transcript if who == "contact"] == [
        "Hi",
        "(image) a crack",
        "(location)",
        "(contact card)",
    ]


def test_time_passes_and_timers_fire_at_their_own_time(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    assert asha.timers == {"asked.1h": timedelta(hours=1)}
    assert texts(asha.wait("59m")) == []
    assert asha.timers == {"asked.1h": timedelta(minutes=1)}
    assert texts(asha.wait(timedelta(minutes=2))) == ["Are you there?"]
    assert asha.timers == {"forgotten.20h": timedelta(hours=19, minutes=59)}
    assert texts(asha.wait("1d")) == ["Goodbye"]


def test_one_long_wait_fires_one_timer_after_the_other(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    assert texts(asha.wait("2d")) == ["Are you there?", "Goodbye"]
    assert asha.ended


def test_an_invoke_waits_for_its_answer(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    asha.tap("yes")
    assert asha.invokes == {"look": "http"}
    assert asha.effects[-1]["invoke"] == "look"
    assert asha.effects[-1]["arguments"] == {"url": "https://example.com"}
    assert texts(asha.fail("look", "is down")) == ["is down", "Are you Ravi?"]
    asha.tap("yes")
    assert texts(asha.complete("look", {"stock": 12})) == ["There are 12."]
    with pytest.raises(UsageError, match='no invoke "look" is open') as caught:
        asha.complete("look")
    assert caught.value.hint == "open: none"


def test_stubs_answer_in_order(opened: Project) -> None:
    stubs = {"look": [InvokeFailed("is down"), {"stock": 3}]}
    with Conversation(opened, stubs=stubs) as asha:
        asha.say("Hi")
        asha.say("Ravi")
        assert texts(asha.tap("yes")) == ["is down", "Are you Ravi?"]
        assert texts(asha.tap("yes")) == ["There are 3."]


def test_what_an_act_asked_of_the_world(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    effects = {effect["type"]: effect for effect in asha.effects}
    assert effects["say"]["say"] == "Are you Ravi?"
    assert (effects["timer"]["timer"], effects["timer"]["seconds"]) == ("asked.1h", 3600.0)
    asha.tap("no")
    assert [next(iter(effect)) for effect in asha.effects] == ["cancel", "say"]


def test_a_sub_flow_answers(asha: Conversation) -> None:
    asha.say("Hi")
    assert texts(asha.say("sub")) == ["How many?"]
    assert (asha.flow, asha.state) == ("inner", ["question"])
    assert asha.is_in("question")
    asha.say("4")
    assert asha.flow == "shop"


def test_after_the_end_a_message_begins_anew(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    assert texts(asha.say("bye")) == ["Goodbye"]
    assert asha.ended
    assert texts(asha.say("Hi")) == ["Welcome, Asha!"]
    assert not asha.ended


def test_another_contact_locale_and_time(opened: Project) -> None:
    with Conversation(opened, locale="hi", name="Ravi", phone="+911", now="2026-03-31T23:30:00") as ravi:
        assert texts(ravi.say("Hi")) == ["नमस्ते Ravi!"]
        assert ravi.clock.now() == datetime(2026, 3, 31, 18, 0, tzinfo=UTC)
        assert ravi.evaluate("contact.locale == 'hi' and contact.phone == '+911'") is True
        assert str(ravi.evaluate("today")) == "2026-03-31"
        assert ravi.evaluate("In('welcome') and not In('asked')") is True


@pytest.mark.parametrize("now", [datetime(2026, 1, 5, 4, 30, tzinfo=UTC), "2026-01-05T04:30:00+00:00"])
def test_a_time_with_an_offset(opened: Project, now: datetime | str) -> None:
    with Conversation(opened, now=now) as asha:
        assert asha.clock.now() == datetime(2026, 1, 5, 4, 30, tzinfo=UTC)


def test_a_time_that_is_none(opened: Project) -> None:
    with pytest.raises(UsageError, match='"soon" is no time'):
        Conversation(opened, now="soon")


def test_rows(asha: Conversation) -> None:
    asha.say("Hi")
    assert [row["phone"] for row in asha.rows("contact")] == ["+919800000001"]
    with pytest.raises(UsageError) as caught:
        asha.rows("contcat")
    assert caught.value.hint == 'did you mean "contact"?'


def test_the_trace_names_what_was_taken(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Ravi")
    asha.say("bye")
    assert ("states", "end") in [trace.path for trace in asha.trace if trace.kind == "enter"]
    assert ("transitions", 0) in [trace.path for trace in asha.trace if trace.kind == "transition"]


def test_a_turn_that_fails_raises_its_error(tmp_path: Path) -> None:
    flow = """
states:
  a: {initial: true, transitions: [{event: message.text, target: b}]}
  b: {transitions: [{cond: "a > 0", target: c}]}
  c: {transitions: [{cond: "a > 0", target: b}]}
datamodel: {a: {type: integer, default: 1}}
"""
    with Conversation(flow) as asha:
        asha.say("Hi")
        with pytest.raises(BudgetExceeded):
            asha.say("go")
        assert asha.state == ["a"]


def test_a_flow_by_its_text() -> None:
    with Conversation("states:\n  a: {initial: true, enter: {say: Hello}}\n") as asha:
        assert texts(asha.say("Hi")) == ["Hello"]


def test_a_flow_by_its_file(project: Path, tmp_path: Path) -> None:
    with Conversation(project / "flows" / "inner.yaml") as asha:
        assert texts(asha.say("Hi")) == ["How many?"]
    outside = project / "more.yaml"
    outside.write_text("flow: more\nstates: {a: {initial: true, enter: {say: bye}}}\n")
    with Conversation(str(outside)) as asha:
        assert texts(asha.say("Hi")) == ["Goodbye"]


def test_a_flow_beside_no_project(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.yaml").write_text("hello: Hello\n")
    (tmp_path / "a.yaml").write_text(
        "flow: a\nstates: {x: {initial: true, enter: {say: hello}, invoke: {flow: b}}}"
    )
    (tmp_path / "b.yml").write_text("flow: b\nstates: {y: {initial: true}}\n")
    (tmp_path / "c.yaml").write_text("nothing: of ours\n")
    with Conversation(tmp_path / "a.yaml") as asha:
        assert texts(asha.say("Hi")) == ["Hello"]
        assert (asha.flow, asha.state) == ("b", ["y"])


def test_another_flow_of_the_project(project: Path) -> None:
    with Conversation(Project.open(project), flow="inner") as asha:
        assert texts(asha.say("Hi")) == ["How many?"]
    with pytest.raises(SettingsError, match='there is no flow "outer"'):
        Conversation(project, flow="outer")


def test_a_source_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no project"):
        Conversation(tmp_path)
    with pytest.raises(UsageError, match="there is no"):
        Conversation(tmp_path / "nothing.yaml")


def test_a_flow_with_errors(tmp_path: Path) -> None:
    with pytest.raises(FlowInvalid, match="hlep"):
        Conversation("states:\n  a: {initial: true, transitions: [{event: message, target: hlep}]}\n")


def test_each_conversation_begins_from_nothing(opened: Project) -> None:
    with Conversation(opened) as first:
        first.say("Hi")
        first.say("Ravi")
        said, ids = first.messages, [row["reference"] for row in first.rows("outbox")]
    with Conversation(opened) as second:
        assert (second.rows("contact"), second.messages, second.trace) == ([], [], [])
        second.say("Hi")
        second.say("Ravi")
        assert [row["reference"] for row in second.rows("outbox")] == ids
        assert second.rows("contact")[0]["id"] == 1
    assert first.messages == said == second.messages


def test_two_conversations_at_once_know_nothing_of_each_other(opened: Project) -> None:
    with Conversation(opened) as asha, Conversation(opened, name="Ravi") as ravi:
        asha.say("Hi")
        assert ravi.rows("contact") == []
        ravi.wait("1d")
        assert asha.clock.now() < ravi.clock.now()


def test_a_conversation_may_be_closed_twice(opened: Project) -> None:
    one = Conversation(opened)
    one.close()
    one.close()
    with Conversation(opened) as asha, Conversation(opened) as ravi:
        assert asha.app is not ravi.app
