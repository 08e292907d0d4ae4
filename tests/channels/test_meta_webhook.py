import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.adapters.channels.meta import MetaWebhook
from wabot.adapters.channels.meta.webhook import signature
from wabot.core.messages import Inbound, Kind, Location, Media
from wabot.core.refusals import Refusal
from wabot.runtime.receipts import Receipt, ReceiptStatus
from wabot.testing.meta import FakeMeta, sign

ASHA, OURS = "+919876543210", "+15550001111"
SECRET = "app secret ✓"
HOOK = MetaWebhook(SECRET, "verify me")
META = FakeMeta()


def as_body(value: Any) -> bytes:
    return json.dumps(value).encode()


def heard(**parts: Any) -> Inbound:
    body = META.webhook(ASHA, OURS, "Hi")
    body["entry"][0]["changes"][0]["value"]["messages"][0] |= parts
    (message,) = HOOK.read(as_body(body))
    assert isinstance(message, Inbound)
    return message


def told(**status: Any) -> Receipt:
    (receipt,) = HOOK.read(as_body(META.envelope(OURS, statuses=[status])))
    assert isinstance(receipt, Receipt)
    return receipt


def query(**changes: str) -> Mapping[str, str]:
    asked = {"mode": "subscribe", "verify_token": "verify me", "challenge": "1158201444", **changes}
    return {f"hub.{name}": value for name, value in asked.items()}


def test_the_handshake_echoes_the_challenge() -> None:
    assert HOOK.challenge(query()) == "1158201444"


@pytest.mark.parametrize(
    "asked",
    [
        query(verify_token="wrong"),
        query(verify_token=""),
        query(verify_token="vérify ✓ \ud800"),
        query(mode="unsubscribe"),
        query(challenge=""),
        query(challenge="<script>alert(1)</script>"),
        query(challenge="1" * 5000),
        {},
    ],
)
def test_the_handshake_answers_nobody_else(asked: Mapping[str, str]) -> None:
    assert HOOK.challenge(asked) is None


def test_without_a_verify_token_nobody_is_answered() -> None:
    assert MetaWebhook(SECRET, "").challenge(query(verify_token="")) is None


BODY = '{"text": "\\u0928\\ud83d\\udc4b a\\/b", "plain": "नमस्ते 👋 a/b"}'.encode()


def test_the_signature_is_that_of_the_bytes_as_they_came() -> None:
    good = signature(SECRET, BODY)
    assert good == sign(SECRET, BODY)
    assert HOOK.genuine(BODY, good)
    assert not HOOK.genuine(json.dumps(json.loads(BODY)).encode(), good)
    assert not HOOK.genuine(BODY + b" ", good)


def test_a_known_pair_of_secret_and_body() -> None:
    known = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    body = b"The quick brown fox jumps over the lazy dog"
    assert MetaWebhook("key", "v").genuine(body, known)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "sha256=",
        "sha256=nonsense ✓ \ud800",
        "sha1=" + sign(SECRET, BODY).removeprefix("sha256="),
        sign(SECRET, BODY).removeprefix("sha256="),
        sign(SECRET, BODY).upper(),
        sign(SECRET, BODY)[:-1],
        sign("another secret", BODY),
        sign("", BODY),
    ],
)
def test_a_signature_that_is_wrong_is_refused(wrong: str) -> None:
    assert not HOOK.genuine(BODY, wrong)


def test_without_a_secret_nothing_is_genuine() -> None:
    open_door = MetaWebhook("", "verify me", previous_secrets=[""])
    assert not open_door.genuine(BODY, sign("", BODY))
    assert not open_door.genuine(b"", sign("", b""))


def test_a_secret_that_is_being_replaced_still_counts() -> None:
    hook = MetaWebhook("new", "verify me", previous_secrets=["old"])
    assert hook.genuine(BODY, sign("new", BODY))
    assert hook.genuine(BODY, sign("old", BODY))
    assert not hook.genuine(BODY, sign("older", BODY))


def test_a_text_has_its_sender_its_name_and_its_time() -> None:
    message = heard(id="wamid.1", timestamp="1767355200", text={"body": "नमस्ते 👋 a/b"})
    assert message == Inbound(
        channel="meta",
        event_id="wamid.1",
        sender=ASHA,
        recipient=OURS,
        text="नमस्ते 👋 a/b",
        name="Asha",
        sent_at=datetime(2026, 1, 2, 12, tzinfo=UTC),
    )


def test_our_number_may_be_written_with_spaces() -> None:
    body = META.webhook(ASHA, "+1 (555) 000-1111")
    (message,) = HOOK.read(as_body(body))
    assert isinstance(message, Inbound)
    assert message.recipient == OURS


