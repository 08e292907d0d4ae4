import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.channels.conftest import OpenTwilio
from wabot.adapters.channels.twilio import TwilioChannel
from wabot.core.limits import SERVICE_WINDOW
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template
from wabot.core.ports import Lookup
from wabot.errors import ContactRefuses, NeedsTemplate, NotSent, SendError, SendUnknown, Undeliverable
from wabot.testing import Behaviour, FakeTwilio

OURS, THEIRS = "+14155238886", "+919876543210"
SERVICE = "MG" + "0" * 32
STATUS = "https://bot.example.com/whatsapp/webhook/status"

BUTTONS = Outbound(
    text="Shall I?",
    buttons=(Button(id="yes", title="Yes", payload="yes@3"), Button(id="no", title="No")),
)
LIST = Outbound(
    text="Our products",
    choices=Choices(
        button="See them",
        sections=(
            Section(
                rows=(Row(id="a", title="Apples", description="by the kilo"), Row(id="b", title="Bread"))
            ),
        ),
    ),
)


def seen(twilio: FakeTwilio) -> Outbound:
    """What the contact saw last."""
    return twilio.deliveries[-1].message


def test_words_go_from_our_number_to_theirs(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    sid = channel.send(THEIRS, OURS, Outbound(header="Shop", text="Hello", footer="menu"), "one")
    taken = twilio.deliveries[0]
    assert (taken.to, taken.sender, taken.provider_id) == (THEIRS, OURS, sid)
    assert taken.message == Outbound(text="Shop\n\nHello\n\nmenu")
    assert twilio.records[0]["to"] == f"whatsapp:{THEIRS}"
    assert twilio.records[0]["messaging_service_sid"] is None
    assert isinstance(channel, Lookup)
    assert channel.name == "twilio"
    assert channel.capabilities.window == SERVICE_WINDOW


def test_our_reference_comes_back_in_the_status_callback(twilio: FakeTwilio, open_twilio: OpenTwilio) -> None:
    open_twilio(status_url=STATUS).send(THEIRS, OURS, Outbound(text="Hello"), "ref-1&x=é")
    open_twilio(status_url=f"{STATUS}?a=b").send(THEIRS, OURS, Outbound(text="Hello"), "two")
    assert twilio.counts == {"ref-1&x=é": 1, "two": 1}
    assert list(twilio.callbacks.values()) == [
        f"{STATUS}?reference=ref-1%26x%3D%C3%A9#rc=3&rp=5xx,ct,rt",
        f"{STATUS}?a=b&reference=two#rc=3&rp=5xx,ct,rt",
    ]


def test_a_messaging_service_sends_by_our_number(twilio: FakeTwilio, open_twilio: OpenTwilio) -> None:
    open_twilio(messaging_service=SERVICE).send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert twilio.records[0]["messaging_service_sid"] == SERVICE
    assert twilio.records[0]["from"] == f"whatsapp:{OURS}"


def test_one_who_hides_the_number_is_answered(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    channel.send("ID.4566546130240823", OURS, Outbound(text="Hello"), "one")
    assert twilio.texts("ID.4566546130240823") == ["Hello"]


def test_buttons_are_buttons_with_their_payload(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    channel.send(THEIRS, OURS, BUTTONS, "one")
    assert [(each.title, each.payload) for each in seen(twilio).buttons] == [("Yes", "yes@3"), ("No", "no")]
    assert seen(twilio).text == "Shall I?"


def test_a_list_is_a_list(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    channel.send(THEIRS, OURS, LIST, "one")
    choices = seen(twilio).choices
    assert choices is not None
    assert choices.button == "See them"
    assert [(row.title, row.description, row.payload) for row in choices.rows] == [
        ("Apples", "by the kilo", "a"),
        ("Bread", "", "b"),
    ]


def test_sections_show_in_the_rows(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    sections = (
        Section(title="Fruit", rows=(Row(id="a", title="Apples"),)),
        Section(title="Bakery", rows=(Row(id="b", title="Bread", description="rye"),)),
    )
    channel.send(THEIRS, OURS, Outbound(text="All", choices=Choices(button="See", sections=sections)), "one")
    choices = seen(twilio).choices
    assert choices is not None
    assert [row.description for row in choices.rows] == ["Fruit", "rye"]


@pytest.mark.parametrize(
    "words",
    [
        "It's Ann's",
        "नमस्ते 🙏",
        "two\nlines\tand a tab",
        'quotes " and \\ slashes',
        "{{7*7}}",
        "{{{1}}} {{name",
        "<img onerror=alert(1)>",
    ],
)
def test_whatever_is_said_beside_buttons_arrives(
    twilio: FakeTwilio, channel: TwilioChannel, words: str
) -> None:
    channel.send(THEIRS, OURS, BUTTONS.model_copy(update={"text": words}), "one")
    assert seen(twilio).text.replace("\N{WORD JOINER}", "") == words
    assert len(seen(twilio).buttons) == 2


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            Outbound(text="Which?", buttons=tuple(Button(id=str(n), title=f"No. {n}") for n in range(4))),
            "Which?\n\n1. No. 0\n2. No. 1\n3. No. 2\n4. No. 3",
        ),
        (BUTTONS.model_copy(update={"text": "x" * 1025}), f"{'x' * 1025}\n\n1. Yes\n2. No"),
        (Outbound(text="Which?", buttons=(Button(id="a", title="a" * 21),)), f"Which?\n\n1. {'a' * 21}"),
        (
            Outbound(text="Which?", buttons=(Button(id="a", title="A"), Button(id="b", title="A"))),
            "Which?\n\n1. A\n2. A",
        ),
        (
            Outbound(text="Which?", buttons=(Button(id="a", title="A", payload="{{1}}"),)),
            "Which?\n\n1. A",
        ),
        (Outbound(buttons=(Button(id="a", title="A"),)), "1. A"),
        (
            Outbound(
                text="Which?",
                choices=Choices(button="x" * 21, sections=(Section(rows=(Row(id="a", title="A"),)),)),
            ),
            "Which?\n\n1. A",
        ),
        (
            Outbound(
                text="Which?",
                choices=Choices(
                    button="x", sections=(Section(rows=(Row(id="a", title="A", description="d" * 73),)),)
                ),
            ),
            f"Which?\n\n1. A – {'d' * 73}",
        ),
    ],
)
def test_what_twilio_shows_no_buttons_for_is_numbered(
    twilio: FakeTwilio, channel: TwilioChannel, message: Outbound, text: str
) -> None:
    channel.send(THEIRS, OURS, message, "one")
    assert seen(twilio) == Outbound(text=text)
    assert twilio.content_requests == 0


PICTURE = Media(kind="image", url="https://example.com/a.png")
SOUND = Media(kind="audio", url="https://example.com/a.ogg")


@pytest.mark.parametrize(
    ("message", "media", "text"),
    [
        (Outbound(media=PICTURE), PICTURE, ""),
        (Outbound(text="Look", media=PICTURE), PICTURE, "Look"),
        (BUTTONS.model_copy(update={"media": PICTURE}), PICTURE, "Shall I?\n\n1. Yes\n2. No"),
        (Outbound(media=SOUND), SOUND, ""),
        (Outbound(text="Listen", media=SOUND), None, f"Listen\n\n{SOUND.url}"),
        (
            Outbound(media=PICTURE, location=Location(latitude=1, longitude=2, name="Here")),
            None,
            f"{PICTURE.url}\n\nHere (1.000000, 2.000000)",
        ),
    ],
)
def test_media_go_with_what_is_said(
    twilio: FakeTwilio, channel: TwilioChannel, message: Outbound, media: Media | None, text: str
) -> None:
    channel.send(THEIRS, OURS, message, "one")
    assert seen(twilio) == Outbound(text=text, media=media)


@pytest.mark.parametrize(
    ("text", "name", "address", "body", "label"),
    [
        ("", "The shop", "MG Road 1", "The shop", "MG Road 1"),
        ("Here we are", "The shop", "MG Road | 1", "Here we are", "The shop, MG Road 1"),
        ("", "", "", "18.520400,-73.856700", ""),
        ("", "", "MG Road 1", "MG Road 1", ""),
    ],
)
def test_a_place_is_a_pin(
    twilio: FakeTwilio, channel: TwilioChannel, text: str, name: str, address: str, body: str, label: str
) -> None:
    place = Location(latitude=18.5204, longitude=-73.8567, name=name, address=address)
    channel.send(THEIRS, OURS, Outbound(text=text, location=place), "one")
    pin = Location(latitude=18.5204, longitude=-73.8567, name=body, address=label)
    assert seen(twilio) == Outbound(text=body, location=pin)


def test_a_template_goes_by_its_sid(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    sid = twilio.add_template("parcel_today", "Your parcel {{1}} arrives, it's true.")
    template = Template(name=sid, variables={"1": "7,\n  Ann's\t"})
    channel.send(THEIRS, OURS, Outbound(text="words", template=template), "one")
    assert seen(twilio).text == "Your parcel 7, Ann's arrives, it's true."
    bare = twilio.add_template("bare", "We have moved.")
    channel.send(THEIRS, OURS, Outbound(template=Template(name=bare)), "two")
    assert seen(twilio).text == "We have moved."


def test_a_template_goes_by_its_name_and_language(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    twilio.add_template("parcel", "Your parcel {{1}} is here.", language="en_GB")
    twilio.add_template("parcel", "Ihr Paket {{1}} ist da.", language="de")
    twilio.add_template("parcel_late", "Your parcel {{1}} is late.", language="en")
    for language, text in (("en", "Your parcel 7 is here."), ("de", "Ihr Paket 7 ist da."), ("en-gb", None)):
        template = Template(name="parcel", language=language, variables={"1": "7"})
        channel.send(THEIRS, OURS, Outbound(template=template), language)
        assert seen(twilio).text == (text or "Your parcel 7 is here.")
    channel.send(THEIRS, OURS, Outbound(template=Template(name="parcel", variables={"1": "8"})), "any")
    assert seen(twilio).text == "Ihr Paket 8 ist da."


@pytest.mark.parametrize("language", ["", "fr"])
def test_a_template_that_isnt_there_says_so(
    twilio: FakeTwilio, channel: TwilioChannel, language: str
) -> None:
    twilio.add_template("parcel", "Your parcel {{1}} is here.", language="en")
    name = "parcel" if language else "gone"
    with pytest.raises(Undeliverable, match=f'no content called "{name}"') as raised:
        channel.send(THEIRS, OURS, Outbound(template=Template(name=name, language=language)), "one")
    assert raised.value.code == "no_content"
    assert twilio.requests == 0


def test_a_template_that_was_made_anew_is_found_again(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    old = twilio.add_template("moved", "We have moved.")
    message = Outbound(template=Template(name="moved"))
    channel.send(THEIRS, OURS, message, "one")
    twilio.drop_content(old)
    twilio.add_template("moved", "We have moved again.")
    with pytest.raises(NotSent) as raised:
        channel.send(THEIRS, OURS, message, "two")
    assert raised.value.code == "21655"
    channel.send(THEIRS, OURS, message, "two")
    assert seen(twilio).text == "We have moved again."


def test_a_template_that_meta_has_paused_is_an_end(twilio: FakeTwilio, channel: TwilioChannel) -> None:
    twilio.add_template("moved", "We have moved.")
    twilio.next(Behaviour(take=False, status=400, code="63041"))
    with pytest.raises(Undeliverable) as raised:
        channel.send(THEIRS, OURS, Outbound(template=Template(name="moved")), "one")
    assert raised.value.code == "63041"


def test_a_refusal_of_buttons_for_another_reason_stays_one(
    twilio: FakeTwilio, channel: TwilioChannel
) -> None:
    twilio.next(Behaviour(take=False, status=400, code="63014"))
    with pytest.raises(ContactRefuses):
        channel.send(THEIRS, OURS, BUTTONS, "one")
    assert twilio.requests == 1


def test_a_sid_that_twilio_does_not_know_is_an_end(channel: TwilioChannel) -> None:
    with pytest.raises(Undeliverable) as raised:
        channel.send(THEIRS, OURS, Outbound(template=Template(name="HX" + "f" * 32)), "one")
    assert raised.value.code == "21655"


@pytest.mark.parametrize(
    ("status", "code", "error", "told"),
    [
        (429, "", NotSent, "20429"),
        (429, "63018", NotSent, "63018"),
        (429, "63014", NotSent, "63014"),
        (400, "63038", NotSent, "63038"),
        (400, "63016", NeedsTemplate, "63016"),
        (400, "63014", ContactRefuses, "63014"),
        (400, "21610", ContactRefuses, "21610"),
        (400, "21211", Undeliverable, "21211"),
        (400, "63003", Undeliverable, "63003"),
        (400, "63024", Undeliverable, "63024"),
        (400, "63049", Undeliverable, "63049"),
        (403, "20003", NotSent, "20003"),
        (302, "", SendUnknown, "20500"),
        (408, "", SendUnknown, "20500"),
    ],
)
def test_a_refusal_is_what_its_code_means(
    twilio: FakeTwilio, channel: TwilioChannel, status: int, code: str, error: type[SendError], told: str
) -> None:
    twilio.next(Behaviour(take=False, status=status, code=code))
    with pytest.raises(error) as raised:
        channel.send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert type(raised.value) is error
    assert raised.value.code == told
    assert twilio.deliveries == []
    assert channel.send(THEIRS, OURS, Outbound(text="Hello"), "one")


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("behaviour", [Behaviour(status=500), Behaviour(status=503), Behaviour(cut=True)])
def test_nobody_knows_what_came_of_an_error_of_the_servers(
    twilio: FakeTwilio, channel: TwilioChannel, behaviour: Behaviour, taken: bool
) -> None:
    twilio.next(Behaviour(take=taken, status=behaviour.status, cut=behaviour.cut))
    with pytest.raises(SendUnknown):
        channel.send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert (twilio.requests, len(twilio.deliveries)) == (1, int(taken))


def test_an_answer_that_comes_too_late_is_lost(twilio: FakeTwilio, open_twilio: OpenTwilio) -> None:
    twilio.next(Behaviour(delay=0.3))
    with pytest.raises(SendUnknown, match="lost"):
        open_twilio(timeout=0.05).send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert twilio.texts() == ["Hello"]


def test_where_nobody_listens_nothing_was_sent(twilio: FakeTwilio, open_twilio: OpenTwilio) -> None:
    with twilio.refusing(), pytest.raises(NotSent) as raised:
        open_twilio().send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert raised.value.code is None
    with pytest.raises(NotSent, match="reached"):
        open_twilio(api_base="http://nowhere.invalid").send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert twilio.deliveries == []


def test_a_wrong_token_waits_for_the_right_one(twilio: FakeTwilio, open_twilio: OpenTwilio) -> None:
    for message in (Outbound(text="Hello"), BUTTONS):
        with pytest.raises(NotSent) as raised:
            open_twilio(auth_token="wrong").send(THEIRS, OURS, message, "one")
        assert raised.value.code == "20003"
    assert twilio.deliveries == []


@pytest.mark.parametrize(
    ("message", "code"),
    [(Outbound(text="x" * 1601), "21617"), (Outbound(), "empty")],
)
def test_what_twilio_would_not_take_is_not_asked(
    twilio: FakeTwilio, channel: TwilioChannel, message: Outbound, code: str
) -> None:
    with pytest.raises(Undeliverable) as raised:
        channel.send(THEIRS, OURS, message, "one")
    assert raised.value.code == code
    assert twilio.requests == 0
    assert channel.send(THEIRS, OURS, Outbound(text="x" * 1600), "two")


def test_a_number_is_in_no_reason_and_no_log(
    twilio: FakeTwilio, channel: TwilioChannel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Undeliverable) as raised:
        channel.send("0009876543210", OURS, Outbound(text="secret words"), "one")
    assert "9876543210" not in raised.value.message
    assert raised.value.code == "21211"
    channel.send(THEIRS, OURS, BUTTONS, "two")
    for secret in ("9876543210", "secret words", twilio.auth_token):
        assert secret not in caplog.text


class _Strange(BaseHTTPRequestHandler):
    answers: tuple[tuple[int, str], ...] = ()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.answers[0]
        type(self).answers = self.answers[1:]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def strange() -> Iterator[str]:
    """A server that isn't Twilio."""
    with HTTPServer(("127.0.0.1", 0), _Strange) as server:
        serving = Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


def test_an_answer_that_is_not_twilios_tells_nothing(strange: str, open_twilio: OpenTwilio) -> None:
    answers = ((201, "<html>"), (201, "[]"), (201, "{}"), (201, '{"date_created": 7}'), (502, "<html>"))
    problem = (400, '{"type": "about:x", "title": "Too long +919876543210", "status": 400, "code": 21617}')
    _Strange.answers = (*answers, problem, (401, "who are you"))
    channel = open_twilio(api_base=strange)
    for _ in answers:
        with pytest.raises(SendUnknown):
            channel.send(THEIRS, OURS, Outbound(text="Hello"), "one")
    with pytest.raises(Undeliverable, match=r"Too long .…") as raised:
        channel.send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert raised.value.code == "21617"
    with pytest.raises(NotSent) as let_in:
        channel.send(THEIRS, OURS, Outbound(text="Hello"), "one")
    assert let_in.value.code == "20003"
