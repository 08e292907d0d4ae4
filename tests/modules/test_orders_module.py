from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.modules.desk import ASHA, RAVI, Desk, desk, migrated
from wabot.core.database import UtcDateTime
from wabot.core.migrate import differences
from wabot.core.money import Money
from wabot.core.tables import ConversationRow
from wabot.errors import Rejected, TurnError
from wabot.modules import orders
from wabot.modules.orders.settings import OrdersSettings
from wabot.modules.orders.tables import OrderLineRow, OrderRow

MAHARASHTRA = OrdersSettings(gst_state="27")


def inr(amount: str) -> Money:
    return Money(Decimal(amount), "INR")


def line(sku: str = "CEM", quantity: str | None = "100", **other: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "name": f"Name of {sku}",
        "unit": "bag",
        "quantity": None if quantity is None else Decimal(quantity),
        "price": inr("340.00"),
        "tax_rate": Decimal(18),
        "hsn": "2523",
        "status": "ok",
        "suggestions": [],
        "text": f"{sku} x {quantity}",
    } | other


@pytest.fixture
def shop(database_url: str) -> Iterator[Desk]:
    with desk([orders.module], MAHARASHTRA, url=database_url) as call:
        yield call


def quote(shop: Desk, *lines: dict[str, Any], **other: Any) -> dict[str, Any]:
    order: dict[str, Any] = shop.run("orders.quote", {"lines": list(lines), **other})
    return order


def refusal(shop: Desk, command: str, **arguments: Any) -> str:
    with pytest.raises(Rejected) as refused:
        shop.run(command, arguments)
    return refused.value.code


def test_a_quote_has_net_tax_and_total(shop: Desk) -> None:
    order = quote(shop, line(), line("SND", "2.5", price=inr("1200.50"), tax_rate=Decimal(5), unit="ton"))
    assert (order["status"], order["number"]) == ("draft", "")
    assert [(x["sku"], x["quantity"], x["net"]) for x in order["lines"]] == [
        ("CEM", Decimal(100), inr("34000.00")),
        ("SND", Decimal("2.5"), inr("3001.25")),
    ]
    assert [(x["name"], x["rate"], x["net"], x["amount"]) for x in order["taxes"]] == [
        ("CGST", Decimal("2.5"), inr("3001.25"), inr("75.03")),
        ("SGST", Decimal("2.5"), inr("3001.25"), inr("75.03")),
        ("CGST", Decimal(9), inr("34000.00"), inr("3060.00")),
        ("SGST", Decimal(9), inr("34000.00"), inr("3060.00")),
    ]
    assert (order["subtotal"], order["tax"], order["total"]) == (
        inr("37001.25"),
        inr("6270.06"),
        inr("43271.31"),
    )


def test_another_state_is_one_tax(shop: Desk) -> None:
    order = quote(shop, line(), place_of_supply="29")
    assert [(x["name"], x["rate"], x["amount"]) for x in order["taxes"]] == [
        ("IGST", Decimal(18), inr("6120.00"))
    ]
    assert order["place_of_supply"] == "29"
    assert refusal(shop, "orders.quote", lines=[line()], place_of_supply="MH") == "place_of_supply"


def test_without_gst_tax_is_one_sum_of_the_name_that_is_set(database_url: str) -> None:
    with desk([orders.module], OrdersSettings(tax_name="VAT", round_off=True), url=database_url) as shop:
        order = quote(shop, line(quantity="1", price=inr("99.99")))
        assert [(x["name"], x["amount"]) for x in order["taxes"]] == [("VAT", inr("18.00"))]
        assert (order["round_off"], order["total"]) == (inr("0.01"), inr("118.00"))
        assert refusal(shop, "orders.quote", lines=[line()], place_of_supply="27") == "place_of_supply"


@pytest.mark.parametrize("discount", [Decimal(1000), 1000, inr("1000.00")])
def test_a_discount_is_taken_off_before_tax(shop: Desk, discount: object) -> None:
    order = quote(shop, line(), discount=discount)
    assert (order["discount"], order["tax"], order["total"]) == (
        inr("1000.00"),
        inr("5940.00"),
        inr("38940.00"),
    )


def test_a_discount_that_does_not_fit_is_refused(shop: Desk) -> None:
    assert refusal(shop, "orders.quote", lines=[line()], discount=Decimal("34000.01")) == "discount"


def test_lines_of_one_product_become_one(shop: Desk) -> None:
    order = quote(shop, line(), line(quantity="20"), line(price=inr("330.00"), quantity="1"))
    assert [(x["quantity"], x["price"]) for x in order["lines"]] == [
        (Decimal(120), inr("340.00")),
        (Decimal(1), inr("330.00")),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        line(sku=""),
        line(name=""),
        line(quantity=None),
        line(quantity="0"),
        line(quantity="-1"),
        line(quantity="1000001"),
        line(price=None),
        line(price=Money(Decimal("1.00"), "EUR")),
        line(price=inr("-1")),
        line(tax_rate=None),
        line(tax_rate=Decimal(101)),
        {"text": "xylophone", "status": "unknown"},
        {},
    ],
)
def test_a_line_that_is_not_clear_is_refused(shop: Desk, wrong: dict[str, Any]) -> None:
    assert refusal(shop, "orders.quote", lines=[line(), wrong]) == "unclear_line"


