"""Webhooks with what providers never send, genuinely signed: all of it is answered, none of it breaks."""

import copy
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests import servers
from tests.web.sites import Site, envelope, make_site, message, meta_text

TAKEN = (200, 400)
NAMES = [name for name, _ in message()] + [
    "MessageStatus",
    "ErrorCode",
    "MediaUrl0",
    "MediaContentType0",
    "Latitude",
    "Longitude",
    "ButtonPayload",
    "ListId",
    "OptOutType",
    "",
]
VALUES = [
    "0",
    "-1",
    "99999999999",
    "1e999",
    "nan",
    "whatsapp:",
    "whatsapp:+1",
    "read",
    "failed",
    "text/vcard",
    "STOP",
]
texts = st.text(max_size=40) | st.sampled_from(VALUES)
forms = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=10), texts), max_size=25)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
MESSAGE = {
    **meta_text(),
    "context": {"id": "wamid.0", "from": "14155238886"},
    "interactive": {"type": "button_reply", "button_reply": {"id": "w1|a", "title": "Yes"}},
    "image": {"id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "c"},
    "location": {"latitude": 1.0, "longitude": 2.0},
    "contacts": [{"name": {"formatted_name": "Ben"}, "phones": [{"phone": "+1"}]}],
    "order": {"catalog_id": "1", "product_items": []},
}
STATUS = {
    "id": "wamid.9",
    "status": "failed",
    "timestamp": "1",
    "recipient_id": "91",
    "errors": [{"code": 131026}],
}
KINDS = [
    "text",
    "interactive",
    "button",
    "image",
    "location",
    "contacts",
    "order",
    "reaction",
    "system",
    "zebra",
]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        url = "sqlite://"
        if request.param == "postgres":
            server = request.getfixturevalue("postgres_url")
            template = request.getfixturevalue("postgres_template")
            url = stack.enter_context(servers.postgres_database(server, template=template))
        made = make_site(url)
        stack.callback(made.app.close)
        yield made


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, inner in entries:
        yield from places(inner, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    made = copy.copy(tree)
    made[path[0]] = replaced(tree[path[0]], path[1:], value)
    return made


@FEW
@given(pairs=forms)
def test_any_form_that_twilio_signs_is_answered(site: Site, pairs: list[tuple[str, str]]) -> None:
    assert site.twilio(pairs).status_code in TAKEN
    assert site.twilio(pairs, "/whatsapp/webhook/status?reference=x").status_code in TAKEN


@FEW
@given(changed=st.dictionaries(st.sampled_from(NAMES), texts, max_size=6))
def test_any_message_of_twilio_with_odd_fields_is_answered(site: Site, changed: dict[str, str]) -> None:
    assert site.twilio(list({**dict(message()), **changed}.items())).status_code in TAKEN


@FEW
@given(tree=trees)
@example(tree={"entry": [{"changes": [{"value": {"messages": [None, 1, [], {}]}}]}]})
def test_any_json_that_meta_signs_is_answered(site: Site, tree: Any) -> None:
    assert site.meta(tree).status_code in TAKEN


@FEW
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_any_message_of_meta_with_a_part_that_is_odd_is_answered(
    site: Site, kind: str, data: st.DataObject
) -> None:
    whole = envelope({**MESSAGE, "type": kind}, statuses=[STATUS])
    place = data.draw(st.sampled_from(list(places(whole))))
    assert site.meta(replaced(whole, place, data.draw(trees))).status_code in TAKEN


@FEW
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered(site: Site, body: bytes) -> None:
    assert site.meta(body).status_code in TAKEN
    for signature in ("sha256=00", body.decode("latin-1").replace("\n", "").replace("\r", "")):
        assert site.meta(body, signature=signature).status_code == 403
    headers = {"X-Twilio-Signature": "x"}
    assert site.client.post("/whatsapp/webhook", data=body, headers=headers).status_code in (400, 403)


def test_what_was_taken_of_all_this_has_its_turns(site: Site) -> None:
    for number, kind in enumerate(KINDS):
        answer = site.meta(envelope({**MESSAGE, "type": kind, "id": f"wamid.kind{number}"}))
        assert answer.status_code == 200, json.dumps(answer.json)
    assert site.app.drain().failed == 0
