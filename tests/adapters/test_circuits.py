import threading
import traceback
from datetime import timedelta
from itertools import pairwise

import pytest
from redis import Redis

from tests.adapters.conftest import POLICY, Moved
from tests.servers import OwnRedis
from wabot.adapters.redis import Link, RedisBreaker
from wabot.core.circuits import Breaker, CircuitState, call_or
from wabot.errors import CircuitOpen, SettingsError

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
PAUSE, PROBE = POLICY.pause + timedelta(seconds=1), POLICY.probe + timedelta(seconds=1)


class Down(Exception):
    pass


class Refused(Exception):
    pass


def fail() -> str:
    raise Down


def is_refused(error: Exception) -> bool:
    return isinstance(error, Refused)


def refuse() -> str:
    raise Refused


def work() -> str:
    return "done"


def fail_times(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Down):
            breaker.call("twilio", fail)


def test_failures_in_a_row_open_it(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 2)
    assert breaker.state("twilio") is CLOSED
    fail_times(breaker, 1)
    assert breaker.state("twilio") is OPEN
    with pytest.raises(CircuitOpen, match='"twilio" failed too often'):
        breaker.call("twilio", work)
    assert form.heard == [OPEN]


def test_one_circuit_says_nothing_of_another(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 3)
    assert breaker.call("meta", work) == "done"
    assert breaker.state("meta") is CLOSED


def test_a_success_between_begins_the_count_anew(form: Moved) -> None:
    breaker = form.breaker()
    for _ in range(3):
        fail_times(breaker, 2)
        assert breaker.call("twilio", work) == "done"
    assert breaker.state("twilio") is CLOSED
    assert form.heard == []


def test_an_ignored_error_says_that_the_other_side_works(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 2)
    for _ in range(5):
        with pytest.raises(Refused):
            breaker.call("twilio", refuse, ignore=is_refused)
    fail_times(breaker, 2)
    assert breaker.state("twilio") is CLOSED


def test_after_the_pause_a_success_closes_it(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 3)
    form.later(PAUSE)
    assert breaker.state("twilio") is HALF_OPEN
    assert breaker.call("twilio", work) == "done"
    assert breaker.state("twilio") is CLOSED
    fail_times(breaker, 2)
    assert breaker.call("twilio", work) == "done"
    assert form.heard == [OPEN, HALF_OPEN, CLOSED]


def test_after_the_pause_one_failure_opens_it_again(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 3)
    form.later(PAUSE)
    fail_times(breaker, 1)
    assert breaker.state("twilio") is OPEN
    with pytest.raises(CircuitOpen):
        breaker.call("twilio", work)
    assert form.heard == [OPEN, HALF_OPEN, OPEN]


def test_an_ignored_error_of_the_probe_closes_it(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 3)
    form.later(PAUSE)
    with pytest.raises(Refused):
        breaker.call("twilio", refuse, ignore=is_refused)
    assert breaker.state("twilio") is CLOSED


