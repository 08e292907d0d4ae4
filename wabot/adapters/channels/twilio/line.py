"""The way to Twilio's servers, in place of the SDK's own.

The SDK's client writes each URL, with contacts' numbers, to a log, waits without end by default, and can't
be pointed at another server. It also takes back connections of any age from its pool; one that the other
side closes just as it is used leaves nobody knowing whether the message was taken.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from twilio.http.response import Response
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    SSLError,
)

CONNECT = 5.0
"""Seconds until a connection stands."""
IDLE = 5.0
"""Seconds after which a connection that nobody used is given up."""


_NOTHING_ASKED = (ClosedPoolError, ConnectTimeoutError, LocationValueError, NewConnectionError)


class NotReached(Exception):
    """No connection was made: nothing was asked."""


class AnswerLost(Exception):
    """It was asked, and nobody knows what came of it."""


class Line:
    """What `twilio.rest.Client` takes as its `http_client`.

    `api_base` is the server that stands in for all of Twilio's, `timeout` in seconds for an answer.
    """

    def __init__(
        self, api_base: str = "", timeout: float = 15.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._api_base = api_base.rstrip("/")
        self._timeout = urllib3.Timeout(connect=min(CONNECT, timeout), read=timeout)
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=8, retries=False)
        self._now = now
        self._used_at = now()
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """The SDK's call: never follows a redirect, never tries again. Raises NotReached or AnswerLost."""
        target = self._at(url)
        if params:
            target += ("&" if "?" in target else "?") + urlencode(params, doseq=True)
        sent = {**(headers or {}), **(urllib3.make_headers(basic_auth=":".join(auth)) if auth else {})}
        body = _encoded(data, sent) if method in ("POST", "PUT") else None
        self._renew()
        try:
            answer = self._pool.request(
                method, target, body=body, headers=sent, timeout=self._timeout, redirect=False
            )
        except _NOTHING_ASKED as error:
            raise NotReached(type(error).__name__) from error
        except SSLError as error:
            raise _broken_tls(error) from error
        except (HTTPError, OSError) as error:
            raise AnswerLost(type(error).__name__) from error
        return Response(answer.status, answer.data.decode("utf-8", "replace"), answer.headers)

    def close(self) -> None:
        self._pool.clear()

    def _at(self, url: str) -> str:
        if not self._api_base:
            return url
        parts = urlsplit(url)
        return self._api_base + parts.path + (f"?{parts.query}" if parts.query else "")

    def _renew(self) -> None:
        with self._lock:
            idle, self._used_at = self._now() - self._used_at, self._now()
        if idle > IDLE:
            self._pool.clear()


def _encoded(data: Mapping[str, Any] | None, headers: Mapping[str, str]) -> bytes:
    if headers.get("Content-Type") == "application/json":
        return json.dumps(data or {}).encode()
    return urlencode(data or {}, doseq=True).encode()


def _broken_tls(error: SSLError) -> Exception:
    """A certificate is looked at before anything is sent."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NotReached("its certificate isn't trusted")
    return AnswerLost(type(error).__name__)
