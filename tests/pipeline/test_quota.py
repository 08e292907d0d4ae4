"""A sender of ours sends no faster than its provider takes."""

from datetime import timedelta

import pytest

from tests.pipeline.conftest import OURS, Desk, MakeDesk
from wabot.core.ports import Capabilities
from wabot.runtime.policy import QUOTA

PACED = Capabilities(paced=True)
OTHER = "+912000000000"


def crowd(desk: Desk, count: int, ours: str = OURS, first: int = 0) -> None:
    for number in range(first, first + count):
        desk.hear("hello", f"+9198000{number:05}", ours)


def codes(desk: Desk) -> list[tuple[str, str]]:
    views = desk.app.conversations()
    return [(row.status, row.code) for view in views for row in desk.app.outbox(view.id)]


def test_what_is_too_much_for_a_second_waits(make_desk: MakeDesk) -> None:
    desk = make_desk({"sending": {"per_second": 2}}, capabilities=PACED)
    crowd(desk, 5)
    desk.app.drain()
    assert len(desk.channel.sent) == 2
    assert sorted(codes(desk)) == [("pending", QUOTA)] * 3 + [("sent", "")] * 2
    sent = [len(desk.wait(timedelta(seconds=1))) for _ in range(6)]
    assert (sum(sent), max(sent)) == (3, 2)
    assert set(codes(desk)) == {("sent", "")}


def test_one_sender_keeps_no_other_waiting(make_desk: MakeDesk) -> None:
    desk = make_desk({"sending": {"per_second": 1}}, capabilities=PACED)
    crowd(desk, 3)
    crowd(desk, 3, OTHER, 3)
    desk.app.drain()
    assert sorted(delivery.sender for delivery in desk.channel.sent) == [OURS, OTHER]


def test_what_may_not_leave_takes_nothing(make_desk: MakeDesk) -> None:
    desk = make_desk({"sending": {"per_second": 1}}, capabilities=PACED)
    assert len(desk.write("stop")) == 1
    desk.channel.sent.clear()
    desk.clock.advance(timedelta(seconds=1))
    desk.write("hello", "hello", "hello")
    assert len(desk.write("hello", phone="+919800000002")) == 1


@pytest.mark.parametrize(("per_second", "capabilities"), [(0, PACED), (1, Capabilities())])
def test_without_a_limit_all_leave_at_once(
    make_desk: MakeDesk, per_second: int, capabilities: Capabilities
) -> None:
    desk = make_desk({"sending": {"per_second": per_second}}, capabilities=capabilities)
    crowd(desk, 100)
    desk.app.drain()
    assert len(desk.channel.sent) == 100


def test_the_usual_pace_is_the_providers(make_desk: MakeDesk) -> None:
    desk = make_desk(capabilities=PACED)
    crowd(desk, 200)
    desk.app.drain()
    sent = [len(desk.channel.sent), *(len(desk.wait(timedelta(seconds=1))) for _ in range(4))]
    assert sent[:2] == [80, 80]
    assert sum(sent) == 200