def test_no_lines_and_too_many_are_refused(database_url: str) -> None:
    with desk([orders.module], OrdersSettings(max_lines=2), url=database_url) as shop:
        assert refusal(shop, "orders.quote", lines=[]) == "no_lines"
        quote(shop, line("A"), line("B"), line("A"))
        many = [line("A"), line("B"), line("C")]
        assert refusal(shop, "orders.quote", lines=many) == "too_many_lines"


def test_an_order_needs_a_contact(shop: Desk) -> None:
    shop.contact = None
    assert refusal(shop, "orders.quote", lines=[line()]) == "no_contact"
    assert shop.run("orders.mine", {}) == []


def test_what_is_no_order_is_a_fault_of_the_flow(shop: Desk) -> None:
    with pytest.raises(TurnError, match=r"orders\.quote: lines: Input should be a valid list"):
        shop.run("orders.quote", {"lines": "cement"})


def test_a_conversation_has_one_draft(shop: Desk) -> None:
    first = quote(shop, line())
    assert quote(shop, line())["id"] != first["id"]
    conversation = ConversationRow(
        channel="console",
        sender="",
        contact_id=ASHA.id,
        flow="order",
        version=0,
        counter=0,
        positions=0,
        created_at=shop.clock.now(),
    )
    shop.session.add(conversation)
    shop.session.flush()
    shop.conversation_id = conversation.id
    draft = quote(shop, line(), line("SND"))
    again = quote(shop, line(quantity="5"))
    assert (again["id"], len(again["lines"]), again["subtotal"]) == (draft["id"], 1, inr("1700.00"))
    kept = select(func.count()).select_from(OrderLineRow).where(OrderLineRow.order_id == draft["id"])
    assert shop.session.scalar(kept) == 1
    shop.run("orders.confirm", {"order": draft["id"]})
    assert quote(shop, line())["id"] != draft["id"]


def test_confirming_gives_a_number_and_tells_the_others_once(shop: Desk) -> None:
    draft = quote(shop, line())
    order = shop.run("orders.confirm", {"order": draft["id"]})
    shop.clock.pass_(hours=1)
    assert shop.run("orders.confirm", {"order": draft["id"]}) == order
    assert (order["number"], order["status"], order["total"]) == ("SO-1", "confirmed", draft["total"])
    assert shop.emitted == [
        (
            "orders.confirmed",
            {
                "order_id": draft["id"],
                "number": "SO-1",
                "contact_id": ASHA.id,
                "conversation_id": None,
                "total": inr("40120.00"),
            },
        )
    ]
    assert shop.run("orders.confirm", {"order": quote(shop, line())["id"]})["number"] == "SO-2"


def test_orders_of_others_do_not_exist(shop: Desk) -> None:
    mine = quote(shop, line())
    shop.run("orders.confirm", {"order": mine["id"]})
    shop.contact = RAVI
    for command in ("orders.confirm", "orders.get", "orders.cancel"):
        assert refusal(shop, command, order=mine["id"]) == "unknown_order"
    assert refusal(shop, "orders.get", number="SO-1") == "unknown_order"
    assert refusal(shop, "orders.get") == "unknown_order"
    assert refusal(shop, "orders.get", order=99) == "unknown_order"
    shop.contact = None  # the shop's own staff
    assert shop.run("orders.get", {"number": " so-1 "})["id"] == mine["id"]


def test_a_cancelled_order_stays_cancelled(shop: Desk) -> None:
    draft = quote(shop, line())
    for _ in range(2):
        assert shop.run("orders.cancel", {"order": draft["id"]})["status"] == "cancelled"
    assert [name for name, _ in shop.emitted] == ["orders.cancelled"]
    assert refusal(shop, "orders.confirm", order=draft["id"]) == "order_cancelled"


def test_a_contact_sees_its_orders_the_newest_first(shop: Desk) -> None:
    for count in ("1", "2", "3"):
        shop.run("orders.confirm", {"order": quote(shop, line(quantity=count))["id"]})
    quote(shop, line())
    mine = shop.run("orders.mine", {"limit": 2})
    assert [(x["number"], x["lines"], x["total"]) for x in mine] == [
        ("SO-3", 1, inr("1203.60")),
        ("SO-2", 1, inr("802.40")),
    ]
    shop.contact = RAVI
    assert shop.run("orders.mine", {}) == []


def test_an_order_is_read_back_as_it_was_written(shop: Desk) -> None:
    draft = quote(shop, line(quantity="2.500"))
    shop.session.flush()
    shop.session.expire_all()
    assert shop.run("orders.get", {"order": draft["id"]}) == draft
    row = shop.session.get_one(OrderRow, draft["id"])
    assert row.created_at == shop.clock.now()
    assert isinstance(OrderRow.__table__.c.created_at.type, UtcDateTime)


def test_settings_know_the_codes_of_states() -> None:
    with pytest.raises(ValueError, match='"MH" is not the GST code of a state: Maharashtra is "27"'):
        OrdersSettings(gst_state="MH")


def test_the_migrations_make_the_declared_tables(database_url: str) -> None:
    database = migrated([orders.module], database_url)
    try:
        found = [diff for diff in differences(database, [orders.module]) if "orders" in str(diff)]
    finally:
        database.close()
    assert found == []
