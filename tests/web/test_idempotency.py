import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.web.sites import Site, make_app, make_contact, mounted
from wabot.adapters.web.idempotency import AT_ONCE, KEPT, LEASE
from wabot.core.faults import at_crash_points
from wabot.core.tables import ContactRow, IdempotencyRow
from wabot.errors import Rejected
from wabot.runtime.keys import new_key
from wabot.testing.fakes import ManualClock


class Killed(BaseException):
    """As if the process were gone: nothing catches it."""


Work = Callable[[str], Any]


class Desk:
    """A site with a route that does `work`, and counts how often it did."""

    def __init__(self, url: str) -> None:
        self.clock = ManualClock()
        self.app = make_app(url, clock=self.clock).bind()
        self.done = 0
        self.work: Work = lambda name: make_contact(self.app, name)
        _, key = new_key(self.app.database, self.clock, "boss", ["admin"])
        self.site = Site(self.app, mounted(self.app, self._count), key)

    def _count(self, name: str) -> Any:
        self.done += 1
        return self.work(name)

    def post(
        self, name: str = "Asha", idempotency: str | None = "one", key: str | None = None
    ) -> TestResponse:
        headers = {} if idempotency is None else {"Idempotency-Key": idempotency}
        return self.site.post("/whatsapp/work", key, json={"name": name}, headers=headers)

    @property
    def contacts(self) -> int:
        return self.site.count(ContactRow)


@pytest.fixture
def desk(shared_url: str) -> Iterator[Desk]:
    desk = Desk(shared_url)
    yield desk
    desk.app.close()


@contextmanager
def killed_at(place: str) -> Iterator[None]:
    def kill(name: str) -> None:
        if name == place:
            raise Killed

    with at_crash_points(kill), pytest.raises(Killed):
        yield


def test_the_same_request_works_once_and_is_answered_twice(desk: Desk) -> None:
    first, again = desk.post(), desk.post()
    assert (
        (first.status_code, first.json) == (again.status_code, again.json) == (201, {"id": 1, "name": "Asha"})
    )
    assert first.mimetype == again.mimetype == "application/json"
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (desk.done, desk.contacts) == (1, 1)


def test_without_the_header_each_request_works(desk: Desk) -> None:
    assert [desk.post(idempotency=None).status_code for _ in range(2)] == [201, 201]
    assert desk.contacts == 2
    assert desk.site.count(IdempotencyRow) == 0


def test_the_same_key_for_another_request_is_refused(desk: Desk) -> None:
    desk.post("Asha")
    answer = desk.post("Ben")
    assert answer.status_code == 422
    assert answer.json
    assert answer.json["code"] == "key_reused"
    assert desk.contacts == 1


def test_a_key_belongs_to_who_sent_it(desk: Desk) -> None:
    other = desk.site.key_for("orders:write")
    assert [desk.post("Asha").status_code, desk.post("Ben", key=other).status_code] == [201, 201]
    assert desk.contacts == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "two words", "é"])
def test_a_key_that_is_none_is_refused(desk: Desk, key: str) -> None:
    answer = desk.post(idempotency=key)
    assert (answer.status_code, desk.done) == (400, 0)


def test_what_is_refused_is_answered_the_same_again(desk: Desk) -> None:
    def refuse(name: str) -> Any:
        raise Rejected("There is no cement", code="out_of_stock", details={"left": 0})

    desk.work = refuse
    first, again = desk.post(), desk.post()
    assert (first.status_code, first.json) == (again.status_code, again.json)
    assert (first.status_code, first.mimetype, again.mimetype) == (422, *["application/problem+json"] * 2)
    assert first.json
    assert (first.json["code"], first.json["details"]) == ("out_of_stock", {"left": 0})
    assert desk.done == 1


def test_what_does_not_fit_or_may_not_takes_no_key(desk: Desk) -> None:
    headers = {"Idempotency-Key": "one"}
    assert desk.site.post("/whatsapp/work", json={"name": 1}, headers=headers).status_code == 422
    assert desk.site.post("/whatsapp/work", "wrong", json={}, headers=headers).status_code == 401
    assert desk.post().status_code == 201


