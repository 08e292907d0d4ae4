"""Orders, invoices, and whatever else a module serves, over HTTP, on both databases."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from tests.web.conftest import MakeOffice
from tests.web.offices import LINE, RAVI, Office
from tests.web.sites import ASHA, make_site
from wabot.core.module import Call, Module
from wabot.core.money import Money
from wabot.errors import ConfigurationError, DuplicateName, Frozen, NotFound, UnknownName

HOSTILE = [
    "{{7*7}}",
    "{% for x in y %}",
    "<img src=x onerror=alert(1)>",
    "=cmd|'/C calc'!A0",
    "'; DROP TABLE contact;--",
]


@pytest.fixture
def office(open_office: MakeOffice) -> Office:
    office = open_office()
    office.hear("hi")
    return office


def test_an_order_is_shown_with_its_money(office: Office) -> None:
    order = office.order()
    found = office.read(f"/orders/{order['id']}")
    assert (found["number"], found["status"]) == ("SO-1", "confirmed")
    assert found["subtotal"] == {"amount": "3400.00", "currency": "INR"}
    assert found["lines"][0]["price"] == {"amount": "340.00", "currency": "INR"}
    assert found["created_at"] == "2026-01-02T12:00:00Z"
    missing = office.get("/orders/99")
    assert (missing.status_code, missing.mimetype) == (404, "application/problem+json")


def test_orders_are_found_by_status_phone_and_day(office: Office) -> None:
    office.hear("hi", RAVI, name="Ravi")
    first = office.order()["id"]
    # 2 January, 21:30 in India is 16:00 UTC; 3 January there begins at 18:30.
    office.wait(hours=7)
    second = office.order(RAVI)["id"]
    draft = office.order(RAVI, confirm=False)["id"]
    assert office.ids("/orders") == [second, first]
    assert office.ids("/orders", status="draft") == [draft]
    assert office.ids("/orders", status="confirmed", phone=ASHA) == [first]
    assert office.ids("/orders", phone=RAVI) == [second]
    assert office.ids("/orders", **{"from": "2026-01-03"}) == [second]
    assert office.ids("/orders", to="2026-01-02") == [first]
    assert office.ids("/orders", **{"from": "2026-01-02", "to": "2026-01-03"}) == [second, first]
    assert office.ids("/orders", **{"from": "2026-01-04"}) == []
    page = office.read("/orders", limit=1)
    assert office.ids("/orders", limit=1, after=page["next"]) == [first]
    (listed,) = page["items"]
    assert (listed["phone"], listed["lines"], listed["total"]["currency"]) == (RAVI, 1, "INR")


def test_invoices_are_found_by_due_phone_order_and_day(office: Office) -> None:
    office.hear("hi", RAVI, name="Ravi")
    order = office.order()["id"]
    office.wait(days=20)
    office.order(RAVI)
    newer, older = office.read("/invoices")["items"]
    assert (older["order_id"], older["phone"], older["contact_name"]) == (order, ASHA, "Asha")
    assert office.ids("/invoices", status="past") == [older["id"]]
    assert office.ids("/invoices", status="not_yet") == [newer["id"]]
    assert office.ids("/invoices", phone=RAVI) == [newer["id"]]
    assert office.ids("/invoices", order=order) == [older["id"]]
    assert office.ids("/invoices", **{"from": "2026-01-22"}) == [newer["id"]]
    assert office.ids("/invoices", to="2026-01-21") == [older["id"]]
    whole = office.read(f"/invoices/{older['id']}")
    assert whole["number"] == older["number"]
    assert whole["total"] == older["total"]
    assert whole["lines"][0]["name"] == "Cement"
    assert office.get("/invoices/99").status_code == 404


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_comes_back_as_data(office: Office, name: str) -> None:
    office.hear(name, RAVI, name=name)
    order = office.order(RAVI, name=name)
    answer = office.get(f"/orders/{order['id']}")
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json
    assert answer.json["lines"][0]["name"] == name
    assert office.read("/invoices")["items"][0]["contact_name"] == name
    (contact,) = office.read("/contacts", name=name)["items"]
    assert contact["name"] == name
    conversation = office.read("/conversations", phone=RAVI)["items"][0]
    assert conversation["contact"]["name"] == name
    (said,) = office.read(f"/conversations/{conversation['id']}/messages", direction="in")["items"]
    assert said["received"]["text"] == name
    taken = office.post(f"/conversations/{conversation['id']}/take-over", {"by": name})
    assert taken.json
    assert taken.json["held_by"] == name


def test_a_command_takes_its_own_model(office: Office) -> None:
    answer = office.post("/commands/orders.quote", {"lines": [LINE]}, phone=ASHA)
    assert answer.status_code == 200, answer.text
    assert answer.json
    assert answer.json["total"] == {"amount": "4012.00", "currency": "INR"}
    confirmed = office.post("/commands/orders.confirm", {"order": answer.json["id"]})
    assert confirmed.json
    assert confirmed.json["number"] == "SO-1"
    cancelled = office.post("/commands/orders.cancel", {"number": "SO-1"})
    assert (cancelled.status_code, cancelled.json and cancelled.json["code"]) == (422, "invoiced")


@pytest.mark.parametrize(
    ("name", "body", "query", "status", "code"),
    [
        ("orders.quote", {"lines": []}, {"phone": ASHA}, 422, "no_lines"),
        ("orders.quote", {"lines": []}, {}, 422, "no_contact"),
        ("orders.quote", {"lines": []}, {"phone": "+15550000000"}, 404, "not_found"),
        ("orders.quote", {"linen": []}, {"phone": ASHA}, 422, "invalid"),
        ("orders.confirm", {"order": 99}, {}, 422, "unknown_order"),
        ("orders.confirm", {"order": 2**63}, {}, 422, "invalid"),
        ("orders.confirm", {"order": "1; DROP TABLE orders"}, {}, 422, "invalid"),
        ("orders.confirm", {"order": 1}, {"fone": ASHA}, 422, "invalid"),
        ("orders.explode", {}, {}, 404, "not_found"),
    ],
)
def test_a_command_that_does_not_fit_is_refused(
    office: Office, name: str, body: Any, query: dict[str, str], status: int, code: str
) -> None:
    answer = office.post(f"/commands/{name}", body, **query)
    assert (answer.status_code, answer.json and answer.json["code"]) == (status, code)
    assert office.read("/orders", status="draft")["items"] == []


@pytest.mark.parametrize(
    ("line", "more", "code"),
    [
        ({"quantity": "1e400"}, {}, "unclear_line"),
        ({"quantity": "1e-400"}, {}, "unclear_line"),
        ({"quantity": "NaN"}, {}, "invalid"),
        ({"price": {"amount": "1e-20000", "currency": "INR"}}, {}, "unclear_line"),
        ({"tax_rate": "0.0000000001"}, {}, "unclear_line"),
        ({"name": "x" * 201}, {}, "invalid"),
        ({}, {"discount": "1e400"}, "discount"),
        ({}, {"discount": 1e308}, "discount"),
        ({}, {"discount": "3401"}, "discount"),
        ({}, {"discount": {"amount": "1", "currency": "EUR"}}, "discount"),
    ],
)
def test_an_order_of_nonsense_is_refused(office: Office, line: Any, more: Any, code: str) -> None:
    body = {"lines": [{**LINE, **line}], **more}
    answer = office.post("/commands/orders.quote", body, phone=ASHA)
    assert (answer.status_code, answer.json and answer.json["code"]) == (422, code)


def test_a_command_that_sends_needs_a_conversation(office: Office) -> None:
    order = office.order()
    answer = office.post("/commands/invoices.send", {"order": order["id"]}, phone=ASHA)
    assert (answer.status_code, answer.json and answer.json["code"]) == (422, "not_here")


class Shelf(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    room: str = Field(examples=["12b"])
    number: int = Field(ge=1, examples=[3])
    in_: str | None = Field(default=None, alias="in")


class Box(BaseModel):
    """What is on a shelf."""

    room: str
    number: int
    price: Money
    where: str | None


class Nothing(BaseModel):
    pass


class Paper:
    """A thing of which pydantic knows nothing."""


class Order(BaseModel):
    """Not the orders module's."""

    wood: str


