import json
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from urllib3 import make_headers

from tests.channels.conftest import OpenTwilio
from wabot.adapters.channels.twilio import TwilioWebhook
from wabot.core.messages import Inbound, Kind, Outbound
from wabot.core.refusals import Refusal
from wabot.runtime.receipts import Receipt, ReceiptStatus
from wabot.testing import Behaviour, Callback, FakeTwilio, ManualClock
from wabot.testing.twilio_wire import Refused, checked, outbound

OURS, THEIRS = "+14155238886", "+919876543210"


class Door(HTTPServer):
    """Reads what is posted, by the real webhook."""

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Reader)
        self.webhook = TwilioWebhook(token)
        self.url = f"http://127.0.0.1:{self.server_port}/whatsapp/webhook"
        self.heard: list[Any] = []


class _Reader(BaseHTTPRequestHandler):
    server: Door

    def do_POST(self) -> None:
        door, parts = self.server, urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        parameters = parse_qsl(body, keep_blank_values=True)
        url = f"http://{self.headers['Host']}{self.path}"
        genuine = door.webhook.genuine(url, parameters, self.headers["X-Twilio-Signature"])
        if parts.path.endswith("/status"):
            door.heard.append(door.webhook.read_status(parameters, dict(parse_qsl(parts.query))))
        else:
            door.heard.append(door.webhook.read(parameters))
        self.send_response(204 if genuine else 403)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def door(twilio: FakeTwilio) -> Iterator[Door]:
    with Door(twilio.auth_token) as door:
        serving = Thread(target=door.serve_forever, args=(0.01,))
        serving.start()
        yield door
        door.shutdown()
        serving.join()


def test_a_contact_writes_to_us(twilio: FakeTwilio, door: Door) -> None:
    assert twilio.write(door.url, THEIRS, OURS, "Two apples", ProfileName="Ann") == 204
    assert (
        twilio.write(f"{door.url}?a=b#rc=3&rp=5xx", THEIRS, OURS, "Yes", ButtonText="Yes", ButtonPayload="y")
        == 204
    )
    first, second = door.heard
    assert isinstance(first, Inbound)
    assert (first.sender, first.recipient, first.text, first.name) == (THEIRS, OURS, "Two apples", "Ann")
    assert (second.kind, second.payload) == (Kind.BUTTON, "y")
    assert first.event_id != second.event_id


def test_who_has_another_token_is_not_let_in(door: Door) -> None:
    assert FakeTwilio(auth_token="forged").write(door.url, THEIRS, OURS, "pay me") == 403


def test_callbacks_are_signed_and_have_our_reference(
    twilio: FakeTwilio, open_twilio: OpenTwilio, door: Door
) -> None:
    statuses = (Callback("queued", early=True), Callback("sent"), Callback("failed", code="63014", times=2))
    twilio.next(Behaviour(callbacks=statuses))
    channel = open_twilio(status_url=f"{door.url}/status")
    sid = channel.send(THEIRS, OURS, Outbound(text="Hello"), "ref-1")
    assert twilio.settle()
    known = {"channel": "twilio", "reference": "ref-1", "provider_id": sid}
    queued = Receipt(status=ReceiptStatus.QUEUED, **known)
    failed = Receipt(status=ReceiptStatus.FAILED, code="63014", refusal=Refusal.SUPPRESS, **known)
    assert door.heard[0] == queued
    assert sorted(door.heard[1:], key=lambda each: each.status) == [
        failed,
        failed,
        Receipt(status=ReceiptStatus.SENT, **known),
    ]
    twilio.call_back("ref-1", "read")
    assert door.heard[-1].status is ReceiptStatus.READ
    assert twilio.records[0]["status"] == "read"


