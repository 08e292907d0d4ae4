import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from urllib3.exceptions import SSLError

from tests.adapters.answering import SHOP, Handler, Server, serving
from wabot.adapters.channels.meta import MetaChannel, refusal_of
from wabot.adapters.channels.meta.line import Line
from wabot.core.limits import META_CAPTION, META_TEXT
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template
from wabot.core.ports import Channel, Lookup
from wabot.core.refusals import Refusal
from wabot.errors import ContactRefuses, NeedsTemplate, NotSent, SendError, SendUnknown, Undeliverable
from wabot.testing import Behaviour
from wabot.testing.meta import FakeMeta

ASHA = "+919876543210"
YES_NO = (Button(id="yes", title="Yes", payload="w1.yes"), Button(id="no", title="No"))
PICTURE = Media(kind="image", url="https://shop.example.com/cement.jpg")
SHOP_PLACE = Location(latitude=18.5, longitude=73.85, name="The shop", address="1 Main Road")


@pytest.fixture
def meta() -> Iterator[FakeMeta]:
    with FakeMeta() as made:
        yield made


@pytest.fixture
def channel(meta: FakeMeta) -> Iterator[MetaChannel]:
    made = MetaChannel(meta.access_token, meta.phone_numbers, api_base=meta.url, timeout=5)
    yield made
    made.close()


@pytest.fixture
def send(meta: FakeMeta, channel: MetaChannel) -> Callable[[Outbound], dict[str, Any]]:
    """What reaches Meta of a message, without its recipient."""

    def made(message: Outbound) -> dict[str, Any]:
        channel.send(ASHA, meta.number, message, "ref-1")
        payload = meta.payloads[-1]
        return {payload["type"]: payload[payload["type"]]}

    return made


Send = Callable[[Outbound], dict[str, Any]]


def rows(count: int) -> tuple[Row, ...]:
    return tuple(Row(id=f"r{number}", title=f"Row {number}") for number in range(count))


def refused(channel: MetaChannel, sender: str, message: Outbound | None = None) -> SendError:
    with pytest.raises(SendError) as caught:
        channel.send(ASHA, sender, message or Outbound(text="Hello"), "ref-1")
    return caught.value


def test_it_is_a_channel_that_cannot_look_up(channel: MetaChannel) -> None:
    as_port: Channel = channel
    assert as_port.name == "meta"
    assert not isinstance(channel, Lookup)


def test_a_text_goes_to_a_number_with_our_reference(meta: FakeMeta, channel: MetaChannel) -> None:
    id = channel.send(ASHA, meta.number, Outbound(text="नमस्ते 👋 a/b"), "ref-1")
    assert id == "wamid.out.1"
    assert meta.payloads == [
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": ASHA,
            "type": "text",
            "text": {"body": "नमस्ते 👋 a/b"},
            "biz_opaque_callback_data": "ref-1",
        }
    ]
    assert meta.deliveries[0].sender == meta.number


def test_a_contact_whose_number_is_hidden_is_written_to_by_its_id(
    meta: FakeMeta, channel: MetaChannel
) -> None:
    channel.send("IN.13491208655302741918", meta.number, Outbound(text="Hi"), "ref-1")
    assert meta.payloads[0]["recipient"] == "IN.13491208655302741918"
    assert "to" not in meta.payloads[0]


def test_half_an_emoji_does_not_keep_a_message_from_leaving(meta: FakeMeta, channel: MetaChannel) -> None:
    channel.send(ASHA, meta.number, Outbound(text="cut \ud83d"), "ref-1")
    assert meta.texts() == ["cut ?"]


def test_header_and_footer_of_a_plain_text_are_lines_of_it(send: Send) -> None:
    message = Outbound(header="Asha Traders", text="Open now", footer="STOP ends this")
    assert send(message) == {"text": {"body": "Asha Traders\n\nOpen now\n\nSTOP ends this"}}