def test_our_number_is_the_one_of_the_settings_where_its_id_is_theirs() -> None:
    hook = MetaWebhook(SECRET, "v", phone_numbers={"+525512345678": META.phone_numbers[OURS]})
    (known,) = hook.read(as_body(META.webhook(ASHA, OURS)))
    (other,) = hook.read(as_body(META.webhook(ASHA, "+15550002222")))
    assert isinstance(known, Inbound)
    assert isinstance(other, Inbound)
    assert (known.recipient, other.recipient) == ("+525512345678", "+15550002222")


def test_the_quick_reply_of_a_template_and_the_taps_of_a_session() -> None:
    quick = heard(type="button", button={"payload": "p1", "text": "Yes"})
    assert (quick.kind, quick.payload, quick.title, quick.text) == (Kind.BUTTON, "p1", "Yes", "")
    reply = {"type": "button_reply", "button_reply": {"id": "w1.yes", "title": "Yes"}}
    tap = heard(type="interactive", interactive=reply)
    assert (tap.kind, tap.payload, tap.title) == (Kind.BUTTON, "w1.yes", "Yes")
    row = {"type": "list_reply", "list_reply": {"id": "w1.c", "title": "Cement", "description": "50 kg"}}
    choice = heard(type="interactive", interactive=row)
    assert (choice.kind, choice.payload, choice.title) == (Kind.LIST, "w1.c", "Cement")


@pytest.mark.parametrize("kind", ["image", "audio", "video", "document", "sticker"])
def test_a_file_is_named_by_the_url_under_which_graph_knows_it(kind: str) -> None:
    file = {"id": "1013859600285441", "mime_type": "application/x", "filename": "a.pdf", "caption": "See"}
    message = heard(type=kind, **{kind: file})
    assert (message.kind, message.text) == (Kind(kind), "See")
    assert message.media == Media.model_validate(
        {
            "kind": kind,
            "url": "https://graph.facebook.com/v23.0/1013859600285441",
            "mime_type": "application/x",
            "filename": "a.pdf",
        }
    )


def test_files_may_be_elsewhere_and_of_another_version() -> None:
    hook = MetaWebhook(SECRET, "v", channel="wa", api_base="http://127.0.0.1:9/", api_version="v25.0")
    body = META.webhook(ASHA, OURS, type="image", image={"id": "7", "mime_type": "image/png"})
    (message,) = hook.read(as_body(body))
    assert isinstance(message, Inbound)
    assert message.media is not None
    assert (message.channel, message.media.url) == ("wa", "http://127.0.0.1:9/v25.0/7")


def test_a_place_a_card_a_reaction_and_an_order() -> None:
    place = heard(type="location", location={"latitude": "18.5", "longitude": 73.85, "name": "Shop"})
    assert place.location == Location(latitude=18.5, longitude=73.85, name="Shop")
    cards = [{"name": {"formatted_name": "Ben"}, "phones": [{"phone": "+91 98"}, {"wa_id": "91"}, {}]}]
    card = heard(type="contacts", contacts=cards)
    assert (card.kind, card.raw) == (
        Kind.CONTACT,
        {"name": "Ben", "phones": ["+91 98", "91"], "contacts": cards},
    )
    reaction = heard(type="reaction", reaction={"message_id": "wamid.9", "emoji": "👍"})
    assert (reaction.kind, reaction.text, reaction.raw) == (Kind.REACTION, "👍", {"message_id": "wamid.9"})
    assert heard(type="reaction", reaction={"message_id": "wamid.9"}).text == ""
    items = [{"product_retailer_id": "c", "quantity": 2, "item_price": 3.5, "currency": "INR"}]
    order = heard(type="order", order={"catalog_id": "1", "product_items": items, "text": "Soon"})
    assert (order.kind, order.text, order.raw["product_items"]) == (Kind.ORDER, "Soon", items)


