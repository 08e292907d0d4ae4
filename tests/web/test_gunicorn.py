"""The doors in a real gunicorn on PostgreSQL: what a test client can't send, and a worker that is killed."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlencode, urlsplit

import pytest

from benchmarks import webhook
from tests import servers
from tests.web.serving import served
from tests.web.sites import PUBLIC, message, twilio_signature
from wabot.core.database import Database
from wabot.core.ports import SystemClock
from wabot.core.tables import ContactRow, InboundRow
from wabot.runtime.keys import new_key

pytestmark = pytest.mark.postgres
FORM = "application/x-www-form-urlencoded"


class Client:
    def __init__(self, url: str, key: str) -> None:
        self.key = key
        self.place = (urlsplit(url).hostname or "", urlsplit(url).port or 0)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(*self.place, timeout=30)) as connection:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def work(self, name: str, idempotency: str) -> int:
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": idempotency}
        body = json.dumps({"name": name}).encode()
        return self.post("/whatsapp/work", body, {**headers, "Content-Type": "application/json"})[0]

    def twilio(self, sid: str) -> int:
        signature = twilio_signature(f"{PUBLIC}/whatsapp/webhook", message(sid=sid))
        body = urlencode(message(sid=sid)).encode()
        headers = {"X-Twilio-Signature": signature, "Content-Type": FORM}
        return self.post("/whatsapp/webhook", body, headers)[0]

    def raw(self, head: str, *parts: bytes) -> bytes:
        """The first line of the answer to bytes of one's own; what the server doesn't read is not sent."""
        with socket.create_connection(self.place, timeout=30) as connection:
            try:
                connection.sendall(head.replace("\n", "\r\n").encode())
                for part in parts:
                    connection.sendall(part)
            except ConnectionError:
                pass
            return connection.recv(100).split(b"\r\n")[0]


@pytest.fixture
def database(migrated_postgres: str) -> Iterator[Database]:
    with closing(Database(migrated_postgres)) as made:
        yield made


@pytest.fixture
def key(database: Database) -> str:
    return new_key(database, SystemClock(), "boss", ["admin"])[1]


def count(database: Database, table: type[ContactRow] | type[InboundRow]) -> int:
    with database.reading() as session:
        return session.query(table).count()


def test_bodies_that_are_too_large_or_lie_about_their_length(
    migrated_postgres: str, key: str, database: Database
) -> None:
    with served(migrated_postgres) as url:
        client = Client(url, key)
        head = f"POST /whatsapp/webhook HTTP/1.1\nHost: x\nContent-Type: {FORM}\nConnection: close\n"
        megabyte = b"x" * 1_000_000
        said = client.raw(f"{head}Content-Length: 10000000\n\n", *[megabyte] * 10)
        assert said.split()[1:2] == [b"413"]
        chunk = b"f4240\r\n" + megabyte + b"\r\n"
        said = client.raw(f"{head}Transfer-Encoding: chunked\n\n", *[chunk] * 10, b"0\r\n\r\n")
        assert said.split()[1:2] == [b"413"]
        for odd in ("Content-Length: -1", "Content-Length: 1e3", "Content-Length: 5\nContent-Length: 6"):
            assert client.raw(f"{head}{odd}\n\n", b"a=b").split()[1:2] == [b"400"]
        assert client.twilio("SM1") == client.twilio("SM1") == 200
        assert count(database, InboundRow) == 1


def test_a_worker_that_is_killed_after_the_work_has_done_it_once(
    migrated_postgres: str, key: str, database: Database
) -> None:
    with served(migrated_postgres, crash_at="idempotency.before_answer") as url:
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            Client(url, key).work("Asha", "one")
        assert Client(url, key).work("Asha", "one") == 409
    assert count(database, ContactRow) == 1
    with served(migrated_postgres) as url:
        assert Client(url, key).work("Asha", "one") == 409
        assert Client(url, key).work("Asha", "two") == 201
        assert Client(url, key).work("Asha", "two") == 201
    assert count(database, ContactRow) == 2


def test_a_worker_that_is_killed_while_it_accepts_loses_and_doubles_nothing(
    migrated_postgres: str, key: str, database: Database
) -> None:
    with (
        served(migrated_postgres, crash_at="accept.after_commit") as url,
        pytest.raises((ConnectionError, http.client.HTTPException)),
    ):
        Client(url, key).twilio("SM1")
    with served(migrated_postgres) as url:
        assert Client(url, key).twilio("SM1") == 200
    assert count(database, InboundRow) == 1


def test_a_database_that_restarts_is_a_503_at_most_and_then_works(key: str) -> None:
    try:
        with servers.restartable_postgres() as (url, restart):
            webhook.prepare(url)
            with closing(Database(url)) as database, served(url) as server:
                client = Client(server, key)
                assert client.twilio("SM1") == 200
                restart()
                answers = [client.twilio("SM2") for _ in range(5)]
                assert set(answers) <= {200, 503}
                assert answers[-1] == 200
                assert count(database, InboundRow) == 2
    except servers.ServerMissing as error:
        pytest.skip(str(error))


def test_the_benchmark_compares_both_routes(migrated_postgres: str) -> None:
    webhook.prepare(migrated_postgres)
    accepted, p99 = webhook.compare(migrated_postgres, rounds=1, requests=60, connections=4)
    assert (accepted["unit"], p99["unit"]) == ("requests/s", "ms")
    for each in (accepted, p99):
        assert each["value"] > 0
        assert each["baseline"] > 0
        assert each["ratio"] > 0