def test_buttons_are_quick_replies_that_bring_their_payload_back(send: Send) -> None:
    sent = send(Outbound(header="Order", text="Confirm?", footer="A footer", buttons=YES_NO))
    replies = [{"id": "w1.yes", "title": "Yes"}, {"id": "no", "title": "No"}]
    assert sent["interactive"] == {
        "type": "button",
        "header": {"type": "text", "text": "Order"},
        "body": {"text": "Confirm?"},
        "footer": {"text": "A footer"},
        "action": {"buttons": [{"type": "reply", "reply": reply} for reply in replies]},
    }


def test_a_picture_stands_above_buttons_and_takes_the_headers_place(send: Send) -> None:
    sent = send(Outbound(header="Order", text="Confirm?", media=PICTURE, buttons=YES_NO))["interactive"]
    assert sent["header"] == {"type": "image", "image": {"link": PICTURE.url}}
    assert sent["body"] == {"text": "Order\n\nConfirm?"}


def test_what_cannot_stand_above_buttons_is_a_link_or_words_in_the_body(send: Send) -> None:
    sound = Media(kind="audio", url="https://shop.example.com/a.ogg")
    sent = send(Outbound(text="Listen", media=sound, location=SHOP_PLACE, buttons=YES_NO))["interactive"]
    assert "header" not in sent
    assert sent["body"]["text"].startswith(
        "Listen\n\nhttps://shop.example.com/a.ogg\n\nThe shop, 1 Main Road"
    )


def test_a_list_has_its_button_and_its_sections(send: Send) -> None:
    row = Row(id="c", title="Cement", description="50 kg", payload="w1.c")
    choices = Choices(
        button="See all",
        sections=(
            Section(title="Heavy", rows=(row,)),
            Section(title="Light", rows=rows(1)),
            Section(rows=()),
        ),
    )
    sent = send(Outbound(text="What?", media=PICTURE, choices=choices))["interactive"]
    assert sent["body"] == {"text": f"What?\n\n{PICTURE.url}"}
    assert sent["action"] == {
        "button": "See all",
        "sections": [
            {"title": "Heavy", "rows": [{"id": "w1.c", "title": "Cement", "description": "50 kg"}]},
            {"title": "Light", "rows": [{"id": "r0", "title": "Row 0"}]},
        ],
    }


def test_sections_that_lack_a_title_become_one(send: Send) -> None:
    choices = Choices(button="See", sections=(Section(title="A", rows=rows(1)), Section(rows=rows(3)[1:])))
    sections = send(Outbound(text="What?", choices=choices))["interactive"]["action"]["sections"]
    assert [len(section["rows"]) for section in sections] == [3]
    assert "title" not in sections[0]


@pytest.mark.parametrize(
    "message",
    [
        Outbound(text="Which?", buttons=tuple(Button(id=str(n), title=f"B{n}") for n in range(4))),
        Outbound(text="Which?", buttons=(Button(id="a", title="Same"), Button(id="b", title="Same"))),
        Outbound(text="Which?", buttons=(Button(id="a", title="x" * 21),)),
        Outbound(text="Which? " + "x" * 1100, buttons=YES_NO),
        Outbound(buttons=YES_NO),
        Outbound(text="Which?", choices=Choices(button="See", sections=(Section(rows=rows(11)),))),
        Outbound(text="Which?", choices=Choices(button="x" * 21, sections=(Section(rows=rows(1)),))),
        Outbound(
            text="Which?", choices=Choices(button="See", sections=(Section(title="x" * 25, rows=rows(1)),))
        ),
        Outbound(text="Which?", choices=Choices(button="See", sections=(Section(rows=rows(1) + rows(1)),))),
    ],
)
def test_options_that_whatsapp_would_not_show_are_numbered_text(send: Send, message: Outbound) -> None:
    body = send(message)["text"]["body"]
    assert "1. " in body
    assert message.text in body