def library() -> Module:
    module = Module("library")

    @module.query("box", path="rooms/{room}/shelves/{number}", scope="library:write")
    def box(shelf: Shelf, call: Call) -> Box:
        """One shelf."""
        if shelf.number > 100:
            raise NotFound(f"there is no shelf {shelf.number}")
        return Box(room=shelf.room, number=shelf.number, price=Money.of(5, "INR"), where=shelf.in_)

    @module.query("anything")
    def anything(nothing: Nothing, call: Call) -> Any:
        """Plain data."""
        return {"locale": call.contact.locale if call.contact else None, "day": call.today}

    @module.command("build")
    def build(order: Order, call: Call) -> Order:
        """Of wood."""
        return order

    @module.command("write")
    def write(nothing: Nothing, call: Call) -> Paper | str:
        """In words."""
        return "words"

    @module.command("burn")
    def burn(nothing: Nothing, call: Call) -> None:
        """And nothing stays."""

    return module


def test_a_module_of_ones_own_is_served_too(open_office: MakeOffice) -> None:
    office = open_office(modules=[library()])
    assert office.read("/rooms/12b/shelves/3", **{"in": "attic"}) == {
        "room": "12b",
        "number": 3,
        "price": {"amount": "5.00", "currency": "INR"},
        "where": "attic",
    }
    for path, status in (
        ("/rooms/12b/shelves/101", 404),
        ("/rooms/12b/shelves/0", 422),
        ("/rooms/12b/shelves/x", 422),
        ("/rooms/12b/shelves/3?colour=red", 422),
    ):
        assert office.get(path).status_code == status
    key = office.site.key_for("library:read")
    assert office.get("/rooms/12b/shelves/3", key).status_code == 403
    assert office.get("/library/anything", key).json == {"locale": None, "day": "2026-01-02"}
    assert office.post("/commands/library.build", {"wood": "oak"}).json == {"wood": "oak"}
    assert office.post("/commands/library.write", {}).json == "words"
    assert office.post("/commands/library.burn", {}).status_code == 204
    assert office.post("/commands/library.burn", {}, key).status_code == 403


