from datetime import timedelta

import pytest

from tests.runtime.conftest import MakeRuntime
from wabot.core.migrate import differences
from wabot.core.tables import ContactRow
from wabot.errors import SendUnknown
from wabot.runtime import queries
from wabot.testing.fakes import FakeChannel

pytestmark = pytest.mark.postgres


def test_the_same_code_and_tables_work_on_a_server(build: MakeRuntime, postgres_database: str) -> None:
    channel = FakeChannel()
    runtime = build(channel=channel, database=postgres_database)
    ours = {ContactRow.__tablename__, "conversation", "inbound", "outbox", "timer", "effect"}
    different = [change for change in differences(runtime.world.database) if concerns(change, ours)]
    assert different == []
    channel.fail_next(SendUnknown("time-out"))
    runtime.hear("say hello; timer tea 60; invoke desk agent", event_id="x")
    assert runtime.hear("say hello", event_id="x") is None
    runtime.hear("boom")
    runtime.sweep().drain()
    for _ in range(3):
        runtime.clock.advance(timedelta(minutes=1))
        runtime.sweep().drain()
    said = [delivery.message.text for delivery in channel.sent]
    assert said[0] == "hello"
    assert said[1].startswith("Sorry")
    assert said[2] == "timer.tea"
    (conversation,) = queries.conversations(runtime.world.database)
    assert conversation.version == 2
    assert len(queries.effects(runtime.world.database, conversation.id, pending=True)) == 1


def concerns(change: object, tables: set[str]) -> bool:
    subject = (change[0] if isinstance(change, list) else change)[1]  # type: ignore[index]
    return str(getattr(getattr(subject, "table", subject), "name", "")) in tables
