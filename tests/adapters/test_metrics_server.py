import http.client
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from wabot.adapters import metrics as served
from wabot.adapters.metrics import metrics_at, read_address
from wabot.core.metrics import CONTENT_TYPE
from wabot.errors import RecordError, UsageError


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("9400", ("127.0.0.1", 9400)),
        ("0.0.0.0:9400", ("0.0.0.0", 9400)),
        ("[::1]:9400", ("::1", 9400)),
        ("::1:9400", ("::1", 9400)),
        ("metrics.internal:1", ("metrics.internal", 1)),
    ],
)
def test_an_address_has_a_host_or_is_of_this_machine(written: str, address: tuple[str, int]) -> None:
    assert read_address(written) == address
    assert read_address(written, place=3) == (address[0], address[1] + 3)


@pytest.mark.parametrize(
    "written", ["", "x", ":9400", "localhost:", "localhost:0", "65536", "-1", "9400:x", "٣"]
)
def test_what_is_no_address(written: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        read_address(written)


def test_the_last_process_has_no_port_left() -> None:
    assert read_address("65535")
    with pytest.raises(UsageError, match="is no address"):
        read_address("65535", place=1)


def numbers() -> str:
    return "wabot_turns_total 3\n"


@pytest.fixture
def free() -> tuple[str, int]:
    """An address where nobody listens."""
    with served._listen(("127.0.0.1", 0), numbers) as server:
        return "127.0.0.1", server.server_port


@pytest.fixture
def address(free: tuple[str, int]) -> Iterator[tuple[str, int]]:
    with metrics_at(free, numbers):
        yield free


def get(address: tuple[str, int], path: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_prometheus_gets_the_numbers(address: tuple[str, int]) -> None:
    assert get(address, "/metrics") == (200, CONTENT_TYPE, numbers())
    assert get(address, "/metrics?name=x")[0] == 200
    assert get(address, "/")[::2] == (404, "The numbers are at /metrics.\n")


def test_one_who_says_nothing_keeps_nobody_waiting(address: tuple[str, int]) -> None:
    silent = http.client.HTTPConnection(*address, timeout=60)
    silent.connect()
    try:
        assert get(address, "/metrics")[0] == 200
    finally:
        silent.close()


@pytest.mark.parametrize("error", [RecordError("away"), OperationalError("select", {}, OSError("+9198"))])
def test_a_database_that_is_away_is_said(
    free: tuple[str, int], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> str:
        raise error

    with metrics_at(free, away):
        assert get(free, "/metrics")[::2] == (503, "The database can't be read now.\n")
    assert type(error).__name__ in caplog.text
    assert "+9198" not in caplog.text


def test_a_mistake_of_ours_is_a_line_of_the_log(
    free: tuple[str, int], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise ZeroDivisionError

    with metrics_at(free, broken), pytest.raises(http.client.RemoteDisconnected):
        get(free, "/metrics")
    assert "ZeroDivisionError" in caplog.text
    assert capsys.readouterr().err == ""


def test_one_who_hangs_up_is_no_news(free: tuple[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    gone = threading.Event()

    def late() -> str:
        assert gone.wait(60)
        return "x" * 10_000_000

    with metrics_at(free, late):
        with socket.create_connection(free, timeout=60) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            # Closed with a reset, at once.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.set()
        assert get(free, "/")[0] == 404
    assert capsys.readouterr().err == ""


def test_an_address_that_another_has_is_refused(address: tuple[str, int]) -> None:
    with (
        pytest.raises(UsageError, match=r"can't listen on 127\.0\.0\.1:\d+: ") as raised,
        metrics_at(address, numbers),
    ):
        raise AssertionError
    assert raised.value.hint == "take another port"


def test_a_host_that_is_not_there_is_refused() -> None:
    with (
        pytest.raises(UsageError, match="can't listen on nowhere"),
        metrics_at(("nowhere.invalid", 9400), numbers),
    ):
        raise AssertionError


def test_afterwards_nobody_listens(free: tuple[str, int]) -> None:
    with metrics_at(free, numbers):
        pass
    with pytest.raises(ConnectionRefusedError):
        get(free, "/metrics")


def test_without_an_address_nothing_is_served() -> None:
    with metrics_at(None, numbers):
        pass