def test_a_long_header_and_footer_are_said_in_the_body(send: Send) -> None:
    sent = send(Outbound(header="H" * 61, text="T", footer="F" * 61, buttons=YES_NO))["interactive"]
    assert sent["body"] == {"text": f"{'H' * 61}\n\nT\n\n{'F' * 61}"}
    assert not {"header", "footer"} & set(sent)


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("https://shop.example.com/x.pdf", {"link": "https://shop.example.com/x.pdf"}),
        ("1013859600285441", {"id": "1013859600285441"}),
        ("https://graph.facebook.com/v23.0/1013859600285441", {"id": "1013859600285441"}),
        (
            "https://graph.facebook.com.evil.example/v23.0/10",
            {"link": "https://graph.facebook.com.evil.example/v23.0/10"},
        ),
    ],
)
def test_media_goes_by_its_link_or_by_metas_id(send: Send, url: str, reference: dict[str, str]) -> None:
    media = Media(kind="document", url=url, filename="invoice.pdf")
    sent = send(Outbound(text="Your invoice", footer="Thank you", media=media))
    assert sent == {
        "document": {**reference, "filename": "invoice.pdf", "caption": "Your invoice\n\nThank you"}
    }


def test_words_that_media_cannot_carry_go_with_a_link_to_it(send: Send) -> None:
    sound = Media(kind="audio", url="https://shop.example.com/a.ogg")
    assert send(Outbound(media=sound)) == {"audio": {"link": sound.url}}
    assert send(Outbound(text="Listen", media=sound)) == {"text": {"body": f"Listen\n\n{sound.url}"}}
    long = "x" * (META_CAPTION + 1)
    assert send(Outbound(text=long, media=PICTURE)) == {"text": {"body": f"{long}\n\n{PICTURE.url}"}}


def test_a_place_is_a_pin_and_beside_words_it_is_words(send: Send) -> None:
    pin = {"latitude": 18.5, "longitude": 73.85, "name": "The shop", "address": "1 Main Road"}
    assert send(Outbound(location=SHOP_PLACE)) == {"location": pin}
    unnamed = SHOP_PLACE.model_copy(update={"name": ""})
    assert send(Outbound(location=unnamed))["location"]["name"] == "1 Main Road"
    beside = send(Outbound(text="Here", location=SHOP_PLACE))
    assert beside == {"text": {"body": "Here\n\nThe shop, 1 Main Road (18.500000, 73.850000)"}}


def test_a_template_has_its_language_and_its_variables_in_their_order(send: Send) -> None:
    variables = {str(number): f"v{number}" for number in (10, 2, 1, *range(3, 10))}
    sent = send(
        Outbound(text="Read as", template=Template(name="due", language="hi-IN", variables=variables))
    )
    assert sent["template"]["name"] == "due"
    assert sent["template"]["language"] == {"code": "hi_IN"}
    (body,) = sent["template"]["components"]
    assert [parameter["text"] for parameter in body["parameters"]] == [f"v{n}" for n in range(1, 11)]


def test_a_template_may_name_its_variables_and_carry_a_picture(send: Send) -> None:
    template = Template(name="due", variables={"name": "Asha\n  Traders\t!", "total": ""})
    header, body = send(Outbound(media=PICTURE, template=template))["template"]["components"]
    assert header == {"type": "header", "parameters": [{"type": "image", "image": {"link": PICTURE.url}}]}
    assert body["parameters"] == [
        {"type": "text", "parameter_name": "name", "text": "Asha Traders !"},
        {"type": "text", "parameter_name": "total", "text": "-"},
    ]


