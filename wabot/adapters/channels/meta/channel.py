"""Messages to WhatsApp through the Cloud API's messages endpoint."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from wabot.adapters.channels.meta.codes import NEVER_TAKEN, TOO_MANY, refusal_of
from wabot.adapters.channels.meta.line import CONNECT, Answer, Line
from wabot.adapters.channels.meta.rendering import rendered
from wabot.core.limits import SERVICE_WINDOW
from wabot.core.messages import Outbound
from wabot.core.ports import Capabilities
from wabot.core.refusals import Refusal, refused
from wabot.errors import NotSent, SendError, SendUnknown

API_BASE = "https://graph.facebook.com"
API_VERSION = "v23.0"

_DIGITS = re.compile(r"\d{6,}")
_SENTENCE = 200
_TIMEOUT, _TOO_MANY, _SERVER_ERROR = 408, 429, 500
_AUTHENTICATION = (401, 403)
NO_SENDER = "no_phone_number_id"
"""The code of a message from a number of ours that the settings have no id for."""


class MetaChannel:
    """A `core.ports.Channel`. Meta keeps no list of messages to ask: one of unknown fate is settled by its
    status webhooks, which carry our reference back.

    `phone_numbers` are our numbers, E.164, with Meta's id of each. `language` is that of templates that
    name none. `api_base` is the server in place of Meta's; `timeout` is in seconds.
    """

    capabilities = Capabilities(window=SERVICE_WINDOW, paced=True)

    def __init__(
        self,
        access_token: str,
        phone_numbers: Mapping[str, str],
        *,
        name: str = "meta",
        language: str = "en",
        api_base: str = "",
        api_version: str = API_VERSION,
        timeout: float = 20.0,
        line: Line | None = None,
    ) -> None:
        self.name = name
        self.answers_within = timedelta(seconds=min(CONNECT, timeout) + timeout)
        self._phone_numbers = dict(phone_numbers)
        self._language = language
        self._url = f"{(api_base or API_BASE).rstrip('/')}/{api_version}"
        self._headers = {"Authorization": f"Bearer {access_token}"}
        self._line = line or Line(timeout)

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        """See `core.ports.Channel`. `to` is a number in E.164, or the id that Meta gives a contact whose
        number we may not see."""
        id = self._phone_numbers.get(sender)
        if id is None:
            raise NotSent(f"the settings have no id of Meta's for our number {sender}", code=NO_SENDER)
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **_recipient(to),
            **rendered(message, self._language),
            "biz_opaque_callback_data": reference,
        }
        answer = self._line.post(f"{self._url}/{id}/messages", body, self._headers)
        if answer.status >= 300:
            raise _meant(answer)
        found = _id(answer.body)
        if not found:
            raise SendUnknown("Meta's answer can't be read")
        return found

    def close(self) -> None:
        self._line.close()


def _recipient(to: str) -> dict[str, str]:
    return {"to": to} if to.startswith("+") else {"recipient": to}


def _id(body: Mapping[str, Any]) -> str:
    match body:
        case {"messages": [{"id": str(found)}, *_]}:
            return found
        case _:
            return ""


def _meant(answer: Answer) -> SendError:
    """Raised for an answer that isn't a success. A redirect is none of Meta's: nobody knows."""
    status, (code, sentence) = answer.status, _error(answer.body)
    if status >= _SERVER_ERROR and code not in NEVER_TAKEN:
        return SendUnknown(f"Meta answered {status}: {sentence}", code=code or None)
    if status == _TOO_MANY:
        return refused(Refusal.LATER, f"Meta has too much to do for us: {sentence}", code or TOO_MANY)
    if status < 400 or status == _TIMEOUT:
        return SendUnknown(f"Meta answered {status}")
    if not code and status in _AUTHENTICATION:
        return refused(Refusal.LATER, "Meta doesn't let us in", str(status))
    return refused(refusal_of(code), f"Meta refused it: {sentence}", code or str(status))


def _error(body: Mapping[str, Any]) -> tuple[str, str]:
    """Meta's code, or the empty string, and its sentence."""
    error = body.get("error")
    if not isinstance(error, dict):
        return "", "no reason given"
    code = error.get("code")
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    return "" if code is None else str(code)[:32], told(str(details or error.get("message") or ""))


def told(text: str) -> str:
    """A sentence of Meta's without the numbers of contacts that it may quote."""
    return _DIGITS.sub("…", " ".join(text.split()))[:_SENTENCE] or "no reason given"
