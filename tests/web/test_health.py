from contextlib import closing
from datetime import timedelta

import pytest
from pydantic import SecretStr

from tests import servers
from tests.web.conftest import MakeSite
from tests.web.sites import Site, make_site, message
from wabot.core.database import Database
from wabot.core.migrate import upgrade
from wabot.core.tables import OutboxRow
from wabot.testing.fakes import ManualClock


def test_what_is_well_says_so_without_a_key(site: Site) -> None:
    answer = site.client.get("/whatsapp/health")
    assert answer.status_code == 200
    assert answer.json == {"alive": True, "ready": True, "database": "ok", "redis": "none", "backlog": "ok"}
    assert site.client.get("/whatsapp/health/alive").json == {"alive": True}
    assert site.client.get("/whatsapp/health/ready").json == {"ready": True, "database": "ok"}


def test_what_waits_too_long_is_told(build: MakeSite) -> None:
    clock = ManualClock()
    site = build(clock=clock, settings={"health": {"backlog": timedelta(minutes=5)}})
    site.twilio(message())
    clock.advance(timedelta(minutes=5))
    assert site.client.get("/whatsapp/health").status_code == 200
    clock.advance(timedelta(seconds=1))
    late = site.client.get("/whatsapp/health")
    assert (late.status_code, late.json) == (
        503,
        {"alive": True, "ready": False, "database": "ok", "redis": "none", "backlog": "late"},
    )
    assert site.client.get("/whatsapp/health/ready").status_code == 200
    site.app.drain()
    assert site.count(OutboxRow) == 1
    assert site.client.get("/whatsapp/health").status_code == 200


def test_what_leaves_too_late_is_told(build: MakeSite) -> None:
    clock = ManualClock()
    site = build(clock=clock)
    site.twilio(message())
    site.app.serve(site.app.conversations()[0].id)
    clock.advance(timedelta(minutes=6))
    assert (site.client.get("/whatsapp/health").json or {})["backlog"] == "late"


def test_a_database_that_is_down_is_told(site: Site) -> None:
    with site.app.database.transaction() as session:
        session.connection().exec_driver_sql("alter table inbound rename to away")
        session.commit()
    answer = site.client.get("/whatsapp/health")
    assert answer.status_code == 503
    assert (answer.json or {})["database"] == "down"


@pytest.mark.postgres
def test_a_server_that_is_gone_stops_accepting_and_not_living() -> None:
    try:
        with servers.postgres() as url:
            with closing(Database(url)) as database:
                upgrade(database)
            site = make_site(url)
    except servers.ServerMissing as error:
        pytest.skip(str(error))
    with site.app:
        assert site.client.get("/whatsapp/health/ready").status_code == 503
        assert site.client.get("/whatsapp/health").status_code == 503
        assert site.client.get("/whatsapp/health/alive").status_code == 200
        assert site.twilio(message()).status_code == 503
        assert site.get("/whatsapp/metrics").status_code == 503


@pytest.mark.redis
def test_redis_is_told_of_where_the_settings_name_one(redis_url: str) -> None:
    site = make_site(settings={"redis": SecretStr(redis_url)})
    with site.app:
        assert (site.client.get("/whatsapp/health").json or {})["redis"] == "ok"


def test_a_redis_that_is_down_is_told_and_keeps_nobody_from_accepting() -> None:
    site = make_site(settings={"redis": SecretStr("redis://127.0.0.1:1/0")})
    with site.app:
        answer = site.client.get("/whatsapp/health")
        assert (answer.status_code, (answer.json or {})["redis"]) == (503, "down")
        assert site.client.get("/whatsapp/health/ready").status_code == 200
        assert site.twilio(message()).status_code == 200