@pytest.mark.parametrize(
    "parts",
    [
        {"type": "unsupported", "unsupported": {"type": "poll"}, "errors": [{"code": 131051}]},
        {"type": "unknown"},
        {"type": "system", "system": {"type": "customer_changed_number", "wa_id": "91"}},
        {"type": "request_welcome"},
        {"type": "what comes next", "what": [1]},
        {"type": 5},
        {"type": None},
        {"type": "text", "text": None},
        {"type": "text", "text": "no object"},
        {"type": "text", "text": {"body": 5}},
        {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent"}}},
        {"type": "interactive", "interactive": {"type": "list_reply"}},
        {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"title": "x"}}},
        {"type": "image", "image": {"id": "../me?x="}},
        {"type": "image", "image": {"id": 12}},
        {"type": "image"},
        {"type": "location", "location": {"latitude": 1000, "longitude": 0}},
        {"type": "location", "location": {"latitude": "north"}},
        {"type": "contacts", "contacts": []},
        {"type": "contacts", "contacts": "none"},
    ],
)
def test_what_is_not_known_or_not_whole_is_kept_as_it_came(parts: dict[str, Any]) -> None:
    message = heard(id="wamid.7", **parts)
    assert (message.kind, message.event_id, message.text) == (Kind.UNKNOWN, "wamid.7", "")
    assert message.raw["id"] == "wamid.7"
    assert all(message.raw[name] == value for name, value in parts.items())


def test_the_advertisement_that_led_here_is_kept() -> None:
    referral = {"source_url": "https://fb.me/x", "source_type": "ad", "headline": "Cement"}
    message = heard(text={"body": "Hi"}, referral=referral)
    assert (message.text, message.raw) == ("Hi", {"referral": referral})


USER_ID = "IN.13491208655302741918"


def test_a_contact_whose_number_is_hidden_goes_by_its_id() -> None:
    body = META.webhook(ASHA, OURS, "Hi")
    value = body["entry"][0]["changes"][0]["value"]
    del value["messages"][0]["from"]
    value["messages"][0]["from_user_id"] = USER_ID
    value["contacts"] = [{"profile": {"name": "Asha", "username": "@asha"}, "user_id": USER_ID}]
    (message,) = HOOK.read(as_body(body))
    assert isinstance(message, Inbound)
    assert (message.sender, message.name) == (USER_ID, "Asha")


def test_a_number_goes_before_an_id() -> None:
    assert heard(from_user_id=USER_ID).sender == ASHA
    body = META.webhook(ASHA, OURS, "Hi")
    value = body["entry"][0]["changes"][0]["value"]
    value["messages"][0] |= {"from": "", "from_user_id": USER_ID}
    (message,) = HOOK.read(as_body(body))
    assert isinstance(message, Inbound)
    assert message.sender == ASHA


@pytest.mark.parametrize(
    "change",
    [
        {"from": "", "from_user_id": "no id"},
        {"from": "+91' OR 1=1"},
        {"from": {"deep": 1}},
        {"id": ""},
        {"id": None},
    ],
)
def test_a_message_that_cannot_be_answered_or_told_apart_is_left_out(change: dict[str, Any]) -> None:
    body = META.webhook(ASHA, OURS, "Hi", **change)
    body["entry"][0]["changes"][0]["value"]["contacts"] = []
    assert HOOK.read(as_body(body)) == []


def test_a_message_to_no_number_of_ours_is_left_out() -> None:
    body = META.webhook(ASHA, OURS, "Hi")
    body["entry"][0]["changes"][0]["value"]["metadata"] = {"display_phone_number": "soon"}
    assert HOOK.read(as_body(body)) == []


def test_ids_too_long_to_keep_stay_apart() -> None:
    first, second = heard(id="w" * 300 + "1"), heard(id="w" * 300 + "2")
    assert len(first.event_id) <= 255
    assert first.event_id != second.event_id