def test_of_many_at_once_one_is_the_probe(form: Moved) -> None:
    fail_times(form.breaker(), 3)
    form.later(PAUSE)
    together, over = threading.Barrier(20), threading.Event()
    entered: list[str] = []
    refused: list[CircuitOpen] = []

    def probe() -> str:
        entered.append("in")
        assert over.wait(120)
        return "done"

    def ask(breaker: Breaker) -> None:
        together.wait(120)
        try:
            breaker.call("twilio", probe)
        except CircuitOpen as error:
            refused.append(error)
            if len(refused) == 19:
                over.set()

    threads = [threading.Thread(target=ask, args=[form.breaker()]) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (len(entered), len(refused)) == (1, 19)
    assert form.breaker().state("twilio") is CLOSED


def test_a_probe_that_never_comes_back_is_followed_by_another(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 3)
    form.later(PAUSE)
    seen: list[object] = []

    def hangs() -> str:
        with pytest.raises(CircuitOpen):
            breaker.call("twilio", work)
        form.later(PROBE)
        seen.append(breaker.call("twilio", work))
        return "late"

    assert breaker.call("twilio", hangs) == "late"
    assert seen == ["done"]
    assert breaker.state("twilio") is CLOSED


def test_failures_of_many_are_all_counted(form: Moved) -> None:
    """Three that began before any failed open it together, though each saw none before it."""
    inside, go = threading.Barrier(3), threading.Barrier(3)

    def fails_later() -> str:
        inside.wait(120)
        go.wait(120)
        raise Down

    def ask(breaker: Breaker) -> None:
        with pytest.raises(Down):
            breaker.call("twilio", fails_later)

    threads = [threading.Thread(target=ask, args=[form.breaker()]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert form.breaker().state("twilio") is OPEN
    assert form.heard == [OPEN]


@pytest.mark.parametrize("ending", [work, fail])
def test_what_began_before_it_opened_changes_nothing(form: Moved, ending: object) -> None:
    breaker = form.breaker()

    def slow() -> str:
        fail_times(breaker, 2)
        form.later(timedelta(seconds=20))
        return work() if ending is work else fail()

    fail_times(breaker, 1)
    if ending is work:
        breaker.call("twilio", slow)
    else:
        with pytest.raises(Down):
            breaker.call("twilio", slow)
    assert breaker.state("twilio") is OPEN
    form.later(timedelta(seconds=11))
    assert breaker.state("twilio") is HALF_OPEN


def test_a_refusal_may_have_a_fallback(form: Moved) -> None:
    breaker = form.breaker()
    assert call_or(breaker, "twilio", work, "later") == "done"
    with pytest.raises(Down):
        call_or(breaker, "twilio", fail, "later")
    fail_times(breaker, 2)
    assert call_or(breaker, "twilio", work, "later") == "later"
    assert call_or(breaker, "twilio", work, lambda error: error.message[:8]) == '"twilio"'


def test_each_refusal_is_an_error_of_its_own(form: Moved) -> None:
    breaker = form.breaker()
    fail_times(breaker, 3)
    lengths = []
    for _ in range(5):
        with pytest.raises(CircuitOpen) as caught:
            breaker.call("twilio", work)
        lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert all(one == other for one, other in pairwise(lengths))


@pytest.mark.redis
def test_a_flush_closes_every_circuit(redis_url: str) -> None:
    breaker = RedisBreaker(Link(redis_url), POLICY)
    with Redis.from_url(redis_url) as client:
        client.flushall()
        fail_times(breaker, 3)
        assert breaker.state("twilio") is OPEN
        client.flushall()
    assert breaker.call("twilio", work) == "done"


@pytest.mark.redis
def test_a_flush_or_a_stop_in_the_middle_of_a_call_does_not_fail_it(server: OwnRedis) -> None:
    breaker = RedisBreaker(Link(server.url), POLICY)
    fail_times(breaker, 2)

    def flushes() -> str:
        with Redis.from_url(server.url) as client:
            client.flushall()
        return "done"

    assert breaker.call("twilio", flushes) == "done"
    fail_times(breaker, 2)

    def stops() -> str:
        server.stop()
        return "done"

    assert breaker.call("twilio", stops) == "done"


@pytest.mark.redis
def test_without_redis_the_call_goes_through(server: OwnRedis) -> None:
    seconds = [0.0]
    breaker = RedisBreaker(Link(server.url, lambda: seconds[0]), POLICY)
    fail_times(breaker, 3)
    assert breaker.state("twilio") is OPEN
    server.stop()
    assert breaker.call("twilio", work) == "done"
    fail_times(breaker, 9)
    assert breaker.state("twilio") is CLOSED
    server.start()
    seconds[0] = 10
    fail_times(breaker, 3)
    with pytest.raises(CircuitOpen):
        breaker.call("twilio", work)


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="the URL of Redis can't be read"):
        Link("localhost:6379")