def ask(twilio: FakeTwilio, method: str, path: str, token: str | None = None) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(twilio.url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    login = f"{twilio.account_sid}:{token or twilio.auth_token}"
    try:
        connection.request(method, path, headers={"Content-Length": "0", **make_headers(basic_auth=login)})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else {}
    finally:
        connection.close()


def test_what_it_does_not_have_is_not_found(twilio: FakeTwilio) -> None:
    for method, path in (
        ("GET", "/2010-04-01/Accounts/AC0/Messages.json"),
        ("POST", "/2010-04-01/Accounts/AC0/Messages.json"),
        ("DELETE", "/v1/Content/HX0"),
    ):
        status, answer = ask(twilio, method, path)
        assert (status, answer["code"]) == (404, 20404)
    assert ask(twilio, "GET", "/v2/Content", token="wrong")[0] == 401
    sid = twilio.add_template("hello", "Hello {{1}}, you.", buttons={"a": "A"})
    assert ask(twilio, "GET", "/v2/Content")[1]["contents"][0]["sid"] == sid
    assert ask(twilio, "DELETE", f"/v1/Content/{sid}") == (204, {})


def form(**parameters: str) -> dict[str, str]:
    return {"To": f"whatsapp:{THEIRS}", "From": f"whatsapp:{OURS}", **parameters}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (form(Body="Hello", To="whatsapp:919876543210"), 21211),
        (form(Body="Hello", From=OURS), 63007),
        (form(Body="x" * 1601), 21617),
        (form(), 21619),
        (form(Body="Hello", ContentSid="HX0"), 21619),
        (form(ContentSid="HX0"), 21655),
    ],
)
def test_it_refuses_what_twilio_refuses(parameters: dict[str, str], code: int) -> None:
    with pytest.raises(Refused) as raised:
        outbound(parameters, {})
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ("{", 21656),
        ("[]", 21656),
        ('{"1": ""}', 21656),
        ('{"1": 7}', 21656),
        ('{"1": "{{2}}"}', 21656),
        ('{"1": "it\'s"}', 21656),
        (json.dumps({"1": "x" * 1601}), 21658),
    ],
)
def test_it_refuses_variables_that_twilio_refuses(twilio: FakeTwilio, variables: str, code: int) -> None:
    sid = twilio.add_template("hello", "Hello {{1}}, you.", samples={"1": "Ann"})
    with pytest.raises(Refused) as raised:
        outbound(form(ContentSid=sid, ContentVariables=variables), twilio.contents)
    assert raised.value.code == code
    assert outbound(form(ContentSid=sid), twilio.contents).text == "Hello Ann, you."


def test_more_than_three_buttons_want_approval(twilio: FakeTwilio) -> None:
    buttons = {str(number): f"No. {number}" for number in range(4)}
    approved = twilio.add_template("four", "Which?", buttons=buttons)
    assert len(outbound(form(ContentSid=approved), twilio.contents).buttons) == 4
    _, made = twilio.make_content({"types": twilio.contents[approved].types})
    assert made is not None
    with pytest.raises(Refused) as raised:
        outbound(form(ContentSid=made.sid), twilio.contents)
    assert raised.value.code == 63021


@pytest.mark.parametrize(
    "types",
    [None, {}, {"twilio/quick-reply": {"actions": [{}] * 11}}, {"twilio/list-picker": {"items": [{}] * 11}}],
)
def test_a_content_that_is_none_is_not_made(types: Any) -> None:
    with pytest.raises(Refused):
        checked(types)


def test_media_are_what_their_names_say(twilio: FakeTwilio) -> None:
    kinds = {}
    for name in ("a.PNG", "b.mp4", "c.ogg", "d.webp", "e.pdf"):
        media = outbound(form(MediaUrl=f"https://example.com/{name}"), {}).media
        assert media is not None
        kinds[name] = media.kind
    assert list(kinds.values()) == ["image", "video", "audio", "sticker", "document"]


def test_its_messages_are_dated_by_its_clock(
    twilio: FakeTwilio, open_twilio: OpenTwilio, clock: ManualClock
) -> None:
    open_twilio().send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert twilio.records[0]["date_created"] == "Fri, 02 Jan 2026 12:00:00 +0000"
    query = urlencode({"To": f"whatsapp:{THEIRS}", "PageSize": 1})
    status, answer = ask(twilio, "GET", f"/2010-04-01/Accounts/{twilio.account_sid}/Messages.json?{query}")
    assert (status, answer["next_page_uri"]) == (200, None)
    assert answer["messages"][0]["body"] == "Hello"
