from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from wabot.adapters.channels.twilio import TwilioWebhook, refusal_of
from wabot.adapters.channels.twilio.codes import REFUSALS
from wabot.core.messages import Inbound, Kind, Location, Media
from wabot.core.refusals import Refusal
from wabot.runtime.receipts import Receipt, ReceiptStatus
from wabot.testing.twilio import sign

TOKEN = "12345"
URL = "https://bot.example.com/whatsapp/webhook"
OURS, THEIRS = "+14155238886", "+919876543210"
SID = "SM" + "a" * 32

# The vector of Twilio's own page on webhook security.
VECTOR_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
VECTOR = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
)
VECTOR_SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.fixture
def webhook() -> TwilioWebhook:
    return TwilioWebhook(TOKEN)


def form(**parameters: str) -> list[tuple[str, str]]:
    usual = {"MessageSid": SID, "From": f"whatsapp:{THEIRS}", "To": f"whatsapp:{OURS}", "NumMedia": "0"}
    return list({**usual, **parameters}.items())


def read(**parameters: str) -> Inbound:
    found = TwilioWebhook(TOKEN).read(form(**parameters))
    assert isinstance(found, Inbound)
    assert (found.channel, found.event_id, found.sender, found.recipient) == ("twilio", SID, THEIRS, OURS)
    return found


def test_twilios_own_vector_is_genuine(webhook: TwilioWebhook) -> None:
    assert webhook.genuine(VECTOR_URL, VECTOR, VECTOR_SIGNATURE)
    assert webhook.genuine(VECTOR_URL, VECTOR[::-1], VECTOR_SIGNATURE)
    assert sign(TOKEN, VECTOR_URL, VECTOR) == VECTOR_SIGNATURE


@pytest.mark.parametrize(
    ("url", "parameters", "signature"),
    [
        (VECTOR_URL, VECTOR, ""),
        (VECTOR_URL, VECTOR, VECTOR_SIGNATURE[:-1]),
        (VECTOR_URL, VECTOR, VECTOR_SIGNATURE.lower()),
        (VECTOR_URL, VECTOR, "é" * 28),
        (VECTOR_URL, VECTOR[1:], VECTOR_SIGNATURE),
        (VECTOR_URL, (*VECTOR, ("Body", "pay me")), VECTOR_SIGNATURE),
        (VECTOR_URL, (*VECTOR, ("Body", "")), VECTOR_SIGNATURE),
        (VECTOR_URL, (*VECTOR, ("To", "+15550000000")), VECTOR_SIGNATURE),
        (VECTOR_URL, (*VECTOR[:-1], ("To", "+18005551213")), VECTOR_SIGNATURE),
        (VECTOR_URL, (*VECTOR[:-1], ("to", "+18005551212")), VECTOR_SIGNATURE),
        (VECTOR_URL, (*VECTOR[:-1], ("To", "+18005551212 ")), VECTOR_SIGNATURE),
        (VECTOR_URL.replace("https", "http"), VECTOR, VECTOR_SIGNATURE),
        (VECTOR_URL.replace("mycompany", "10.0.0.7"), VECTOR, VECTOR_SIGNATURE),
        (VECTOR_URL.replace("&bar=2", ""), VECTOR, VECTOR_SIGNATURE),
        ("https://mycompany.com/myapp.php?bar=2&foo=1", VECTOR, VECTOR_SIGNATURE),
        (VECTOR_URL + "/", VECTOR, VECTOR_SIGNATURE),
        ("", VECTOR, VECTOR_SIGNATURE),
        ("https://mycompany.com:99999/", VECTOR, VECTOR_SIGNATURE),
        ("https://[::1/", VECTOR, VECTOR_SIGNATURE),
        (VECTOR_URL, (), VECTOR_SIGNATURE),
    ],
)
def test_whatever_is_changed_is_not_genuine(
    webhook: TwilioWebhook, url: str, parameters: tuple[tuple[str, str], ...], signature: str
) -> None:
    assert not webhook.genuine(url, parameters, signature)


@pytest.mark.parametrize("known", [URL, f"{URL}?a=b", "http://bot.example.com/whatsapp/webhook"])
def test_the_port_of_a_scheme_makes_no_difference(webhook: TwilioWebhook, known: str) -> None:
    """Whether Twilio signs with it differs from product to product."""
    port = 443 if known.startswith("https") else 80
    ported = known.replace(".com/", f".com:{port}/")
    parameters = form(Body="Hello")
    for signed in (known, ported):
        for asked in (known, ported):
            assert webhook.genuine(asked, parameters, sign(TOKEN, signed, parameters))


