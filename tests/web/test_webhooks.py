import json
import logging

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnection

from tests.web.conftest import MakeSite
from tests.web.sites import (
    ASHA,
    OURS,
    PUBLIC,
    SECRET,
    TOKEN,
    VERIFY,
    Site,
    envelope,
    make_app,
    message,
    meta_signature,
    meta_text,
    twilio_signature,
)
from wabot.adapters.channels.meta import MetaWebhook
from wabot.adapters.channels.twilio import TwilioWebhook
from wabot.adapters.web import create_app
from wabot.core.faults import at_crash_points
from wabot.core.tables import InboundRow, InboundStatus, OutboxRow, SendStatus
from wabot.errors import RecordError
from wabot.runtime.keys import new_key

NAMES = [
    "{{7*7}}",
    "<img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "'; drop table contact; --",
]


def inbound(site: Site) -> list[InboundRow]:
    with site.app.database.reading() as session:
        return list(session.scalars(select(InboundRow).order_by(InboundRow.id)))


def sent(site: Site) -> OutboxRow:
    """One message of ours that the provider has taken."""
    site.twilio(message())
    site.app.drain()
    with site.app.database.reading() as session:
        return session.scalars(select(OutboxRow)).one()


def outbox(site: Site) -> OutboxRow:
    with site.app.database.reading() as session:
        return session.scalars(select(OutboxRow)).one()


def status(row: OutboxRow, said: str, **more: str) -> list[tuple[str, str]]:
    fields = {"MessageSid": "SMours", "MessageStatus": said, "From": f"whatsapp:{OURS}", **more}
    return [*fields.items(), ("To", f"whatsapp:{ASHA}")]


def callback(row: OutboxRow) -> str:
    return f"/whatsapp/webhook/status?reference={row.reference}"


def test_a_message_of_twilio_is_accepted_and_has_its_turn_later(site: Site) -> None:
    answer = site.twilio(message("Cement x 100"))
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    (row,) = inbound(site)
    assert (row.status, row.payload["text"]) == (InboundStatus.PENDING, "Cement x 100")
    assert site.app.drain().turns == 1


def test_a_message_that_twilio_sends_twice_has_one_effect(site: Site) -> None:
    assert [site.twilio(message()).status_code for _ in range(3)] == [200, 200, 200]
    assert site.count(InboundRow) == 1
    assert site.app.metrics_text().count('channel="twilio",outcome="known"} 2') == 1


def test_a_wrong_signature_of_twilio_is_refused(site: Site) -> None:
    for signature in ("", "wrong", "=", "é", "A" * 4000):
        answer = site.twilio(message(), signature=signature)
        assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert site.count(InboundRow) == 0
    assert 'channel="twilio",outcome="forged"} 5' in site.app.metrics_text()


def test_a_signature_of_another_body_is_refused(site: Site) -> None:
    stolen = twilio_signature(f"{PUBLIC}/whatsapp/webhook", message("Hello"))
    assert site.twilio(message("Pay him"), signature=stolen).status_code == 403


def test_a_signature_of_another_address_is_refused(site: Site) -> None:
    stolen = twilio_signature(f"{PUBLIC}/whatsapp/webhook/status", message())
    assert site.twilio(message(), signature=stolen).status_code == 403


def test_a_signature_of_the_wrong_scheme_is_refused(site: Site) -> None:
    stolen = twilio_signature("http://bot.example.com/whatsapp/webhook", message())
    assert site.twilio(message(), signature=stolen).status_code == 403


def test_behind_a_proxy_the_public_url_counts_and_not_what_the_proxy_says(site: Site) -> None:
    answer = site.twilio(message(), base_url="http://10.0.0.7:8000")
    assert answer.status_code == 200
    stolen = twilio_signature("http://10.0.0.7:8000/whatsapp/webhook", message(sid="SM2"))
    assert (
        site.twilio(message(sid="SM2"), signature=stolen, base_url="http://10.0.0.7:8000").status_code == 403
    )


def test_the_public_url_may_have_a_port_and_a_path(build: MakeSite) -> None:
    site = build(web={"public_url": "https://example.com:8443/bot"})
    signature = twilio_signature("https://example.com:8443/bot/whatsapp/webhook", message())
    assert site.twilio(message(), signature=signature).status_code == 200


