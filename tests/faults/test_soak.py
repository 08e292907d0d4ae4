from contextlib import closing

import pytest
from sqlalchemy import text

from tests.faults.bots import written
from tests.faults.crowd import Count, Crowd, compare
from tests.faults.harness import Bots
from tests.soak import soak
from wabot.core.database import Database


def test_anything_may_be_killed_and_every_message_has_its_answer_once_and_in_order(shared_url: str) -> None:
    done = soak(shared_url, messages=300, contacts=20, workers=3, every=0.7)
    assert done.count == Count()
    assert done.record == Count()
    assert done.killed >= 1


@pytest.mark.parametrize(
    ("got", "count"),
    [
        ("abc", Count()),
        ("ab", Count(lost=1)),
        ("abcb", Count(doubled=1)),
        ("acb", Count(disordered=1)),
        ("bca", Count(disordered=1)),
        ("axc", Count(lost=1)),
    ],
)
def test_the_count_counts(got: str, count: Count) -> None:
    assert compare("abc", got) == count


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ("update inbound set attempts = 1", Count()),
        ("update inbound set status = 'pending' where event_id like '% m1'", Count(lost=2)),
        ("delete from outbox where position = 2", Count(lost=1)),
        ("update outbox set inbound_id = 1 where position = 3", Count(lost=1)),
        ("update outbox set position = 9 where position = 1", Count(disordered=1)),
    ],
)
def test_the_record_is_counted_row_by_row(bots: Bots, change: str, count: Count) -> None:
    crowd = Crowd(1, 3, list)
    (phone,) = crowd.phones
    with bots.record(flow="echo") as app, closing(Database(bots.bot.database)) as record:
        for line in ("m0", "m1", "m2"):
            app.accept(written(line, phone))
        app.drain()
        assert crowd.count_on_record(record) == Count()
        with record.transaction() as session:
            session.execute(text(change))
            session.commit()
        assert crowd.count_on_record(record) == count