def test_schemas_of_one_name_are_told_apart(open_office: MakeOffice) -> None:
    from wabot.modules import invoices, orders

    office = open_office(modules=[library(), orders.module, invoices.module])
    schemas = office.read("/openapi.json")["components"]["schemas"]
    named = {name: set(schema["properties"]) for name, schema in schemas.items() if name.endswith("__Order")}
    assert sorted(map(len, named.values())) == [1, 14]


def test_two_things_can_not_be_served_under_one_path() -> None:
    module = Module("twice")

    @module.query("conversations", path="conversations")
    def conversations(nothing: Nothing, call: Call) -> None:
        """Ours already."""

    with pytest.raises(DuplicateName, match="served as GET /conversations"):
        make_site(modules=[module])


def test_a_query_is_asked_by_its_name(open_office: MakeOffice) -> None:
    office = open_office()
    office.hear("hi")
    office.hear("hi", RAVI)
    order = office.order()
    assert office.app.query("orders.get", {"id": order["id"]}).number == "SO-1"
    assert office.app.query("orders.get", {"id": order["id"]}, phone=ASHA).number == "SO-1"
    for name in ("orders", "invoices"):
        with pytest.raises(NotFound):
            office.app.query(f"{name}.get", {"id": 1}, phone=RAVI)
        assert office.app.query(f"{name}.list", {}, phone=RAVI).items == []
        assert len(office.app.query(f"{name}.list", {}, phone=ASHA).items) == 1
    with pytest.raises(UnknownName, match=r"no query \"orders\.guess\""):
        office.app.query("orders.guess", {})


def test_a_module_says_what_it_can_not_serve() -> None:
    module = library()

    def read(nothing: Nothing, call: Call) -> None:
        """Nothing."""

    with pytest.raises(DuplicateName, match=r"library\.box"):
        module.query("box")(read)
    with pytest.raises(ConfigurationError, match="Nothing has no shelf"):
        module.query("shelf", path="shelves/{shelf}")(read)
    module.bound = True
    with pytest.raises(Frozen):
        module.query("late")(read)
