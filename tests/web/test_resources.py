"""Conversations, contacts, messages and failed events over HTTP, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from tests.web.conftest import MakeOffice
from tests.web.offices import MEERA, RAVI, Office
from tests.web.sites import ASHA, OURS
from wabot.core.ports import Capabilities
from wabot.core.tables import ConversationRow, InboundRow, OutboxRow
from wabot.errors import Undeliverable

SECOND = "+14155230000"


@pytest.fixture
def office(open_office: MakeOffice) -> Office:
    return open_office()


def test_conversations_come_by_pages_the_newest_first(office: Office) -> None:
    ids = [office.hear("hi", f"+91980000001{n}") for n in range(5)]
    first = office.read("/conversations", limit=2)
    assert [item["id"] for item in first["items"]] == [ids[4], ids[3]]
    second = office.read("/conversations", limit=2, after=first["next"])
    assert [item["id"] for item in second["items"]] == [ids[2], ids[1]]
    third = office.read("/conversations", limit=2, after=second["next"])
    assert ([item["id"] for item in third["items"]], third["next"]) == ([ids[0]], None)
    # A page that is just full is the last one where nothing comes after it.
    assert office.read("/conversations", limit=5)["next"] is None


def test_conversations_are_found_by_what_is_known_of_them(office: Office) -> None:
    asha, ravi = office.hear("hi"), office.hear("hi", RAVI, name="Ravi")
    other = office.hear("hi", ASHA, sender=SECOND)
    agent = office.hear("hi", MEERA)
    office.hear("person", MEERA)
    office.app.take_over(ravi, by="Vikram")

    def found(**query: Any) -> list[int]:
        return office.ids("/conversations", **query)

    assert found(phone=ASHA) == [other, asha]
    assert found(phone=ASHA[1:]) == found(phone=f" {ASHA[1:]}") == [other, asha]
    assert found(sender=SECOND) == [other]
    assert found(channel="twilio") == [agent, other, ravi, asha]
    assert found(channel="meta") == []
    assert found(flow="desk", phone=RAVI) == [ravi]
    assert found(flow="order") == []
    assert found(held="true") == [ravi]
    assert found(held="false") == [agent, other, asha]
    assert found(agent="true") == [agent]
    assert found(agent="false") == [other, ravi, asha]


def test_a_conversation_shows_where_it_stands(office: Office) -> None:
    id = office.hear("hi")
    found = office.read(f"/conversations/{id}")
    assert (found["channel"], found["sender"], found["flow"], found["status"]) == (
        "twilio",
        OURS,
        "desk",
        "running",
    )
    assert (found["contact"]["phone"], found["contact"]["name"]) == (ASHA, "Asha")
    (flow,) = found["flows"]
    assert (flow["flow"], flow["states"], flow["variables"]) == ("desk", ["open"], {"total": None})
    (timer,) = found["timers"]
    assert timer["due_at"] == "2026-01-02T13:00:00Z"
    assert found["effects"] == []
    office.hear("person")
    found = office.read(f"/conversations/{id}")
    assert [(each["kind"], each["status"], each["due_at"]) for each in found["effects"]] == [
        ("agent", "pending", None)
    ]
    assert found["agent"] is True
    assert office.get("/conversations/99").status_code == 404


def test_a_conversation_that_is_new_or_spoilt_is_shown_all_the_same(office: Office) -> None:
    sent = office.post("/messages", {"to": ASHA, "sender": OURS, "message": {"text": "Hello"}}).json
    assert sent
    assert office.read(f"/conversations/{sent['conversation']}")["status"] == "new"
    with office.app.database.transaction() as session:
        session.execute(update(ConversationRow).values(state='{"format": 99}'))
        session.commit()
    assert office.read(f"/conversations/{sent['conversation']}")["status"] == "damaged"


def test_both_sides_are_merged_in_time(office: Office) -> None:
    id = office.hear("hi")
    office.wait(minutes=1)
    office.hear("bricks")
    office.wait(minutes=1)
    office.post("/messages", {"conversation": id, "message": {"text": "On its way"}})
    found = office.read(f"/conversations/{id}/messages")
    assert found["next"] is None
    words = [
        (item["direction"], (item["received"] or item["sent"])["text"]) for item in reversed(found["items"])
    ]
    assert words == [
        ("in", "hi"),
        ("out", "Welcome"),
        ("in", "bricks"),
        ("out", "You said bricks"),
        ("out", "On its way"),
    ]
    assert [item["status"] for item in found["items"]] == ["pending", "sent", "done", "sent", "done"]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_every_message_is_on_one_page(office: Office, limit: int) -> None:
    id = office.hear("hi")
    for number in range(4):
        # Two of them at the same moment.
        office.wait(minutes=number % 2)
        office.hear(f"no. {number}")
    whole = office.ids(f"/conversations/{id}/messages")
    assert len(whole) == len(set(whole)) == 10
    pages, after = [], None
    while True:
        page = office.read(
            f"/conversations/{id}/messages", limit=limit, **({"after": after} if after else {})
        )
        pages += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert pages == whole


def test_a_conversation_is_read_back_without_looking_at_the_others() -> None:
    office = Office("sqlite://")
    plan = text(
        "EXPLAIN QUERY PLAN SELECT id FROM inbound WHERE conversation_id = 1 AND origin = 'message' "
        "ORDER BY received_at DESC, id DESC LIMIT 51"
    )
    with office.app.database.reading() as session:
        steps = [row[-1] for row in session.execute(plan)]
    office.close()
    assert [step for step in steps if "ix_inbound_talk (conversation_id=?)" in step]


def test_messages_are_found_by_direction_and_time(office: Office) -> None:
    id = office.hear("hi")
    office.wait(hours=2)
    office.hear("later")
    path = f"/conversations/{id}/messages"
    assert {item["direction"] for item in office.read(path, direction="in")["items"]} == {"in"}
    assert {item["direction"] for item in office.read(path, direction="out")["items"]} == {"out"}
    assert len(office.ids(path)) == 5
    assert len(office.ids(path, **{"from": "2026-01-02T14:00:00Z"})) == 3
    assert len(office.ids(path, to="2026-01-02T14:00:00Z")) == 2
    assert len(office.ids(path, to="2026-01-02T19:30:00+05:30")) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"after": "in-99"},
        {"after": "out-9999999999999999999"},
    ],
)
def test_a_page_begins_after_a_message_of_the_conversation(office: Office, query: dict[str, Any]) -> None:
    id = office.hear("hi")
    assert office.get(f"/conversations/{id}/messages", **query).status_code == 404
    other = office.hear("hi", RAVI)
    theirs = office.ids(f"/conversations/{other}/messages")[0]
    assert office.get(f"/conversations/{id}/messages", after=theirs).status_code == 404
    assert office.get("/conversations/99/messages").status_code == 404


def test_why_no_flow_heard_a_message_is_told(office: Office) -> None:
    id = office.hear("hi")
    office.app.take_over(id)
    office.hear("anyone there?")
    newest = office.read(f"/conversations/{id}/messages", direction="in")["items"][0]
    assert (newest["received"]["text"], newest["note"]) == ("anyone there?", "held")


def test_a_spoilt_message_does_not_hide_the_others(office: Office) -> None:
    id = office.hear("hi")
    with office.app.database.transaction() as session:
        session.execute(update(OutboxRow).values(message={"words": 7}))
        session.execute(update(InboundRow).values(payload=["?"]))
        session.commit()
    items = office.read(f"/conversations/{id}/messages")["items"]
    assert [(item["received"], item["sent"]) for item in items] == [(None, None)] * 2
    assert office.read("/messages")["items"][0]["message"] is None


def test_contacts_are_found_by_what_is_known_of_them(office: Office) -> None:
    office.hear("hi")
    office.hear("hi", RAVI, name="Ravi 100%")
    office.hear("hi", MEERA, name="meera_devi")
    office.hear("stop", MEERA)

    def found(**query: Any) -> list[str]:
        return [item["phone"] for item in office.read("/contacts", **query)["items"]]

    assert found() == [MEERA, RAVI, ASHA]
    assert found(phone=RAVI) == [RAVI]
    assert found(name="ASH") == [ASHA]
    assert found(name="0%") == [RAVI]
    assert found(name="a_d") == [MEERA]
    assert found(name="%") == [RAVI]
    assert found(opted_out="true") == [MEERA]
    assert found(opted_out="false") == [RAVI, ASHA]
    assert found(limit=1) == [MEERA]


def test_a_contact_has_its_conversations(office: Office) -> None:
    first, second = office.hear("hi"), office.hear("hi", sender=SECOND)
    (contact,) = office.read("/contacts")["items"]
    whole = office.read(f"/contacts/{contact['id']}")
    assert [each["id"] for each in whole["conversations"]] == [second, first]
    assert whole["phone"] == ASHA
    assert office.get("/contacts/99").status_code == 404


def test_a_message_goes_into_a_conversation(office: Office) -> None:
    id = office.hear("hi")
    answer = office.post("/messages", {"conversation": id, "message": {"text": "It's Ravi"}})
    assert answer.status_code == 202
    sent = answer.json
    assert sent
    assert (sent["conversation"], sent["status"], sent["message"]["text"]) == (id, "pending", "It's Ravi")
    office.app.drain()
    assert office.channel.sent[-1].message.text == "It's Ravi"
    assert office.read(f"/messages/{sent['id']}")["status"] == "sent"
    assert office.get("/messages/99").status_code == 404


def test_a_message_goes_to_where_a_contact_wrote_last(office: Office) -> None:
    office.hear("hi")
    office.wait(minutes=1)
    latest = office.hear("hi", sender=SECOND)

    def place(**where: str) -> Any:
        answer = office.post("/messages", {"to": ASHA, **where, "message": {"text": "x"}})
        return answer.json["conversation"] if answer.status_code == 202 and answer.json else answer.json

    assert place() == latest
    assert place(sender=OURS) == latest - 1
    assert place(channel="meta")["code"] == "sender"


def test_a_conversation_is_begun_where_it_is_clear_how(open_office: MakeOffice) -> None:
    office = open_office(settings={"senders": {OURS: "desk"}})
    answer = office.post("/messages", {"to": "+91 98765 43210", "message": {"text": "x"}})
    assert answer.status_code == 202, answer.text
    (begun,) = office.read("/conversations")["items"]
    assert (begun["channel"], begun["sender"], begun["contact"]["phone"]) == ("twilio", OURS, ASHA)
    again = office.post(
        "/messages", {"to": ASHA, "channel": "twilio", "sender": OURS, "message": {"text": "y"}}
    )
    assert again.json
    assert again.json["conversation"] == begun["id"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"to": "12", "message": {"text": "x"}}, "to"),
        ({"to": RAVI, "message": {"text": "x"}}, "sender"),
        ({"to": RAVI, "sender": OURS, "channel": "smoke", "message": {"text": "x"}}, "no_channel"),
        ({"to": RAVI}, "invalid"),
        ({"message": {"text": "x"}}, "invalid"),
        ({"to": RAVI, "conversation": 1, "message": {"text": "x"}}, "invalid"),
        ({"conversation": 1, "sender": OURS, "message": {"text": "x"}}, "invalid"),
        ({"conversation": 1, "message": {}}, "invalid"),
        ({"conversation": 1, "message": {"text": "x", "word": 1}}, "invalid"),
        ({"conversation": 1, "message": {"text": "x" * 4097}}, "invalid"),
        ({"conversation": "1 OR 1=1", "message": {"text": "x"}}, "invalid"),
    ],
)
def test_a_message_that_can_not_go_is_refused(office: Office, body: Any, code: str) -> None:
    answer = office.post("/messages", body)
    assert answer.status_code == 422
    assert answer.json
    assert answer.json["code"] == code
    assert office.read("/messages")["items"] == []
    assert office.read("/contacts")["items"] == []


def test_there_has_to_be_a_conversation_to_say_it_in(office: Office) -> None:
    assert office.post("/messages", {"conversation": 99, "message": {"text": "x"}}).status_code == 404


def test_who_opted_out_is_sent_nothing(office: Office) -> None:
    id = office.hear("stop")
    answer = office.post("/messages", {"conversation": id, "message": {"text": "But wait"}})
    assert (answer.status_code, answer.json and answer.json["code"]) == (422, "opted_out")
    assert len(office.read("/messages")["items"]) == 1


def test_outside_the_window_only_a_template_goes(open_office: MakeOffice) -> None:
    office = open_office(capabilities=Capabilities(window=timedelta(hours=24)))
    id = office.hear("hi")
    office.wait(hours=25)
    office.app.drain()
    answer = office.post("/messages", {"conversation": id, "message": {"text": "Hello?"}})
    assert (answer.status_code, answer.json and answer.json["code"]) == (422, "outside_window")
    templated = {
        "text": "Hello?",
        "template": {"name": "hello", "language": "en", "variables": {"1": "Asha"}},
    }
    assert office.post("/messages", {"conversation": id, "message": templated}).status_code == 202
    office.app.drain()
    assert office.channel.sent[-1].message.template


def test_messages_are_found_by_what_became_of_them(office: Office) -> None:
    asha, ravi = office.hear("hi"), office.hear("hi", RAVI)
    office.wait(hours=2)
    office.channel.fail_next(Undeliverable("no such number", code="63003"))
    office.post("/messages", {"conversation": ravi, "message": {"text": "x"}})
    office.app.drain()

    def found(**query: Any) -> list[str]:
        return [item["message"]["text"] for item in office.read("/messages", **query)["items"]]

    assert found(conversation=asha) == ["An hour has passed", "Welcome"]
    assert found(phone=RAVI) == found(conversation=ravi)
    assert len(found(status="failed")) == 1
    assert found(code="63003") == found(status="failed") == found(unsent="true")
    assert found(unsent="false") == found(status="sent")
    assert found(code="63016") == []
    assert found(category="campaign") == []
    assert found(to="2026-01-02T13:00:00Z") == ["Welcome", "Welcome"]
    assert len(found(**{"from": "2026-01-02T13:00:00Z"})) == 3
    (failed,) = office.read("/messages", status="failed")["items"]
    assert (failed["reason"], failed["phone"]) == ("no such number", failed["phone"])


def test_a_person_takes_over_and_hands_back(office: Office) -> None:
    id = office.hear("hi")
    taken = office.post(f"/conversations/{id}/take-over", {"by": "Ravi"}).json
    assert taken
    assert (taken["held_at"], taken["held_by"]) == ("2026-01-02T12:00:00Z", "Ravi")
    again = office.post(f"/conversations/{id}/take-over", {"by": "Vikram"})
    assert again.status_code == 422
    assert again.json
    assert (again.json["code"], again.json["details"]) == ("held", {"by": "Ravi"})
    before = len(office.channel.sent)
    office.hear("anyone?")
    assert len(office.channel.sent) == before
    back = office.post(f"/conversations/{id}/hand-back", {})
    assert back.status_code == 200
    assert back.json
    assert back.json["held_at"] is None
    refused = office.post(f"/conversations/{id}/hand-back", {})
    assert (refused.status_code, refused.json and refused.json["code"]) == (422, "not_held")


def test_the_flow_gets_what_the_person_found_out(office: Office) -> None:
    id = office.hear("hi")
    office.hear("person")
    assert office.post(f"/conversations/{id}/hand-back", {"data": {"sold": True}}).status_code == 200
    office.app.drain()
    assert office.channel.sent[-1].message.text.startswith("Back again")
    assert office.post("/conversations/99/hand-back", {}).status_code == 404
    assert office.post("/conversations/99/take-over", {}).status_code == 404


@pytest.mark.parametrize("data", ["NaN", "Infinity", "1e999"])
def test_a_result_is_what_a_conversation_can_keep(office: Office, data: str) -> None:
    id = office.hear("hi")
    office.hear("person")
    body = f'{{"data": {{"price": {data}}}}}'
    answer = office.site.post(
        f"/whatsapp/conversations/{id}/hand-back", data=body, content_type="application/json"
    )
    assert answer.status_code in (400, 422)
    assert office.read(f"/conversations/{id}")["agent"] is True


def test_a_result_is_data_whatever_it_looks_like(office: Office) -> None:
    id = office.hear("hi")
    office.hear("person")
    assert office.post(f"/conversations/{id}/hand-back", {"data": {"$date": "soon"}}).status_code == 200
    office.app.drain()
    assert office.channel.sent[-1].message.text.startswith("Back again")


def test_a_conversation_is_reset(office: Office) -> None:
    id = office.hear("hi")
    found = office.post(f"/conversations/{id}/reset")
    assert found.status_code == 200
    assert found.json
    assert (found.json["status"], found.json["timers"]) == ("new", [])
    office.hear("hi")
    assert office.channel.sent[-1].message.text == "Welcome"
    assert office.post("/conversations/99/reset").status_code == 404


def test_effects_and_timers_are_listed(office: Office) -> None:
    asha, ravi = office.hear("hi"), office.hear("hi", RAVI)
    office.hear("person", RAVI)
    assert [item["conversation"] for item in office.read("/timers")["items"]] == [asha]
    assert office.read("/timers", conversation=ravi)["items"] == []
    (effect,) = office.read("/effects")["items"]
    assert (effect["conversation"], effect["kind"], effect["status"]) == (ravi, "agent", "pending")
    assert office.ids("/effects", kind="agent", status="pending", conversation=ravi) == [effect["id"]]
    for query in ({"kind": "http"}, {"status": "done"}, {"conversation": asha}):
        assert office.ids("/effects", **query) == []


def test_failed_events_are_looked_at_retried_and_dropped(office: Office) -> None:
    asha, ravi = office.hear("hi"), office.hear("hi", RAVI)
    office.hear("boom")
    office.hear("boom", RAVI)
    newest, oldest = office.read("/failed")["items"]
    assert (newest["conversation"], oldest["conversation"]) == (ravi, asha)
    assert oldest["payload"]["text"] == "boom"
    assert oldest["reason"]
    assert "Traceback" not in oldest["reason"]
    assert office.ids("/failed", phone=ASHA) == office.ids("/failed", conversation=asha) == [oldest["id"]]
    whole = office.read(f"/failed/{oldest['id']}")
    assert "Traceback" in whole["error"]
    assert office.post(f"/failed/{oldest['id']}/retry").json == {"retried": [oldest["id"]]}
    assert office.post(f"/failed/{oldest['id']}/retry").status_code == 404
    office.app.drain()
    assert len(office.ids("/failed")) == 2
    assert office.post(f"/failed/{oldest['id']}/drop").json == {"dropped": oldest["id"]}
    assert office.post(f"/failed/{oldest['id']}/drop").status_code == 404
    assert office.get(f"/failed/{oldest['id']}").status_code == 404
    assert office.post("/failed/retry").json == {"retried": [newest["id"]]}
    assert office.ids("/failed") == []


def test_a_retry_under_one_key_is_done_once(office: Office) -> None:
    id = office.hear("hi")
    body = {"conversation": id, "message": {"text": "Once"}}
    answers = [
        office.site.post("/whatsapp/messages", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json == answers[1].json
    assert len(office.ids("/messages")) == 2