def test_without_a_public_url_the_request_says_what_it_is(build: MakeSite) -> None:
    site = build(web={"public_url": ""})
    url = "http://localhost:5000/whatsapp/webhook?a=b%20c&a="
    signature = twilio_signature(url, message())
    answer = site.twilio(
        message(), "/whatsapp/webhook?a=b%20c&a=", signature=signature, base_url="http://localhost:5000"
    )
    assert answer.status_code == 200


def test_a_trusted_proxy_tells_the_address_where_the_settings_say_so(build: MakeSite) -> None:
    site = build(web={"public_url": "", "trust_proxy": 1})
    signature = twilio_signature("https://shop.example.com/whatsapp/webhook", message())
    told = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "shop.example.com"}
    assert site.twilio(message(), signature=signature, environ_overrides=told).status_code == 200


def test_blank_and_repeated_parameters_are_signed_too(site: Site) -> None:
    odd = [*message(" two  blanks "), ("Empty", ""), ("Twice", "b"), ("Twice", "a"), ("Twice", "b")]
    assert site.twilio(odd).status_code == 200
    assert inbound(site)[0].payload["text"] == " two  blanks "
    without = [pair for pair in odd if pair[0] != "Empty"]
    stolen = twilio_signature(f"{PUBLIC}/whatsapp/webhook", odd)
    assert site.twilio([*without, ("Empty", "x")], signature=stolen).status_code == 403


def test_the_query_is_signed_with_the_address(site: Site) -> None:
    assert site.twilio(message(), "/whatsapp/webhook?shop=asha&empty=").status_code == 200
    stolen = twilio_signature(f"{PUBLIC}/whatsapp/webhook?shop=asha", message())
    assert site.twilio(message(), "/whatsapp/webhook?shop=ben", signature=stolen).status_code == 403


def test_a_status_moves_our_message_on(site: Site) -> None:
    row = sent(site)
    assert site.twilio(status(row, "delivered"), callback(row)).status_code == 200
    assert outbox(site).receipt == "delivered"


def test_a_status_that_comes_twice_or_late_moves_nothing_back(site: Site) -> None:
    row = sent(site)
    for said in ("read", "delivered", "read", "sent"):
        assert site.twilio(status(row, said), callback(row)).status_code == 200
    now = outbox(site)
    assert (now.receipt, now.status) == ("read", SendStatus.SENT)


def test_a_forged_status_moves_nothing(site: Site) -> None:
    row = sent(site)
    failed = status(row, "failed", ErrorCode="63024")
    assert site.twilio(failed, callback(row), signature="forged").status_code == 403
    genuine = twilio_signature(f"{PUBLIC}{callback(row)}", status(row, "sent"))
    assert site.twilio(failed, callback(row), signature=genuine).status_code == 403
    assert outbox(site).receipt == ""


def test_a_genuine_status_can_t_be_turned_on_another_message(site: Site) -> None:
    row = sent(site)
    genuine = twilio_signature(f"{PUBLIC}/whatsapp/webhook/status?reference=other", status(row, "failed"))
    assert site.twilio(status(row, "failed"), callback(row), signature=genuine).status_code == 403
    assert outbox(site).receipt == ""


def test_a_status_of_a_message_that_isn_t_ours_is_taken_and_forgotten(site: Site) -> None:
    row = sent(site)
    assert site.twilio(status(row, "read"), "/whatsapp/webhook/status?reference=nobody").status_code == 200
    assert site.twilio([("Nothing", "here")], "/whatsapp/webhook/status").status_code == 200
    assert outbox(site).receipt == ""


def test_a_status_may_come_to_the_address_of_messages(site: Site) -> None:
    row = sent(site)
    said = status(row, "read", MessageSid=row.provider_id or "")
    assert site.twilio(said).status_code == 200
    assert outbox(site).receipt == "read"


def test_meta_is_told_its_challenge_for_the_verify_token(site: Site) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "1158201444"}
    answer = site.client.get("/whatsapp/webhook/meta", query_string=asked)
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "1158201444", "text/plain")
    wrong = {**asked, "hub.verify_token": "guess"}
    assert site.client.get("/whatsapp/webhook/meta", query_string=wrong).status_code == 403
    assert site.client.get("/whatsapp/webhook/meta").status_code == 403