def test_several_messages_and_statuses_come_in_one_body() -> None:
    other = META.envelope(
        OURS,
        contacts=[
            {"wa_id": "919800000001", "profile": {"name": "Ben"}},
            {"wa_id": "919800000002", "profile": {}},
        ],
        messages=[
            {"from": "919800000001", "id": "a", "type": "text", "text": {"body": "one"}},
            {"from": "919800000002", "id": "b", "type": "text", "text": {"body": "two"}},
        ],
        statuses=[{"id": "wamid.1", "status": "sent"}, {"id": "wamid.1", "status": "read"}],
    )
    both = {**other, "entry": other["entry"] + META.webhook(ASHA, OURS, "three")["entry"]}
    found = HOOK.read(as_body(both))
    messages = [each for each in found if isinstance(each, Inbound)]
    assert [(each.text, each.name) for each in messages] == [("one", "Ben"), ("two", ""), ("three", "Asha")]
    receipts = [each.status for each in found if isinstance(each, Receipt)]
    assert receipts == [ReceiptStatus.SENT, ReceiptStatus.READ]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("sent", ReceiptStatus.SENT),
        ("delivered", ReceiptStatus.DELIVERED),
        ("read", ReceiptStatus.READ),
        ("played", ReceiptStatus.READ),
    ],
)
def test_a_status_names_its_message_by_our_reference_too(status: str, found: ReceiptStatus) -> None:
    assert told(
        id="wamid.1", status=status, timestamp="1767355200", biz_opaque_callback_data="ref-1"
    ) == Receipt(
        channel="meta",
        status=found,
        reference="ref-1",
        provider_id="wamid.1",
        at=datetime(2026, 1, 2, 12, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("error", "code", "reason", "refusal"),
    [
        (
            {"code": 131047, "title": "T", "error_data": {"details": "24 hours"}},
            "131047",
            "24 hours",
            Refusal.TEMPLATE,
        ),
        ({"code": 131050, "message": "M", "title": "T"}, "131050", "M", Refusal.SUPPRESS),
        (
            {"code": "130429", "title": "Too many to +919876543210"},
            "130429",
            "Too many to +…",
            Refusal.LATER,
        ),
        ({"code": True, "title": "T"}, "", "T", Refusal.NEVER),
        ({}, "", "no reason given", Refusal.NEVER),
    ],
)
def test_a_failure_says_why_and_what_it_means(
    error: dict[str, Any], code: str, reason: str, refusal: Refusal
) -> None:
    receipt = told(id="wamid.1", status="failed", errors=[error])
    assert (receipt.status, receipt.code, receipt.reason, receipt.refusal) == (
        ReceiptStatus.FAILED,
        code,
        reason,
        refusal,
    )


@pytest.mark.parametrize(
    "status",
    [
        {"id": "wamid.1", "status": "deleted"},
        {"id": "wamid.1", "status": ["read"]},
        {"status": "read"},
        {"id": "wacid.1", "status": "sent", "type": "call"},
    ],
)
def test_a_status_that_tells_nothing_of_a_message_is_left_out(status: dict[str, Any]) -> None:
    assert HOOK.read(as_body(META.envelope(OURS, statuses=[status]))) == []


@pytest.mark.parametrize("moment", [None, "soon", "9" * 400, -(10**30), {}, []])
def test_a_time_that_is_none_is_not_known(moment: Any) -> None:
    assert heard(timestamp=moment, text={"body": "Hi"}).sent_at is None


def test_other_fields_of_the_account_are_not_for_us() -> None:
    body = META.webhook(ASHA, OURS, "Hi")
    body["entry"][0]["changes"][0]["field"] = "message_template_status_update"
    assert HOOK.read(as_body(body)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_or_nested_beyond_reason_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|decode|number|nested|limit"):
        HOOK.read(body)


@pytest.mark.parametrize(
    "body",
    [b"null", b"5", b"[]", b'"text"', b'{"entry": 5}', b'{"entry": [5, {"changes": [null, {"value": []}]}]}'],
)
def test_json_of_another_form_has_nothing_for_us(body: bytes) -> None:
    assert HOOK.read(body) == []


def test_characters_that_no_database_keeps_are_replaced() -> None:
    message = heard(id="wamid\u00001", text={"body": "a\u0000b \ud83d!"})
    assert (message.event_id, message.text) == ("wamid\ufffd1", "a\ufffdb \ufffd!")
    message.model_dump_json()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(
    [
        "text",
        "button",
        "interactive",
        "image",
        "location",
        "contacts",
        "reaction",
        "order",
        "system",
        "sticker",
    ]
)
names = st.sampled_from(
    [
        "from",
        "id",
        "type",
        "text",
        "button",
        "interactive",
        "image",
        "location",
        "contacts",
        "errors",
        "referral",
    ]
)


@given(kind=kinds, parts=st.dictionaries(names, json_values, max_size=4), value=json_values)
def test_whatever_stands_in_a_message_it_is_read_or_left_out(
    kind: str, parts: dict[str, Any], value: Any
) -> None:
    body = META.webhook(ASHA, OURS)
    body["entry"][0]["changes"][0]["value"]["messages"][0] |= {"type": kind, kind: value, **parts}
    for found in HOOK.read(as_body(body)):
        assert isinstance(found, Inbound)
        assert Inbound.model_validate_json(found.model_dump_json()) == found


@given(value=json_values, statuses=json_values, messages=json_values)
def test_whatever_stands_in_a_body_it_is_read_or_left_out(value: Any, statuses: Any, messages: Any) -> None:
    HOOK.read(as_body(value))
    HOOK.read(as_body(META.envelope(OURS, statuses=statuses, messages=messages, contacts=value)))
    HOOK.read(as_body(META.envelope(OURS, statuses=[statuses, {"status": "failed", "errors": value}])))
