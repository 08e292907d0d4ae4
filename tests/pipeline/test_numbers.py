from datetime import timedelta

from tests.pipeline.conftest import ASHA, Desk, MakeDesk
from wabot.core.metrics import NoMetrics
from wabot.errors import NotSent


def shown(desk: Desk) -> dict[str, float]:
    lines = [line for line in desk.app.metrics_text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_an_app_counts_turns_and_sends(desk: Desk) -> None:
    desk.channel.fail_next(NotSent("busy", code="429"))
    desk.write("hello", "again")
    numbers = shown(desk)
    assert numbers['wabot_turns_total{outcome="done"}'] == 2
    assert numbers["wabot_turn_seconds_count"] == 2
    assert 0 < numbers["wabot_turn_seconds_sum"] < 60
    assert numbers['wabot_sends_total{channel="fake",outcome="later"}'] == 1
    assert numbers['wabot_circuit_open{circuit="fake"}'] == 0
    desk.wait(timedelta(minutes=1))
    assert shown(desk)['wabot_sends_total{channel="fake",outcome="sent"}'] == 2


def test_it_shows_what_waits_and_since_when(desk: Desk) -> None:
    assert shown(desk)['wabot_backlog{kind="inbound"}'] == 0
    desk.hear("hello")
    desk.hear("hello")
    desk.clock.advance(timedelta(seconds=90))
    numbers = shown(desk)
    assert numbers['wabot_backlog{kind="inbound"}'] == 2
    assert numbers['wabot_oldest_seconds{kind="inbound"}'] == 90
    assert numbers['wabot_backlog{kind="outbox"}'] == 0
    assert numbers['wabot_oldest_seconds{kind="timers"}'] == 0


def test_a_failed_turn_counts_as_such(make_desk: MakeDesk) -> None:
    desk = make_desk(bound=False)

    def broken(turn: object, call_next: object) -> None:
        raise ValueError("broken")

    desk.app.use(broken)
    desk.app.bind()
    desk.write("hello")
    numbers = shown(desk)
    assert numbers['wabot_turns_total{outcome="retry"}'] == 2
    assert numbers['wabot_turns_total{outcome="failed"}'] == 1


def test_no_number_or_word_of_a_contact_is_in_it(desk: Desk) -> None:
    desk.write("a secret", "stop", "start")
    text = desk.app.metrics_text()
    assert ASHA not in text
    assert ASHA.removeprefix("+") not in text
    assert "secret" not in text


def test_an_app_need_not_count(make_desk: MakeDesk) -> None:
    desk = make_desk(metrics=NoMetrics())
    desk.write("hello")
    assert desk.app.metrics_text() == ""
