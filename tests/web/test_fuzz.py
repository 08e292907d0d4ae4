"""The whole API asked by its own documentation, and the webhooks told what no provider says."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.offices import RAVI, Office
from tests.web.sites import PUBLIC, envelope, make_site, message, meta_signature, meta_text, twilio_signature
from wabot.modules import catalog, invoices, orders

CATALOG = Path(__file__).parents[2] / "examples" / "merchant" / "catalog.csv"
MODULES = [catalog.module, orders.module, invoices.module]
SETTINGS = {"sections": {"catalog": {"file": str(CATALOG)}}}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    office = Office(
        "sqlite://",
        modules=MODULES,
        settings=SETTINGS,
    )
    office.hear("hi")
    office.hear("boom")
    office.order()
    office.hear("person", RAVI)
    yield office
    office.close()


@pytest.fixture(scope="module")
def documented(office: Office) -> BaseSchema:
    return schemathesis.openapi.from_wsgi("/whatsapp/openapi.json", office.site.flask)


def _documented_operations() -> list[tuple[str, str]]:
    site = make_site(modules=MODULES, settings=SETTINGS)
    document = site.get("/whatsapp/openapi.json").json
    site.app.close()
    assert document
    return [(method.upper(), path) for path, item in document["paths"].items() for method in item]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), _documented_operations())
def test_the_api_answers_as_it_is_documented(
    office: Office, documented: BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    """What fits the documentation, and what doesn't: never a 500, and each answer is a documented one."""

    @QUICK
    @given(case=documented[path][method].as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {office.site.key}"}, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE


WORDS = st.text(max_size=40) | st.sampled_from(
    [
        "",
        "0",
        "-1",
        "١٢٣",
        "whatsapp:",
        "whatsapp:+",
        "whatsapp:+919876543210",
        "\x00",
        "\ud7ff",
        "9" * 400,
        "NaN",
    ]
)
NAMES = st.sampled_from([name for name, _ in message()]) | st.sampled_from(
    ["ButtonPayload", "ListId", "Latitude", "Longitude", "MediaUrl0", "MediaContentType0", "MessageStatus"]
)
FORMS = st.lists(st.tuples(NAMES | st.text(max_size=12), WORDS), max_size=25)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
STATUS = {"id": "wamid.9", "status": "delivered", "timestamp": "1767355200", "recipient_id": "919876543210"}
ENVELOPE = envelope(meta_text(), statuses=[STATUS])
WEBHOOK = settings(QUICK, max_examples=60)


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each place in this JSON."""
    yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*at, key))


def _changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    key, *rest = place
    inner = _changed(value[key], tuple(rest), new)
    if isinstance(value, dict):
        return {**value, key: inner}
    return [inner if at == key else each for at, each in enumerate(value)]


SPOILT = st.builds(_changed, st.just(ENVELOPE), st.sampled_from([*_places(ENVELOPE)]), VALUES)


@pytest.mark.parametrize("path", ["/whatsapp/webhook", "/whatsapp/webhook/status?reference=1"])
def test_twilio_s_webhooks_take_any_form(office: Office, path: str) -> None:
    @WEBHOOK
    @given(base=st.booleans(), pairs=FORMS)
    def ask(base: bool, pairs: list[tuple[str, str]]) -> None:
        sent = [*(message() if base else []), *pairs]
        genuine = office.site.client.post(
            path,
            data=urlencode(sent, errors="replace"),
            content_type="application/x-www-form-urlencoded",
            headers={"X-Twilio-Signature": twilio_signature(f"{PUBLIC}{path}", sent)},
        )
        assert genuine.status_code < 500
        forged = office.site.twilio(sent, path, signature="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        assert forged.status_code == 403

    ask()


@pytest.mark.parametrize("values", [VALUES, SPOILT], ids=["anything", "spoilt"])
def test_meta_s_webhook_takes_any_json(office: Office, values: st.SearchStrategy[Any]) -> None:
    @WEBHOOK
    @given(payload=values)
    def ask(payload: Any) -> None:
        assert office.site.meta(payload).status_code < 500
        assert office.site.meta(payload, signature="sha256=" + "0" * 64).status_code == 403

    ask()


@pytest.mark.parametrize(
    "post",
    [
        lambda site, body: site.meta(body, signature=meta_signature(body)),
        lambda site, body: site.client.post(
            "/whatsapp/webhook", data=body, headers={"X-Twilio-Signature": "x"}
        ),
        lambda site, body: site.client.post("/whatsapp/webhook/meta", data=body),
    ],
    ids=["genuine", "twilio", "unsigned"],
)
def test_a_webhook_takes_any_bytes(office: Office, post: Callable[..., Any]) -> None:
    @WEBHOOK
    @given(body=st.binary(max_size=200))
    def ask(body: bytes) -> None:
        assert post(office.site, body).status_code < 500

    ask()


def test_what_was_taken_has_its_turn(office: Office) -> None:
    """After all of that the bot answers as before, and nothing is left that can't be served."""
    office.app.drain()
    before = len(office.channel.sent)
    office.hear("Are you there?", "+919800000077")
    assert office.channel.sent[before].message.text == "Welcome"