def test_a_port_of_our_own_is_signed_or_left_out(webhook: TwilioWebhook) -> None:
    ours = URL.replace(".com/", ".com:8443/")
    parameters = form(Body="Hello")
    assert webhook.genuine(ours, parameters, sign(TOKEN, ours, parameters))
    assert webhook.genuine(ours, parameters, sign(TOKEN, URL, parameters))
    assert not webhook.genuine(URL, parameters, sign(TOKEN, ours, parameters))
    assert not webhook.genuine(ours, parameters, sign(TOKEN, ours.replace("8443", "8444"), parameters))


def test_blank_values_white_space_and_what_comes_twice_are_signed_too(webhook: TwilioWebhook) -> None:
    body = "Body=&Body=+hi+%0A&ProfileName=%20Ann%20&Empty=&Emoji=%F0%9F%99%8F&a=1&a=2&a=1"
    parameters = parse_qsl(body, keep_blank_values=True)
    text = URL + "Body" + "Body hi \n" + "Emoji🙏" + "Empty" + "ProfileName Ann " + "a1" + "a2"
    signature = RequestValidator(TOKEN).compute_signature(text, {})
    assert webhook.genuine(URL, parameters, signature)
    assert not webhook.genuine(URL, [each for each in parameters if each[1]], signature)
    assert not webhook.genuine(URL, list(dict(parameters).items()), signature)
    stripped = [(name, value.strip()) for name, value in parameters]
    assert not webhook.genuine(URL, stripped, signature)


def test_without_a_token_nothing_is_genuine() -> None:
    parameters = form(Body="Hello")
    for webhook in (TwilioWebhook(""), TwilioWebhook("", previous_tokens=["", ""])):
        assert not webhook.genuine(URL, parameters, sign("", URL, parameters))


def test_a_token_that_is_being_replaced_still_counts() -> None:
    parameters = form(Body="Hello")
    old = sign("old", URL, parameters)
    assert TwilioWebhook(TOKEN, previous_tokens=["older", "old"]).genuine(URL, parameters, old)
    assert not TwilioWebhook(TOKEN).genuine(URL, parameters, old)


def test_a_callback_is_genuine_for_its_own_message_only(webhook: TwilioWebhook) -> None:
    parameters = form(MessageStatus="read")
    signature = sign(TOKEN, f"{URL}/status?reference=one", parameters)
    assert webhook.genuine(f"{URL}/status?reference=one", parameters, signature)
    assert not webhook.genuine(f"{URL}/status?reference=two", parameters, signature)


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=60)), max_size=8))
def test_what_twilio_signs_is_genuine_whatever_is_in_it(pairs: list[tuple[str, str]]) -> None:
    parameters = parse_qsl(urlencode(pairs), keep_blank_values=True)
    signature = sign(TOKEN, URL, parameters)
    assert TwilioWebhook(TOKEN).genuine(URL, parameters, signature) is True
    assert TwilioWebhook("other").genuine(URL, parameters, signature) is False


def test_a_text() -> None:
    found = read(Body="Two apples", ProfileName="Ann", MessageType="text", WaId="919876543210")
    assert (found.kind, found.text, found.name, found.raw) == (Kind.TEXT, "Two apples", "Ann", {})


def test_a_tapped_button() -> None:
    found = read(
        Body="Yes",
        ButtonText="Yes",
        ButtonPayload="yes@3",
        MessageType="button",
        OriginalRepliedMessageSid="MM1",
    )
    assert (found.kind, found.payload, found.title, found.text) == (Kind.BUTTON, "yes@3", "Yes", "Yes")
    assert found.raw == {"replied_to": "MM1"}
    bare = read(Body="Yes", ButtonText="Yes", MessageType="interactive")
    assert (bare.kind, bare.payload, bare.title) == (Kind.BUTTON, "Yes", "Yes")


def test_a_chosen_row() -> None:
    found = read(Body="Apples", ListId="a", ListTitle="Apples", MessageType="interactive")
    assert (found.kind, found.payload, found.title) == (Kind.LIST, "a", "Apples")