def test_messages_of_meta_are_accepted_each_once(site: Site) -> None:
    both = envelope(meta_text("One", "wamid.1"), meta_text("Two", "wamid.2"))
    assert [site.meta(both).status_code for _ in range(2)] == [200, 200]
    assert [row.payload["text"] for row in inbound(site)] == ["One", "Two"]
    assert {(row.payload["sender"], row.payload["recipient"]) for row in inbound(site)} == {(ASHA, OURS)}


def test_meta_s_signature_is_over_the_bytes_as_they_came(site: Site) -> None:
    body = json.dumps(envelope(meta_text("🧱 a/b \\/ é")), ensure_ascii=False, indent=1).encode()
    assert site.meta(body.replace(b"a/b", b"a\\/b")).status_code == 200
    assert inbound(site)[0].payload["text"] == "🧱 a/b \\/ é"
    again = json.dumps(json.loads(body)).encode()
    assert site.meta(again, signature=meta_signature(body)).status_code == 403


def test_a_wrong_signature_of_meta_is_refused(site: Site) -> None:
    for signature in ("", "sha256=", "sha256=00", "sha1=abc", "sha256=é", "é"):
        assert site.meta(envelope(meta_text()), signature=signature).status_code == 403
    assert site.count(InboundRow) == 0


def test_an_unsigned_request_is_refused(site: Site) -> None:
    assert site.client.post("/whatsapp/webhook/meta", json=envelope(meta_text())).status_code == 403
    assert site.client.post("/whatsapp/webhook", data=dict(message())).status_code == 403
    assert site.client.post("/whatsapp/webhook/status", data=dict(message())).status_code == 403


def test_a_missing_secret_fails_closed() -> None:
    body = json.dumps(envelope(meta_text())).encode()
    assert not MetaWebhook("", "").genuine(body, meta_signature(body, ""))
    assert not TwilioWebhook("").genuine(PUBLIC, message(), twilio_signature(PUBLIC, message(), ""))


def test_a_provider_that_isn_t_in_the_settings_has_no_door(database_url: str) -> None:
    with make_app(database_url, webhooks=False).bind() as app:
        new_key(app.database, app.clock, "boss", ["admin"])
        site = Site(app, create_app(app), "")
        assert site.twilio(message()).status_code == 404
        assert site.meta(envelope(meta_text())).status_code == 404
        assert site.client.get("/whatsapp/webhook/meta").status_code == 404


STRANGE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"1e999",
    b"\xff\xfe",
    b"NaN",
    b'{"entry": 1}',
    b'{"entry": [1, null]}',
]
ERRORS = [
    OperationalError("insert", {}, Exception("the server is gone"), connection_invalidated=True),
    OperationalError("insert", {}, Exception("disk is full")),
    DataError("insert", {}, Exception("value too long")),
    IntegrityError("insert", {}, Exception("a foreign key")),
    ProgrammingError("insert", {}, Exception("no such table")),
    NoConnection("the pool is empty"),
    RecordError("the database can't be used now"),
]


@pytest.mark.parametrize("place", ["accept.before_insert", "accept.before_commit"])
def test_a_message_that_isn_t_on_record_is_sent_again(site: Site, place: str) -> None:
    for error in ERRORS:

        def fail(name: str, error: Exception = error) -> None:
            if name == place:
                raise error

        with at_crash_points(fail):
            answers = [site.twilio(message()), site.meta(envelope(meta_text()))]
        for answer in answers:
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert "insert" not in answer.text
    assert site.count(InboundRow) == 0
    assert [site.twilio(message()).status_code, site.meta(envelope(meta_text())).status_code] == [200, 200]
    assert site.count(InboundRow) == 2


def test_a_database_that_is_gone_is_told_as_503(site: Site) -> None:
    site.twilio(message())
    with site.app.database.transaction() as session:
        session.connection().exec_driver_sql("alter table inbound rename to away")
        session.commit()
    assert site.twilio(message(sid="SM2")).status_code == 503


