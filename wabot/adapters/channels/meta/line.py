"""The way to the Graph API: one POST with JSON, never repeated, never redirected."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError, SSLError

from wabot.errors import NotSent, SendUnknown

CONNECT = 5.0
"""Seconds until a connection stands."""
IDLE = 5.0
"""Seconds after which a connection that nobody used is given up: one that the other side closes just as
it is used leaves nobody knowing whether the message was taken."""
ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is an empty object where the answer is none."""

    status: int
    body: Mapping[str, Any]


class Line:
    """`timeout` is in seconds, for an answer. Threads may share it, and a process that forks."""

    def __init__(self, timeout: float, now: Callable[[], float] = time.monotonic) -> None:
        self._timeout = urllib3.Timeout(connect=min(CONNECT, timeout), read=timeout)
        self._now = now
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=8, retries=False)
        self._owner, self._used_at = os.getpid(), now()

    def post(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """Raises NotSent where nothing was asked, SendUnknown where nobody knows what came of it."""
        content = json.dumps(body, ensure_ascii=False).encode(errors="replace")
        try:
            response = self._fresh().request(
                "POST",
                url,
                body=content,
                headers={"Content-Type": "application/json", "User-Agent": "wabot", **headers},
                timeout=self._timeout,
                redirect=False,
                preload_content=False,
            )
            return _read(response)
        except (NewConnectionError, ConnectTimeoutError, ProxyError) as error:
            raise NotSent(f"Meta can't be reached: {type(error).__name__}") from error
        except SSLError as error:
            raise _untrusted(error) from error
        except (HTTPError, OSError) as error:
            raise SendUnknown(f"Meta's answer was lost: {type(error).__name__}") from error

    def close(self) -> None:
        self._pool.clear()

    def _fresh(self) -> urllib3.PoolManager:
        with self._lock:
            if self._owner != os.getpid():
                # A fork would share its parent's connections, and each read the other's answers.
                self._pool = urllib3.PoolManager(num_pools=2, maxsize=8, retries=False)
                self._owner = os.getpid()
            idle, self._used_at = self._now() - self._used_at, self._now()
            if idle > IDLE:
                self._pool.clear()
            return self._pool


def _read(response: urllib3.BaseHTTPResponse) -> Answer:
    try:
        content = response.read(ANSWER_BYTES, decode_content=True)
        rest = response.read(1)
    except BaseException:
        response.close()
        raise
    response.close() if rest else response.release_conn()
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = {}
    return Answer(response.status, body if isinstance(body, dict) else {})


def _untrusted(error: SSLError) -> NotSent | SendUnknown:
    """A certificate is looked at before anything is sent."""
    words = f"{error!r} {error.__cause__!r}"
    if "CertificateError" in words or "CERTIFICATE_VERIFY_FAILED" in words:
        return NotSent("Meta can't be reached: its certificate isn't trusted")
    return SendUnknown(f"Meta's answer was lost: {type(error).__name__}")