@pytest.mark.parametrize(
    ("mime_type", "said", "kind"),
    [
        ("image/jpeg", "image", Kind.IMAGE),
        ("IMAGE/PNG", "", Kind.IMAGE),
        ("audio/ogg; codecs=opus", "audio", Kind.AUDIO),
        ("video/mp4", "video", Kind.VIDEO),
        ("application/pdf", "document", Kind.DOCUMENT),
        ("", "", Kind.DOCUMENT),
        ("image/webp", "sticker", Kind.STICKER),
    ],
)
def test_a_file(mime_type: str, said: str, kind: Kind) -> None:
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
    found = read(Body="look", NumMedia="1", MediaUrl0=url, MediaContentType0=mime_type, MessageType=said)
    assert (found.kind, found.text) == (kind, "look")
    assert found.media == Media.model_validate({"kind": kind, "url": url, "mime_type": mime_type})
    assert found.raw == {}


def test_several_files_are_one_message() -> None:
    urls = {f"MediaUrl{n}": f"https://api.twilio.com/{n}" for n in range(3)}
    types = {"MediaContentType0": "image/png", "MediaContentType1": "application/pdf"}
    found = read(NumMedia="3", **urls, **types)
    assert found.kind is Kind.IMAGE
    assert found.media is not None
    assert found.media.url == "https://api.twilio.com/0"
    assert found.raw["media"] == [
        {"url": "https://api.twilio.com/0", "mime_type": "image/png"},
        {"url": "https://api.twilio.com/1", "mime_type": "application/pdf"},
        {"url": "https://api.twilio.com/2", "mime_type": ""},
    ]


@pytest.mark.parametrize("mime_type", ["text/vcard", "text/x-vcard", "text/directory; charset=utf-8"])
def test_a_contact_card(mime_type: str) -> None:
    found = read(
        NumMedia="1",
        MediaUrl0="https://api.twilio.com/0",
        MediaContentType0=mime_type,
        MessageType="contacts",
    )
    assert (found.kind, found.media) == (Kind.CONTACT, None)
    assert found.raw["media"] == [{"url": "https://api.twilio.com/0", "mime_type": mime_type}]


def test_a_place() -> None:
    found = read(
        Latitude="18.5204", Longitude="73.8567", Label="The shop", Address="MG Road 1", MessageType="location"
    )
    assert found.kind is Kind.LOCATION
    place = Location(latitude=18.5204, longitude=73.8567, name="The shop", address="MG Road 1")
    assert found.location == place


@pytest.mark.parametrize(
    ("latitude", "longitude"), [("91", "0"), ("x", "0"), ("nan", "0"), ("inf", "0"), ("1", "")]
)
def test_a_place_that_is_nowhere_breaks_nothing(latitude: str, longitude: str) -> None:
    found = read(Latitude=latitude, Longitude=longitude)
    assert (found.kind, found.location) == (Kind.UNKNOWN, None)
    assert found.raw["Latitude"] == latitude


def test_a_reaction() -> None:
    found = read(Body="👍", MessageType="reaction", OriginalRepliedMessageSid="SM1")
    assert (found.kind, found.text, found.raw) == (Kind.REACTION, "👍", {"message_id": "SM1"})


def test_an_order_is_kept_whole() -> None:
    found = read(MessageType="order", ProductItems="[…]")
    assert (found.kind, found.raw["ProductItems"]) == (Kind.ORDER, "[…]")


def test_what_is_not_known_is_kept() -> None:
    found = read(MessageType="poll", Poll="{}")
    assert (found.kind, found.text, found.media) == (Kind.UNKNOWN, "", None)
    assert found.raw["Poll"] == "{}"


def test_an_advertisement_stays_beside_the_words() -> None:
    found = read(Body="Hi", ReferralSourceId="7", ReferralNumMedia="0", ReferralBody="")
    assert found.raw == {"referral": {"ReferralSourceId": "7", "ReferralNumMedia": "0"}}
    assert read(Body="Hi", ReferralNumMedia="0").raw == {}


@pytest.mark.parametrize(
    ("flag", "text"), [("STOP", "STOP"), ("start", "START"), ("HELP", "arrêt"), ("", "arrêt")]
)
def test_an_opt_out_that_twilio_recognised(flag: str, text: str) -> None:
    found = read(Body="arrêt", OptOutType=flag, ButtonText="no")
    expected = Kind.TEXT if text != "arrêt" else Kind.BUTTON
    assert (found.kind, found.text) == (expected, text)
    assert found.raw == ({"said": "arrêt"} if expected is Kind.TEXT else {})


@pytest.mark.parametrize(
    "parameters",
    [
        {"From": THEIRS},
        {"From": "messenger:123"},
        {"From": ""},
        {"To": ""},
        {"From": "whatsapp:" + "x" * 65},
        {"MessageSid": ""},
        {"MessageSid": "S" * 256},
    ],
)
def test_what_is_not_whatsapps_is_nothing_for_us(webhook: TwilioWebhook, parameters: dict[str, str]) -> None:
    assert webhook.read(form(Body="Hello", **parameters)) is None
    assert webhook.read([]) is None


