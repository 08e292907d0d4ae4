"""Channels that speak to a `FakeProvider`, from whatever process."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

from wabot.core.messages import Outbound
from wabot.core.ports import Capabilities
from wabot.core.refusals import Refusal, refused
from wabot.errors import NotSent, SendError, SendUnknown

OK, CREATED, TOO_MANY = 200, 201, 429
HOST = "127.0.0.1"


class ProviderChannel:
    """Speaks to the `FakeProvider` at `url`.

    `timeout` is in seconds. `callback` is the URL for status reports; the message's reference is added
    to it. `codes` says what an error code of the provider means; others mean `never`.
    """

    def __init__(
        self,
        url: str,
        name: str = "provider",
        *,
        timeout: float = 5.0,
        callback: str = "",
        capabilities: Capabilities | None = None,
        codes: Mapping[str, Refusal] | None = None,
    ) -> None:
        self.url = url
        self.name = name
        self.timeout = timeout
        self.callback = callback
        self.capabilities = capabilities or Capabilities()
        self.codes = codes or {}

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        """See `core.ports.Channel`: refused connections and 429 are NotSent, other 4xx what `codes` says,
        5xx, a time-out and a cut line SendUnknown."""
        body = {
            "to": to,
            "sender": sender,
            "message": message.model_dump(mode="json", exclude_defaults=True),
            "reference": reference,
        }
        if self.callback:
            body["callback"] = f"{self.callback}?{urlencode({'reference': reference})}"
        try:
            status, answer = post(f"{self.url}/messages", body, self.timeout)
        except ConnectionRefusedError as error:
            raise NotSent("the provider refused the connection") from error
        except (OSError, HTTPException) as error:
            raise SendUnknown(f"the provider's answer was lost: {type(error).__name__}") from error
        if status == CREATED:
            return str(answer["id"])
        raise _error_of(status, answer, self.codes)


class ProviderLookupChannel(ProviderChannel):
    """As `ProviderChannel`, and asks the provider's list of messages what it took."""

    def find(self, to: str, reference: str) -> str | None:
        """See `core.ports.Lookup`."""
        query = urlencode({"to": to, "reference": reference})
        try:
            status, answer = request("GET", f"{self.url}/messages?{query}", None, self.timeout)
        except (OSError, HTTPException) as error:
            raise SendUnknown(f"the list of messages can't be read: {type(error).__name__}") from error
        if status != OK:
            raise SendUnknown(f"the list of messages answered {status}", code=str(status))
        found = [message["id"] for message in answer["messages"]]
        return str(found[0]) if found else None


def _error_of(status: int, answer: dict[str, Any], codes: Mapping[str, Refusal]) -> SendError:
    code = str(answer.get("code") or status)
    sentence = f"the provider answered {status}"
    if status == TOO_MANY:
        return NotSent(sentence, code=code)
    if status >= 500:
        return SendUnknown(sentence, code=code)
    return refused(codes.get(code, Refusal.NEVER), sentence, code)


def post(url: str, body: dict[str, Any], timeout: float) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the answer to this JSON. Raises OSError or HTTPException."""
    return request("POST", url, json.dumps(body).encode(), timeout)


def request(method: str, url: str, body: bytes | None, timeout: float) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the answer. A connection of its own: one that is kept open may be closed
    by the other side just as it is used, and then nobody knows whether the message was taken."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or HOST, parts.port, timeout=timeout)
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request(method, target, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else {}
    finally:
        connection.close()
