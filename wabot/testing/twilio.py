"""Twilio, as a real HTTP server on 127.0.0.1: the parts of its REST and Content API that wabot uses.

    with FakeTwilio() as twilio:
        channel = TwilioChannel(
            twilio.account_sid, twilio.auth_token, api_base=twilio.url, database=…, clock=…
        )
        twilio.next(Behaviour(take=False, status=429))
        ...
        assert twilio.texts("+919876543210") == ["Hello"]
        twilio.write("https://…/whatsapp/webhook", "+919876543210", "+14155238886", "Hi")

It fails as it is told (`testing.provider`), refuses what Twilio refuses, and signs what it posts. In a
project's settings `[twilio] api_base` leads to it.
"""

import base64
import json
import threading
from collections import deque
from collections.abc import Mapping
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urldefrag, urlencode, urlsplit

from wabot.core.ports import Clock, SystemClock
from wabot.testing.fakes import Delivery
from wabot.testing.provider import UNAVAILABLE, Behaviour, FakeProvider, Listener, Server, StatusReport
from wabot.testing.provider_channel import CREATED, HOST, OK
from wabot.testing.twilio_wire import WHATSAPP, Content, Refused, checked, outbound, sign

__all__ = ["FakeTwilio", "sign"]

NO_CONTENT = 204
_STATUSES = {400: 20001, 401: 20003, 404: 20404, 429: 20429}