def test_one_who_hides_the_number_has_an_id(webhook: TwilioWebhook) -> None:
    found = webhook.read(form(Body="Hello", From="whatsapp:ID.4566546130240823"))
    assert isinstance(found, Inbound)
    assert found.sender == "ID.4566546130240823"


def test_nothing_that_the_database_cannot_keep_comes_through() -> None:
    found = read(Body="a\x00b\ud800", ProfileName="\x00" + "n" * 300)
    assert found.text == "ab?"
    assert found.name == "n" * 255


def test_of_a_parameter_that_comes_twice_the_first_counts(webhook: TwilioWebhook) -> None:
    found = webhook.read([*form(Body="first"), ("Body", "second")])
    assert isinstance(found, Inbound)
    assert found.text == "first"


NAMES = [
    "MessageSid",
    "From",
    "To",
    "Body",
    "NumMedia",
    "MediaUrl0",
    "MediaContentType0",
    "Latitude",
    "Longitude",
]
NAMES += ["ListId", "ButtonPayload", "MessageType", "MessageStatus", "ErrorCode", "OptOutType", "ProfileName"]


@given(st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=9), st.text(max_size=400)), max_size=12))
def test_nothing_that_is_posted_raises(pairs: list[tuple[str, str]]) -> None:
    webhook = TwilioWebhook(TOKEN)
    for parameters in (pairs, [*form(), *pairs], [*pairs, *form()]):
        found = webhook.read(parameters)
        assert found is None or isinstance(found, Inbound | Receipt)
        webhook.read_status(parameters, dict(pairs))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("accepted", ReceiptStatus.QUEUED),
        ("queued", ReceiptStatus.QUEUED),
        ("sending", ReceiptStatus.QUEUED),
        ("sent", ReceiptStatus.SENT),
        ("delivered", ReceiptStatus.DELIVERED),
        ("read", ReceiptStatus.READ),
        ("undelivered", ReceiptStatus.FAILED),
        ("failed", ReceiptStatus.FAILED),
        ("canceled", ReceiptStatus.FAILED),
    ],
)
def test_a_status_names_its_message(webhook: TwilioWebhook, status: str, expected: ReceiptStatus) -> None:
    found = webhook.read_status(form(MessageStatus=status), {"reference": "ref-1"})
    assert found == Receipt(channel="twilio", status=expected, reference="ref-1", provider_id=SID)
    assert webhook.read(form(MessageStatus=status)) == found.model_copy(update={"reference": ""})


def test_a_failure_says_why_and_what_it_means(webhook: TwilioWebhook) -> None:
    failed = form(MessageStatus="failed", ErrorCode="63016", ErrorMessage="Outside for +919876543210")
    assert webhook.read_status(failed, {}) == Receipt(
        channel="twilio",
        status=ReceiptStatus.FAILED,
        provider_id=SID,
        code="63016",
        reason="Outside for +…",
        refusal=Refusal.TEMPLATE,
    )
    blocked = form(MessageStatus="undelivered", ErrorCode="63014", ChannelStatusMessage="blocked")
    found = webhook.read_status(blocked, {})
    assert found is not None
    assert (found.refusal, found.reason) == (Refusal.SUPPRESS, "blocked")


@pytest.mark.parametrize(
    "parameters", [form(MessageStatus="receiving"), form(), form(MessageStatus="sent", MessageSid=""), []]
)
def test_a_status_that_says_nothing_is_none(
    webhook: TwilioWebhook, parameters: list[tuple[str, str]]
) -> None:
    assert webhook.read_status(parameters, {}) is None


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("63016", Refusal.TEMPLATE),
        ("63014", Refusal.SUPPRESS),
        ("21610", Refusal.SUPPRESS),
        ("63018", Refusal.LATER),
        ("63038", Refusal.LATER),
        ("20429", Refusal.LATER),
        ("63049", Refusal.NEVER),
        ("21617", Refusal.NEVER),
        ("21211", Refusal.NEVER),
        ("63003", Refusal.NEVER),
        ("63024", Refusal.NEVER),
        (" 63014 ", Refusal.SUPPRESS),
        ("99999", Refusal.NEVER),
        ("", Refusal.NEVER),
    ],
)
def test_each_code_has_its_meaning(code: str, refusal: Refusal) -> None:
    assert refusal_of(code) is refusal
    assert all(each.isdigit() and len(each) == 5 for each in REFUSALS)