def test_after_a_failure_the_request_may_come_again(desk: Desk) -> None:
    def fail(name: str) -> Any:
        raise RuntimeError("boom")

    fine, desk.work = desk.work, fail
    answer = desk.post()
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert "boom" not in answer.text
    desk.work = fine
    assert desk.post().status_code == 201
    assert desk.contacts == 1


def test_a_failure_after_the_work_was_committed_does_not_let_it_happen_twice(desk: Desk) -> None:
    def fail_late(name: str) -> Any:
        make_contact(desk.app, name)
        raise RuntimeError("boom")

    desk.work = fail_late
    assert desk.post().status_code == 500
    desk.clock.advance(LEASE)
    answer = desk.post()
    assert answer.status_code == 409
    assert answer.json
    assert answer.json["code"] == "answer_lost"
    assert desk.contacts == 1


def test_while_the_first_is_at_work_the_second_is_told_to_wait(desk: Desk) -> None:
    seconds: list[TestResponse] = []

    def ask_meanwhile(name: str) -> Any:
        asking = threading.Thread(target=lambda: seconds.append(desk.post()))
        asking.start()
        asking.join()
        return make_contact(desk.app, name)

    desk.work = ask_meanwhile
    assert desk.post().status_code == 201
    (second,) = seconds
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert second.json
    assert second.json["code"] == "in_progress"
    assert (desk.done, desk.contacts) == (1, 1)


def test_of_many_at_once_one_works(desk: Desk) -> None:
    gate, answers = threading.Barrier(8), list[int]()

    def ask() -> None:
        gate.wait()
        answers.append(desk.post().status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert desk.contacts == 1


def test_a_crash_before_the_work_lets_the_request_come_again(desk: Desk) -> None:
    def die(name: str) -> Any:
        raise Killed

    fine, desk.work = desk.work, die
    with pytest.raises(Killed):
        desk.post()
    desk.work = fine
    assert desk.post().status_code == 409
    desk.clock.advance(LEASE)
    assert desk.post().status_code == 201
    assert desk.post().status_code == 201
    assert desk.contacts == 1


def test_a_crash_after_the_work_has_no_second_effect(desk: Desk) -> None:
    with killed_at("idempotency.before_answer"):
        desk.post()
    assert desk.contacts == 1
    for wait, code in ((timedelta(), "in_progress"), (LEASE, "answer_lost"), (LEASE, "answer_lost")):
        desk.clock.advance(wait)
        answer = desk.post()
        assert answer.status_code == 409
        assert answer.json
        assert answer.json["code"] == code
    assert desk.contacts == 1


def test_one_that_was_taken_for_dead_commits_nothing_any_more(desk: Desk) -> None:
    answers: list[TestResponse] = []

    def sleep(name: str) -> Any:
        desk.work = lambda name: make_contact(desk.app, name)
        desk.clock.advance(LEASE)
        other = threading.Thread(target=lambda: answers.append(desk.post()))
        other.start()
        other.join()
        return make_contact(desk.app, name)

    desk.work = sleep
    late = desk.post()
    assert [answer.status_code for answer in answers] == [201]
    assert late.status_code == 409
    assert desk.contacts == 1
    assert desk.post().json == answers[0].json


def test_a_key_is_forgotten_after_a_day(desk: Desk) -> None:
    desk.post()
    desk.clock.advance(KEPT)
    assert desk.post().headers.get("Idempotency-Replayed") == "true"
    desk.clock.advance(timedelta(seconds=1))
    assert desk.post("Ben").status_code == 201
    assert (desk.contacts, desk.site.count(IdempotencyRow)) == (2, 1)


def test_many_that_expired_go_little_by_little(desk: Desk) -> None:
    now = desk.clock.now()
    with desk.app.database.transaction() as session:
        session.add_all(
            IdempotencyRow(owner="o", key=f"k{number}", fingerprint="f", status=200, created_at=now)
            for number in range(AT_ONCE + 20)
        )
        session.commit()
    desk.clock.advance(KEPT + timedelta(seconds=1))
    desk.post()
    assert desk.site.count(IdempotencyRow) == 21
    desk.post(idempotency="two")
    assert desk.site.count(IdempotencyRow) == 2
    with desk.app.database.reading() as session:
        assert set(session.scalars(select(IdempotencyRow.status))) == {201}
