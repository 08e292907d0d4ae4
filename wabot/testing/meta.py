"""WhatsApp's Cloud API, as a real HTTP server on 127.0.0.1: the parts of it that wabot uses.

    with FakeMeta() as meta:
        channel = MetaChannel(meta.access_token, meta.phone_numbers, api_base=meta.url)
        meta.next(Behaviour(take=False, status=429))
        ...
        assert meta.texts("+919876543210") == ["Hello"]
        meta.write("https://…/whatsapp/webhook/meta", "+919876543210", meta.number, "Hi")

It fails as it is told (`testing.provider`), refuses what Meta refuses, keeps files, and signs what it posts:
statuses go to `webhook_url`. In a project's settings `[meta] api_base` leads to it.
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlencode, urlsplit

from wabot.core.ports import Clock, SystemClock
from wabot.testing.fakes import Delivery
from wabot.testing.meta_wire import INVALID, Refused, outbound, recipient, sign
from wabot.testing.provider import Behaviour, FakeProvider, Listener, Server, StatusReport
from wabot.testing.provider_channel import CREATED, HOST, OK

__all__ = ["FakeMeta", "sign"]

OURS = "+15550001111"
_TIMEOUT = 5.0
_CODES = {401: 190, 403: 10, 404: 100, 429: 130429, 500: 131000, 503: 131016}
_MESSAGES = re.compile(r"/v[0-9.]+/([0-9]+)/messages")
_NODE = re.compile(r"/v[0-9.]+/([0-9]+)")
_FILE = re.compile(r"/files/([0-9]+)")


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    mime_type: str


class FakeMeta(FakeProvider):
    """One app with its numbers. `payloads` are the messages that it took, as they came; `deliveries` what
    contacts see of them. `clock` dates what it posts."""

    def __init__(
        self,
        usual: Behaviour | None = None,
        *,
        listener: Listener | None = None,
        access_token: str = "EAAfake",  # noqa: S107 - of an app that is nowhere
        app_secret: str = "fake-app-secret",  # noqa: S107
        verify_token: str = "fake-verify-token",  # noqa: S107
        phone_numbers: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(usual, listener=listener)
        self.access_token = access_token
        self.app_secret = app_secret
        self.verify_token = verify_token
        self.phone_numbers = dict(phone_numbers or {OURS: "100000000000001"})
        self.webhook_url = ""
        self.payloads: list[dict[str, Any]] = []
        self._files: dict[str, _File] = {}
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._made = 0

    @property
    def number(self) -> str:
        """The first of our numbers."""
        return next(iter(self.phone_numbers))

    def add_media(self, content: bytes, mime_type: str) -> str:
        """Keep a file that a contact has sent; its id."""
        with self._lock:
            id = str(200_000_000_000_000 + self._count())
            self._files[id] = _File(content, mime_type)
            return id

    def verify(self, url: str) -> int:
        """Ask a webhook for the handshake; the status of its answer, or 0 for a wrong echo."""
        challenge = str(1_158_201_444 + self._count())
        query = {"hub.mode": "subscribe", "hub.verify_token": self.verify_token, "hub.challenge": challenge}
        status, answer = _request("GET", f"{url}?{urlencode(query)}", None, {})
        return status if status != OK or answer == challenge.encode() else 0

    def write(self, url: str, sender: str, recipient: str, text: str = "", **parts: Any) -> int:
        """A contact writes to us: post it to our webhook, signed; the status that it answers.

        `parts` are further ones of the message, such as `type` and `image`, or other values of the usual.
        """
        return self.post(url, self.webhook(sender, recipient, text, **parts))

    def webhook(self, sender: str, recipient: str, text: str = "", **parts: Any) -> dict[str, Any]:
        """The body of a webhook with one message of a contact, as `write` posts it."""
        wa_id = sender.removeprefix("+")
        message: dict[str, Any] = {
            "from": wa_id,
            "id": f"wamid.in.{self._count()}",
            "timestamp": self._now(),
            "type": "text",
            **({} if "type" in parts else {"text": {"body": text}}),
            **parts,
        }
        people = [{"profile": {"name": "Asha"}, "wa_id": wa_id}]
        return self.envelope(recipient, contacts=people, messages=[message])

    def envelope(self, recipient: str, **value: Any) -> dict[str, Any]:
        """The body of a webhook about this number of ours: `messages`, `statuses`, `contacts`."""
        metadata = {
            "display_phone_number": recipient.removeprefix("+"),
            "phone_number_id": self.phone_numbers.get(recipient, "0"),
        }
        told = {"messaging_product": "whatsapp", "metadata": metadata, **value}
        changes = [{"field": "messages", "value": told}]
        return {"object": "whatsapp_business_account", "entry": [{"id": "300", "changes": changes}]}

    @staticmethod
    def encoded(body: Mapping[str, Any]) -> bytes:
        """The bytes that Meta sends of it: slashes and all that isn't ASCII are escaped."""
        return json.dumps(body).replace("/", "\\/").encode()

    def sign(self, content: bytes) -> str:
        """The `X-Hub-Signature-256` of these bytes."""
        return sign(self.app_secret, content)

    def post(self, url: str, body: Mapping[str, Any] | bytes, *, signature: str | None = None) -> int:
        """Post as Meta does, signed (or with this `signature`); the status of the answer. Raises OSError or
        HTTPException."""
        content = body if isinstance(body, bytes) else self.encoded(body)
        signed = self.sign(content) if signature is None else signature
        return _request("POST", url, content, {"X-Hub-Signature-256": signed})[0]

    def status(self, report: StatusReport, to: str, sender: str) -> dict[str, Any]:
        """The body of a webhook with one status."""
        status: dict[str, Any] = {
            "id": report.provider_id,
            "status": report.status,
            "timestamp": self._now(),
            "recipient_id": to.removeprefix("+"),
            "biz_opaque_callback_data": report.reference,
        }
        if report.code:
            data = {"details": "as it was told to"}
            status["errors"] = [{"code": int(report.code), "title": "Refused", "error_data": data}]
        return self.envelope(sender, statuses=[status])

    def call_url(self, url: str, report: StatusReport) -> None:
        taken = next(each for each in self.deliveries if each.provider_id == report.provider_id)
        self.post(url, self.status(report, taken.to, taken.sender))

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _Handler

    def new_id(self, number: int) -> str:
        return f"wamid.out.{number}"

    def take(self, phone_number_id: str, payload: dict[str, Any]) -> tuple[Behaviour, Delivery | None]:
        """The server's part: what to do with this message. Raises Refused for one that Meta refuses."""
        ours = {id: number for number, id in self.phone_numbers.items()}
        if phone_number_id not in ours:
            raise Refused(INVALID, f"Object with ID '{phone_number_id}' does not exist")
        to, message = recipient(payload), outbound(payload)
        behaviour, taken = self.receive(
            {
                "to": to,
                "sender": ours[phone_number_id],
                "message": message.model_dump(mode="json"),
                "reference": payload.get("biz_opaque_callback_data", ""),
                "callback": self.webhook_url,
            }
        )
        if taken is not None:
            with self._lock:
                self.payloads.append(payload)
        return behaviour, taken

    def describe_file(self, id: str) -> dict[str, Any] | None:
        """The server's part: what Graph says of a file; None where there is none of this id."""
        file = self._files.get(id)
        if file is None:
            return None
        return {
            "messaging_product": "whatsapp",
            "id": id,
            "url": f"{self.url}/files/{id}",
            "mime_type": file.mime_type,
            "sha256": hashlib.sha256(file.content).hexdigest(),
            "file_size": len(file.content),
        }

    def file(self, id: str) -> tuple[bytes, str] | None:
        """The server's part: a file and its type."""
        found = self._files.get(id)
        return (found.content, found.mime_type) if found else None

    def _count(self) -> int:
        with self._lock:
            self._made += 1
            return self._made

    def _now(self) -> str:
        return str(int(self._clock.now().timestamp()))