def test_a_template_without_variables_in_the_channels_language(meta: FakeMeta) -> None:
    channel = MetaChannel(meta.access_token, meta.phone_numbers, api_base=meta.url, language="hi")
    channel.send(ASHA, meta.number, Outbound(template=Template(name="hello")), "ref-1")
    assert meta.payloads[0]["template"] == {"name": "hello", "language": {"code": "hi"}}
    channel.close()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (Outbound(), "empty"),
        (Outbound(text=" \n"), "empty"),
        (Outbound(text="x" * (META_TEXT + 1)), "too_long"),
    ],
)
def test_a_message_that_says_nothing_or_too_much_never_leaves(
    meta: FakeMeta, channel: MetaChannel, message: Outbound, code: str
) -> None:
    error = refused(channel, meta.number, message)
    assert isinstance(error, Undeliverable)
    assert (error.code, meta.requests) == (code, 0)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "131047", NeedsTemplate),
        (400, "131050", ContactRefuses),
        (400, "131026", Undeliverable),
        (400, "132001", Undeliverable),
        (400, "132015", Undeliverable),
        (400, "131049", Undeliverable),
        (400, "100", Undeliverable),
        (400, "131056", NotSent),
        (400, "80007", NotSent),
        (400, "4", NotSent),
        (429, "130429", NotSent),
        (429, "987654", NotSent),
        (401, "190", NotSent),
        (403, "10", NotSent),
        (403, "200", NotSent),
        (500, "3", NotSent),
        (500, "131057", NotSent),
        (500, "131000", SendUnknown),
        (503, "131016", SendUnknown),
        (500, "987654", SendUnknown),
        (302, "100", SendUnknown),
        (408, "100", SendUnknown),
    ],
)
def test_each_refusal_is_what_its_code_says(
    meta: FakeMeta, channel: MetaChannel, status: int, code: str, kind: type[SendError]
) -> None:
    meta.next(Behaviour(take=False, status=status, code=code))
    error = refused(channel, meta.number)
    assert type(error) is kind
    assert meta.deliveries == []
    if status not in (302, 408):
        assert error.code == code


def test_metas_own_reason_is_told_without_the_numbers_in_it(meta: FakeMeta) -> None:
    with serving() as server:
        words = f'{{"error": {{"code": 131030, "message": "No {ASHA} in the list", "error_data": "odd"}}}}'
        server.routes["/v23.0/1/messages"] = lambda h: h.give(400, words.encode())
        channel = MetaChannel("token", {"+1": "1"}, api_base=server.url)
        error = refused(channel, "+1")
        channel.close()
    assert "No +… in the list" in str(error)


@pytest.mark.parametrize("code", ["131047", "131050", "190", "299", "131026", "", "  130429 ", "nonsense"])
def test_a_receipts_code_is_read_by_the_same_table(code: str) -> None:
    meant = {"131047": Refusal.TEMPLATE, "131050": Refusal.SUPPRESS, "190": Refusal.LATER}
    meant |= {"299": Refusal.LATER, "130429": Refusal.LATER}
    assert refusal_of(code) is meant.get(code.strip(), Refusal.NEVER)


def test_a_token_that_is_wrong_holds_messages_back_until_it_is_mended(meta: FakeMeta) -> None:
    channel = MetaChannel("wrong", meta.phone_numbers, api_base=meta.url)
    error = refused(channel, meta.number)
    channel.close()
    assert (type(error), error.code, meta.requests) == (NotSent, "190", 0)


def test_a_number_of_ours_that_meta_was_not_told_of_is_not_sent_from(
    meta: FakeMeta, channel: MetaChannel
) -> None:
    error = refused(channel, "+911111111111")
    assert (type(error), error.code) == (NotSent, "no_phone_number_id")
    assert meta.requests == 0


def test_a_connection_that_is_refused_sent_nothing(meta: FakeMeta, channel: MetaChannel) -> None:
    with meta.refusing():
        error = refused(channel, meta.number)
    assert type(error) is NotSent
    assert not error.code
    assert channel.send(ASHA, meta.number, Outbound(text="Again"), "ref-1") == "wamid.out.1"


def test_a_name_that_is_not_found_sent_nothing() -> None:
    channel = MetaChannel("token", {"+1": "1"}, api_base="http://graph.invalid", timeout=2)
    assert type(refused(channel, "+1")) is NotSent
    channel.close()


def test_an_answer_that_is_lost_leaves_it_unknown(meta: FakeMeta, channel: MetaChannel) -> None:
    meta.next(Behaviour(cut=True))
    assert type(refused(channel, meta.number)) is SendUnknown
    assert meta.texts() == ["Hello"]


