import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.answering import Handler, Server, serving
from wabot.adapters.channels.meta import MetaChannel, MetaWebhook
from wabot.core.messages import Button, Inbound, Outbound, Template
from wabot.errors import NotSent
from wabot.runtime.receipts import Receipt, ReceiptStatus
from wabot.testing import Behaviour, Callback, FakeMeta
from wabot.testing.meta_wire import Refused, outbound, recipient
from wabot.testing.provider_channel import request

ASHA = "+919876543210"


@pytest.fixture
def meta() -> Iterator[FakeMeta]:
    with FakeMeta() as made:
        yield made


@pytest.fixture
def ours() -> Iterator[Server]:
    """Our webhook, as a server that keeps what it is asked."""
    with serving() as made:
        yield made


def send(meta: FakeMeta, text: str = "Hello", reference: str = "ref-1", **message: Any) -> str:
    channel = MetaChannel(meta.access_token, meta.phone_numbers, api_base=meta.url)
    try:
        return channel.send(ASHA, meta.number, Outbound(text=text, **message), reference)
    finally:
        channel.close()


def heard(meta: FakeMeta, server: Server) -> list[Inbound | Receipt]:
    """What our webhook reads of all that was posted, each of which is genuine."""
    hook = MetaWebhook(meta.app_secret, meta.verify_token)
    found: list[Inbound | Receipt] = []
    for asked in server.asked:
        assert hook.genuine(asked.body, asked.headers["X-Hub-Signature-256"])
        found += hook.read(asked.body)
    return found


def test_what_a_contact_writes_comes_signed(meta: FakeMeta, ours: Server) -> None:
    assert meta.write(f"{ours.url}/hook", ASHA, meta.number, "नमस्ते 👋 a/b") == 200
    meta.write(f"{ours.url}/hook?a=1", ASHA, meta.number, type="button", button={"text": "Yes"}, id="w.1")
    first, second = heard(meta, ours)
    assert isinstance(first, Inbound)
    assert isinstance(second, Inbound)
    assert (first.text, first.sender, first.recipient) == ("नमस्ते 👋 a/b", ASHA, meta.number)
    assert (second.title, second.event_id) == ("Yes", "w.1")
    assert b"\\/" in ours.asked[0].body
    assert ours.asked[0].body.isascii()


def test_a_webhook_may_be_forged(meta: FakeMeta, ours: Server) -> None:
    meta.post(ours.url, b"{}", signature="sha256=00")
    assert ours.asked[0].headers["X-Hub-Signature-256"] == "sha256=00"
    assert not MetaWebhook(meta.app_secret, "v").genuine(b"{}", "sha256=00")


def test_the_handshake_wants_its_challenge_back(meta: FakeMeta, ours: Server) -> None:
    def echo(handler: Handler) -> None:
        query = dict(pair.split("=") for pair in handler.path.partition("?")[2].split("&"))
        handler.give(body=query["hub.challenge"].encode())

    ours.routes["/hook"] = echo
    ours.routes["/deaf"] = lambda h: h.give(body=b"hello")
    ours.routes["/shut"] = lambda h: h.give(403)
    assert [meta.verify(f"{ours.url}{path}") for path in ("/hook", "/deaf", "/shut")] == [200, 0, 403]
    assert meta.verify_token in ours.asked[0].path


def test_statuses_are_posted_as_the_message_was_told_to_have_them(meta: FakeMeta, ours: Server) -> None:
    meta.webhook_url = f"{ours.url}/hook"
    callbacks = (Callback("sent", early=True), Callback("read", times=2), Callback("failed", code="131047"))
    meta.next(Behaviour(callbacks=callbacks))
    id = send(meta)
    assert meta.settle()
    receipts = [each for each in heard(meta, ours) if isinstance(each, Receipt)]
    assert {(each.reference, each.provider_id) for each in receipts} == {("ref-1", id)}
    statuses = sorted(each.status for each in receipts)
    assert statuses == [ReceiptStatus.FAILED, ReceiptStatus.READ, ReceiptStatus.READ, ReceiptStatus.SENT]
    assert {each.code for each in receipts} == {"", "131047"}