def _request(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or HOST, parts.port, timeout=_TIMEOUT)
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request(method, target, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class _MetaServer(Server):
    provider: FakeMeta


class _Handler(BaseHTTPRequestHandler):
    server: _MetaServer
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """The test looks at what was delivered, not at a log."""

    def parse_request(self) -> bool:
        """As the base's, and lets nobody in but the app."""
        if not super().parse_request():
            return False
        if self.headers.get("Authorization") == f"Bearer {self.server.provider.access_token}":
            return True
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._refuse(Refused(190, "Invalid OAuth access token", 401))
        return False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = _MESSAGES.fullmatch(self.path)
        if found is None:
            self._refuse(Refused(INVALID, "Unknown path components", 404))
            return
        try:
            self._send(found[1], json.loads(body))
        except Refused as refused:
            self._refuse(refused)

    def do_GET(self) -> None:
        provider = self.server.provider
        node, path = _NODE.fullmatch(self.path), _FILE.fullmatch(self.path)
        about = provider.describe_file(node[1]) if node else None
        file = provider.file(path[1]) if path else None
        if about is not None:
            self._answer_json(OK, about)
        elif file is not None:
            self._answer(OK, *file)
        else:
            self._refuse(Refused(INVALID, "Unsupported get request", 404))

    def _send(self, phone_number_id: str, payload: dict[str, Any]) -> None:
        provider = self.server.provider
        behaviour, taken = provider.take(phone_number_id, payload)
        later = provider.answered(behaviour, taken) if taken else []
        if behaviour.delay:
            threading.Event().wait(behaviour.delay)
        try:
            if behaviour.cut:
                self.close_connection = True
            elif behaviour.status in (OK, CREATED):
                self._answer_json(OK, _accepted(payload, taken))
            else:
                code = int(behaviour.code or _CODES.get(behaviour.status, INVALID))
                self._refuse(Refused(code, "as it was told to", behaviour.status))
        finally:
            for timer in later:
                timer.start()

    def _refuse(self, refused: Refused) -> None:
        self._answer_json(refused.status, refused.as_json())

    def _answer_json(self, status: int, body: Mapping[str, Any]) -> None:
        self._answer(status, json.dumps(body).encode(), "application/json; charset=UTF-8")

    def _answer(self, status: int, content: bytes, mime_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", mime_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


def _accepted(payload: Mapping[str, Any], taken: Delivery | None) -> dict[str, Any]:
    to = str(payload.get("to") or payload.get("recipient"))
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": to, "wa_id": to.removeprefix("+")}],
        "messages": [{"id": taken.provider_id if taken else ""}],
    }