def test_an_answer_that_comes_too_late_leaves_it_unknown(meta: FakeMeta) -> None:
    channel = MetaChannel(meta.access_token, meta.phone_numbers, api_base=meta.url, timeout=0.05)
    meta.next(Behaviour(delay=0.5))
    assert type(refused(channel, meta.number)) is SendUnknown
    channel.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"messages": []}',
        b'{"messages": [{"id": 5}]}',
        b"[" * 100_000,
        b"x" * 200_000,
    ],
)
def test_a_success_that_cannot_be_read_leaves_it_unknown(answer: bytes) -> None:
    with serving() as server:
        server.routes["/v23.0/1/messages"] = lambda h: h.give(200, answer)
        channel = MetaChannel("token", {"+1": "1"}, api_base=server.url)
        assert type(refused(channel, "+1")) is SendUnknown
        channel.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Undeliverable), (401, NotSent), (403, NotSent), (404, Undeliverable), (502, SendUnknown)],
)
def test_a_refusal_without_metas_words_goes_by_its_status(status: int, kind: type[SendError]) -> None:
    with serving() as server:
        server.routes["/v23.0/1/messages"] = lambda h: h.give(status, b"<html>")
        channel = MetaChannel("token", {"+1": "1"}, api_base=server.url)
        assert type(refused(channel, "+1")) is kind
        channel.close()


def test_a_redirect_is_not_followed_with_the_token() -> None:
    with serving() as other, serving() as server:
        server.routes["/v23.0/1/messages"] = lambda h: h.give(307, Location=f"{other.url}/steal")
        channel = MetaChannel("token", {"+1": "1"}, api_base=server.url)
        assert type(refused(channel, "+1")) is SendUnknown
        channel.close()
        assert other.asked == []


def test_an_untrusted_certificate_is_given_no_token() -> None:
    with serving(SHOP) as server:
        channel = MetaChannel("token", {"+1": "1"}, api_base=f"https://{server.authority}")
        error = refused(channel, "+1")
        channel.close()
        assert type(error) is NotSent
        assert server.asked == []


def test_tls_that_breaks_in_the_middle_leaves_it_unknown() -> None:
    from wabot.adapters.channels.meta.line import _untrusted

    assert type(_untrusted(SSLError(ssl.SSLEOFError(8, "EOF occurred")))) is SendUnknown


def connections(server: Server) -> list[int]:
    ports: list[int] = []

    def answer(handler: Handler) -> None:
        ports.append(handler.client_address[1])
        handler.give(body=b'{"messages": [{"id": "wamid.1"}]}')

    server.routes["/"] = answer
    return ports


def test_a_connection_is_kept_while_it_is_used_and_given_up_when_idle() -> None:
    now = [0.0]
    with serving() as server:
        ports = connections(server)
        line = Line(5, now=lambda: now[0])
        for moment in (0.0, 1.0, 4.0, 20.0):
            now[0] = moment
            line.post(f"{server.url}/", {}, {})
        line.close()
    assert ports[0] == ports[1] == ports[2] != ports[3]


def test_a_process_that_forked_has_connections_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        ports = connections(server)
        line = Line(5)
        line.post(f"{server.url}/", {}, {})
        monkeypatch.setattr(os, "getpid", lambda: -1)
        line.post(f"{server.url}/", {}, {})
        line.close()
    assert ports[0] != ports[1]


def test_threads_may_share_a_channel(meta: FakeMeta, channel: MetaChannel) -> None:
    def send(number: int) -> None:
        channel.send(ASHA, meta.number, Outbound(text=str(number)), f"ref-{number}")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(meta.texts(), key=int) == [str(number) for number in range(12)]


def test_a_server_that_hangs_up_while_it_answers_leaves_it_unknown() -> None:
    def half(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    with serving() as server:
        server.routes["/v23.0/1/messages"] = half
        channel = MetaChannel("token", {"+1": "1"}, api_base=server.url)
        assert type(refused(channel, "+1")) is SendUnknown
        channel.close()