class FakeTwilio(FakeProvider):
    """One account. `contents` are by SID; `content_requests` counts those that were to make one.

    `deliveries` are what contacts see: a content filled in, with its buttons; a template with its name. A
    message's reference is that of its status callback. `clock` dates the list of messages.
    """

    def __init__(
        self,
        usual: Behaviour | None = None,
        *,
        listener: Listener | None = None,
        account_sid: str = "AC" + "0" * 31 + "1",
        auth_token: str = "12345",  # noqa: S107 - of an account that is nowhere
        clock: Clock | None = None,
    ) -> None:
        super().__init__(usual, listener=listener)
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.contents: dict[str, Content] = {}
        self.content_requests = 0
        self.records: list[dict[str, Any]] = []
        self._clock = clock or SystemClock()
        self._next_contents: deque[Behaviour] = deque()
        self._lock = threading.RLock()
        self._inbound = 0

    def add_template(
        self,
        name: str,
        body: str,
        *,
        language: str = "en",
        buttons: Mapping[str, str] | None = None,
        samples: Mapping[str, str] | None = None,
    ) -> str:
        """An approved template; its SID. `buttons` are titles by id."""
        types: dict[str, Any] = {"twilio/text": {"body": body}}
        if buttons:
            actions = [{"type": "QUICK_REPLY", "title": title, "id": id} for id, title in buttons.items()]
            types = {"twilio/quick-reply": {"body": body, "actions": actions}}
        return self._keep(name, language, types, samples or {}, approved=True).sid

    def next_content(self, *behaviours: Behaviour) -> None:
        """What to do with the next contents that are to be made, one each."""
        with self._lock:
            self._next_contents.extend(behaviours)

    def write(self, url: str, sender: str, recipient: str, text: str = "", **parameters: str) -> int:
        """A contact writes to us: post it to our webhook, signed; the status that it answers.

        `parameters` are further ones of Twilio's, such as `ButtonPayload`, or other values of the usual.
        """
        with self._lock:
            self._inbound += 1
            sid = f"SMf{self._inbound:031x}"
        form = {
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "AccountSid": self.account_sid,
            "From": WHATSAPP + sender,
            "To": WHATSAPP + recipient,
            "Body": text,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "WaId": sender.removeprefix("+"),
            "ApiVersion": "2010-04-01",
        }
        return self.post(url, {**form, **parameters})

    def post(self, url: str, form: Mapping[str, str]) -> int:
        """Post a form as Twilio does, signed; the status of the answer. Raises OSError or HTTPException.

        A fragment of the URL, Twilio's connection overrides, is neither sent nor signed.
        """
        url = urldefrag(url).url
        parts = urlsplit(url)
        connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = connect(parts.hostname or HOST, parts.port, timeout=5.0)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": sign(self.auth_token, url, form.items()),
        }
        try:
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request("POST", target, urlencode(form), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def call_url(self, url: str, report: StatusReport) -> None:
        """See `FakeProvider.call_url`: as Twilio's status callback has it."""
        record = self._record(report.provider_id)
        with self._lock:
            record["status"] = report.status
            record["error_code"] = report.code or None
        form = {
            "MessageSid": report.provider_id,
            "SmsSid": report.provider_id,
            "MessageStatus": report.status,
            "SmsStatus": report.status,
            "AccountSid": self.account_sid,
            "From": record["from"],
            "To": record["to"],
            "ApiVersion": "2010-04-01",
            "ChannelPrefix": "whatsapp",
        }
        self.post(url, {**form, "ErrorCode": report.code} if report.code else form)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _Handler

    def new_id(self, number: int) -> str:
        return f"SM{number:032x}"

    def take(self, form: Mapping[str, str]) -> tuple[Behaviour, Delivery | None]:
        """The server's part: what to do with this message. Raises Refused for one that Twilio refuses."""
        message = outbound(form, self.contents)
        callback = form.get("StatusCallback", "")
        behaviour, taken = self.receive(
            {
                "to": form["To"].removeprefix(WHATSAPP),
                "sender": form["From"].removeprefix(WHATSAPP),
                "message": message.model_dump(mode="json"),
                "reference": parse_qs(urlsplit(callback).query).get("reference", [""])[0],
                "callback": callback,
            }
        )
        if taken is not None:
            self._list(form, taken)
        return behaviour, taken

    def make_content(self, body: Mapping[str, Any]) -> tuple[Behaviour, Content | None]:
        """The server's part: a content that is to be made. Raises Refused for one that Twilio refuses."""
        with self._lock:
            self.content_requests += 1
            behaviour = self._next_contents.popleft() if self._next_contents else Behaviour()
            types = checked(body.get("types"))
            if not behaviour.take:
                return behaviour, None
            name, language = str(body.get("friendly_name", "")), str(body.get("language", ""))
            return behaviour, self._keep(name, language, types, body.get("variables") or {})

    def find_contents(self, pattern: str) -> list[dict[str, Any]]:
        """The server's part: the contents whose names contain this, the newest first."""
        with self._lock:
            return [each.as_json() for each in reversed(self.contents.values()) if pattern in each.name]

    def find_messages(self, to: str, sender: str) -> list[dict[str, Any]]:
        """The server's part: the messages between these, the newest first."""
        with self._lock:
            found = [each for each in self.records if to in ("", each["to"])]
            return [dict(each) for each in reversed(found) if sender in ("", each["from"])]

    def drop_content(self, sid: str) -> bool:
        """Delete a content; whether it was there."""
        with self._lock:
            return self.contents.pop(sid, None) is not None

    def _keep(
        self,
        name: str,
        language: str,
        types: Mapping[str, Any],
        samples: Mapping[str, str],
        *,
        approved: bool = False,
    ) -> Content:
        with self._lock:
            self._inbound += 1
            content = Content(f"HX{self._inbound:032x}", name, language, types, samples, approved)
            self.contents[content.sid] = content
            return content

    def _list(self, form: Mapping[str, str], taken: Delivery) -> None:
        record = {
            "sid": taken.provider_id,
            "account_sid": self.account_sid,
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "to": form["To"],
            "from": form["From"],
            "body": taken.message.text,
            "num_media": "1" if taken.message.media else "0",
            "status": "queued",
            "direction": "outbound-api",
            "date_created": format_datetime(self._clock.now()),
            "error_code": None,
        }
        with self._lock:
            self.records.append(record)

    def _record(self, sid: str) -> dict[str, Any]:
        with self._lock:
            return next(each for each in self.records if each["sid"] == sid)


class _TwilioServer(Server):
    provider: FakeTwilio


class _Handler(BaseHTTPRequestHandler):
    server: _TwilioServer
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """The test looks at what was delivered, not at a log."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        path = urlsplit(self.path).path
        try:
            if path == self._messages:
                self._send(dict(parse_qsl(body, keep_blank_values=True)))
            elif path == "/v1/Content":
                self._make(json.loads(body))
            else:
                self._missing()
        except Refused as refused:
            self._refuse(refused.status, refused.code, refused.message)

    def do_GET(self) -> None:
        provider, parts = self.server.provider, urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/v2/Content":
            found = provider.find_contents(query.get("ContentName", ""))
            self._answer(OK, {"contents": found, "meta": {"key": "contents", "next_page_url": None}})
        elif parts.path != self._messages:
            self._missing()
        elif provider.list_is_down:
            self._refuse(UNAVAILABLE, 20503, "Service Unavailable")
        else:
            self._page(provider.find_messages(query.get("To", ""), query.get("From", "")), query)

    def do_DELETE(self) -> None:
        sid = urlsplit(self.path).path.removeprefix("/v1/Content/")
        if self.server.provider.drop_content(sid):
            self._answer(NO_CONTENT, None)
        else:
            self._missing()

    def parse_request(self) -> bool:
        """As the base's, and lets nobody in but the account."""
        if not super().parse_request():
            return False
        provider = self.server.provider
        pair = f"{provider.account_sid}:{provider.auth_token}".encode()
        if self.headers.get("Authorization") == f"Basic {base64.b64encode(pair).decode()}":
            return True
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._refuse(401, 20003, "Authenticate")
        return False

    @property
    def _messages(self) -> str:
        return f"/2010-04-01/Accounts/{self.server.provider.account_sid}/Messages.json"

    def _send(self, form: dict[str, str]) -> None:
        provider = self.server.provider
        behaviour, taken = provider.take(form)
        later = provider.answered(behaviour, taken) if taken else []
        try:
            self._behave(behaviour, {"sid": taken.provider_id, "status": "queued"} if taken else {})
        finally:
            for timer in later:
                timer.start()

    def _make(self, body: dict[str, Any]) -> None:
        behaviour, content = self.server.provider.make_content(body)
        self._behave(behaviour, content.as_json() if content else {})

    def _page(self, found: list[dict[str, Any]], query: Mapping[str, str]) -> None:
        page, size = int(query.get("Page", "0")), int(query.get("PageSize", "50"))
        following = urlencode({**query, "Page": page + 1})
        more = (page + 1) * size < len(found)
        answer = {
            "messages": found[page * size : (page + 1) * size],
            "page": page,
            "page_size": size,
            "next_page_uri": f"{self._messages}?{following}" if more else None,
        }
        self._answer(OK, answer)

    def _behave(self, behaviour: Behaviour, answer: dict[str, Any]) -> None:
        if behaviour.delay:
            threading.Event().wait(behaviour.delay)
        if behaviour.cut:
            self.close_connection = True
        elif behaviour.status == CREATED:
            self._answer(CREATED, answer)
        else:
            code = int(behaviour.code or _STATUSES.get(behaviour.status, 20500))
            self._refuse(behaviour.status, code, "as it was told to")

    def _missing(self) -> None:
        self._refuse(404, 20404, f"The requested resource {urlsplit(self.path).path} was not found")

    def _refuse(self, status: int, code: int, message: str) -> None:
        more = f"https://www.twilio.com/docs/errors/{code}"
        self._answer(status, {"code": code, "message": message, "more_info": more, "status": status})

    def _answer(self, status: int, body: dict[str, Any] | None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