def test_one_message_that_fails_keeps_no_other_from_the_record(site: Site) -> None:
    heard: list[str] = []

    def fail_first(name: str) -> None:
        if name == "accept.before_insert":
            heard.append(name)
            if len(heard) == 1:
                raise OperationalError("insert", {}, Exception("gone"))

    both = envelope(meta_text("One", "wamid.1"), meta_text("Two", "wamid.2"))
    with at_crash_points(fail_first):
        assert site.meta(both).status_code == 503
    assert [row.payload["text"] for row in inbound(site)] == ["Two"]
    assert site.meta(both).status_code == 200
    assert sorted(row.payload["text"] for row in inbound(site)) == ["One", "Two"]


def test_what_a_contact_writes_is_data(site: Site) -> None:
    for number, name in enumerate(["Hello", *NAMES]):
        site.twilio(message(name, sid=f"SM{number}", ProfileName=name))
    site.app.drain()
    (conversation,) = site.app.conversations()
    said = [row.message["text"] for row in site.app.outbox(conversation.id)]
    assert said == ["Welcome", *(f"You said {name}" for name in NAMES)]


def test_the_webhook_s_request_is_known_in_the_turn_s_log_lines(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "wabot"):
        answer = site.twilio(message())
        site.app.drain()
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    named = {line["event"] for line in lines if line.get("correlation") == answer.headers["X-Request-Id"]}
    assert {"webhook", "turn"} <= named


def test_no_secret_and_no_number_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def fail(name: str) -> None:
        raise DataError("insert", {"phone": ASHA}, Exception(f"bad value {ASHA}"))

    with caplog.at_level(logging.DEBUG):
        site.twilio(message("my card is 4111"))
        site.meta(envelope(meta_text("my card is 4111", "wamid.7")))
        site.twilio(message("my card is 4111"), signature="forged")
        site.meta(b"{")
        with at_crash_points(fail):
            site.twilio(message("my card is 4111", sid="SM9"))
        site.get("/whatsapp/nothing", "wabot_000000000000_" + "x" * 43)
        site.app.drain()
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("wabot"))
    assert "webhook" in said
    for secret in (ASHA[1:], ASHA[-10:], OURS[1:], TOKEN, SECRET, VERIFY, "4111", "SM1", site.key, "x" * 43):
        assert secret not in said


def test_a_genuine_body_that_meta_never_sends_is_survived(site: Site) -> None:
    for body in STRANGE:
        assert site.meta(body).status_code in (200, 400)
    assert site.count(InboundRow) == 0


def test_json_that_is_deep_is_refused(site: Site) -> None:
    assert site.meta(b'{"entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}").status_code == 400
    assert site.meta(b"[" * 200_000, signature="sha256=00").status_code == 403


def test_a_number_of_many_digits_is_refused(site: Site) -> None:
    assert site.meta(b'{"entry": ' + b"9" * 100_000 + b"}").status_code in (200, 400)


def test_a_body_of_10_megabytes_is_refused_unread(site: Site) -> None:
    huge = message("x" * 10_000_000)
    for answer in (site.twilio(huge, signature="x"), site.meta(b" " * 10_000_000), site.twilio(huge)):
        assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")


def test_meta_may_send_3_megabytes_and_a_stranger_nothing(site: Site) -> None:
    body = json.dumps({"entry": [], "more": "x" * 2_900_000}).encode()
    assert site.meta(body).status_code == 200
    assert site.meta(body, signature="sha256=00").status_code == 403
    assert site.meta(b" " * 3_200_000).status_code == 413


def test_a_form_of_10_000_fields_is_refused(site: Site) -> None:
    many = [(f"f{number}", "") for number in range(10_000)]
    assert site.twilio([*message(), *many]).status_code == 413


def test_a_form_that_is_no_text_is_refused(site: Site) -> None:
    for body in (b"Body=%ff%fe", b"Body=\xff", b"%"):
        answer = site.client.post("/whatsapp/webhook", data=body, headers={"X-Twilio-Signature": "x"})
        assert answer.status_code in (400, 403)


def test_other_methods_are_refused(site: Site) -> None:
    answer = site.client.get("/whatsapp/webhook")
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "POST" in answer.headers["Allow"]