def test_what_contacts_see_is_what_was_sent(meta: FakeMeta) -> None:
    buttons = (Button(id="a", title="Yes"),)
    send(meta, "Confirm?", header="Order", footer="Bye", buttons=buttons)
    send(meta, "", "ref-2", template=Template(name="due", language="en", variables={"1": "Asha"}))
    shown, templated = (delivery.message for delivery in meta.deliveries)
    assert shown == Outbound(text="Confirm?", header="Order", footer="Bye", buttons=buttons)
    assert templated.template == Template(name="due", language="en", variables={"1": "Asha"})
    assert meta.counts == {"ref-1": 1, "ref-2": 1}


def test_a_message_that_is_not_taken_is_not_kept(meta: FakeMeta) -> None:
    meta.next(Behaviour(take=False, status=429))
    with pytest.raises(NotSent):
        send(meta)
    assert (meta.payloads, meta.deliveries, meta.requests) == ([], [], 1)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v23.0/12345", 401, 190),
        ("POST", "/v23.0/1/messages", 401, 190),
    ],
)
def test_nobody_gets_in_without_the_token(
    meta: FakeMeta, method: str, path: str, status: int, code: int
) -> None:
    found, answer = request(method, f"{meta.url}{path}", b"{}", 5)
    assert (found, answer["error"]["code"]) == (status, code)


def ask(meta: FakeMeta, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    from http.client import HTTPConnection
    from urllib.parse import urlsplit

    connection = HTTPConnection("127.0.0.1", urlsplit(meta.url).port, timeout=5)
    headers = {"Authorization": f"Bearer {meta.access_token}"}
    connection.request(method, path, json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content)


def test_a_file_is_described_and_what_is_not_there_is_not(meta: FakeMeta) -> None:
    id = meta.add_media(b"x" * 10, "image/png")
    status, about = ask(meta, "GET", f"/v23.0/{id}")
    assert (status, about["mime_type"], about["file_size"]) == (200, "image/png", 10)
    assert ask(meta, "GET", "/v23.0/999")[0] == 404
    assert ask(meta, "GET", "/files/999")[0] == 404
    assert ask(meta, "POST", "/v23.0/1/media", {})[0] == 404
    assert ask(meta, "POST", "/v23.0/999/messages", {})[1]["error"]["code"] == 100


TO = {"messaging_product": "whatsapp", "to": ASHA}
ONE = {"type": "reply", "reply": {"id": "a", "title": "A"}}
ROW = {"id": "a", "title": "A"}


def interactive(**content: Any) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"}, **content}}


def listed(*sections: Any, button: str = "See") -> dict[str, Any]:
    return interactive(type="list", action={"button": button, "sections": list(sections)})


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "text"},
        {"type": "text", "text": {"body": " "}},
        {"type": "text", "text": {"body": "x" * 4097}},
        {"type": "poem", "poem": {}},
        {"type": "image", "image": {}},
        {"type": "audio", "audio": {"link": "x", "caption": "no"}},
        {"type": "image", "image": {"link": "x", "caption": "x" * 1025}},
        interactive(),
        interactive(action={"buttons": [ONE] * 4}),
        interactive(action={"buttons": [ONE, ONE]}),
        interactive(action={"buttons": [{"type": "reply", "reply": {"id": "a", "title": "x" * 21}}]}),
        interactive(action={"buttons": [ONE]}, footer={"text": "x" * 61}),
        interactive(action={"buttons": [ONE]}, header={"type": "audio", "audio": {"link": "x"}}),
        interactive(action={"buttons": [ONE]}, header={"type": "image"}),
        interactive(action={"buttons": [ONE]}, body={"text": "x" * 1025}),
        interactive(type="flow"),
        listed(),
        listed({"rows": [ROW] * 11}),
        listed({"rows": [ROW, ROW]}),
        listed({"rows": [ROW]}, {"rows": [ROW]}),
        listed({"rows": [{**ROW, "description": "x" * 73}]}),
        listed({"rows": [ROW]}, button="x" * 21),
        {"type": "template", "template": {"name": "due"}},
        {"type": "template", "template": {"name": "due", "language": {"code": "hi-IN"}}},
        {
            "type": "template",
            "template": {
                "name": "due",
                "language": {"code": "hi"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "a\nb"}]}],
            },
        },
    ],
)
def test_it_refuses_what_meta_refuses(payload: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        outbound(payload)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"messaging_product": "whatsapp"},
        {**TO, "to": "919876543210"},
        {**TO, "to": "+0"},
        {"messaging_product": "whatsapp", "recipient": ASHA},
        {**TO, "biz_opaque_callback_data": "x" * 513},
    ],
)
def test_it_refuses_a_recipient_that_is_none(payload: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        recipient(payload)
