import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.modules.desk import ASHA, RAVI, Desk, desk, migrated
from wabot.core.database import Database
from wabot.core.migrate import differences
from wabot.core.money import Money
from wabot.core.numbering import next_number
from wabot.engine.texts import Texts
from wabot.errors import RecordError, Rejected
from wabot.modules import invoices, orders
from wabot.modules.invoices.numbers import financial_year
from wabot.modules.invoices.settings import InvoicesSettings
from wabot.modules.invoices.tables import InvoiceCounterRow, InvoiceRow
from wabot.modules.orders.settings import OrdersSettings

MODULES = [orders.module, invoices.module]
LINE = {
    "sku": "CEM",
    "name": "Cement",
    "unit": "bag",
    "quantity": Decimal(100),
    "price": Money(Decimal("340.00"), "INR"),
    "tax_rate": Decimal(18),
    "hsn": "2523",
}


@pytest.fixture
def shop(database_url: str) -> Iterator[Desk]:
    with desk(
        MODULES,
        OrdersSettings(gst_state="27", round_off=True),
        InvoicesSettings(due_days=15),
        url=database_url,
    ) as call:
        yield call


def confirmed(shop: Desk, **other: Any) -> dict[str, Any]:
    draft = shop.run("orders.quote", {"lines": [LINE | other]})
    order: dict[str, Any] = shop.run("orders.confirm", {"order": draft["id"]})
    return order


def test_a_confirmed_order_has_an_invoice(shop: Desk) -> None:
    order = confirmed(shop)
    invoice = shop.run("invoices.get", {"order": order["id"]})
    assert invoice["number"] == "INV/25-26/00001"
    assert (invoice["order_number"], invoice["contact_name"]) == ("SO-1", "Asha")
    assert (invoice["issued_on"], invoice["due_on"]) == (date(2026, 1, 5), date(2026, 1, 20))
    for name in ("subtotal", "discount", "tax", "round_off", "total", "taxes", "lines", "place_of_supply"):
        assert invoice[name] == order[name]
    assert [name for name, _ in shop.emitted] == ["orders.confirmed", "invoices.issued"]


def test_the_same_order_has_the_same_invoice(shop: Desk) -> None:
    order = confirmed(shop)
    first = shop.run("invoices.issue", {"order": order["id"]})
    assert shop.run("invoices.issue", {"order": order["id"]}) == first
    shop.run("orders.confirm", {"order": order["id"]})
    assert shop.session.scalar(select(func.count()).select_from(InvoiceRow)) == 1


def test_numbers_count_within_the_financial_year_of_the_business(shop: Desk) -> None:
    numbers = []
    for moment in (
        datetime(2026, 3, 31, 18, 29, tzinfo=UTC),  # 23:59 in India
        datetime(2026, 3, 31, 18, 29, tzinfo=UTC),
        datetime(2026, 3, 31, 18, 30, tzinfo=UTC),  # 00:00 of the first of April
    ):
        shop.clock.time = moment
        numbers.append(shop.run("invoices.get", {"order": confirmed(shop)["id"]})["number"])
    assert numbers == ["INV/25-26/00001", "INV/25-26/00002", "INV/26-27/00001"]


@pytest.mark.parametrize(
    ("day", "begins", "year"),
    [
        (date(2026, 3, 31), 4, "25-26"),
        (date(2026, 4, 1), 4, "26-27"),
        (date(2026, 12, 31), 1, "2026"),
        (date(2099, 7, 1), 7, "99-00"),
    ],
)
def test_financial_years(day: date, begins: int, year: str) -> None:
    assert financial_year(day, begins) == year


def test_only_a_confirmed_order_of_the_contact_is_invoiced(shop: Desk) -> None:
    draft = shop.run("orders.quote", {"lines": [LINE]})
    codes = []
    for contact in (ASHA, RAVI):
        shop.contact = contact
        with pytest.raises(Rejected) as refused:
            shop.run("invoices.issue", {"order": draft["id"]})
        codes.append(refused.value.code)
    shop.contact = ASHA
    with pytest.raises(Rejected) as refused:
        shop.run("invoices.get", {"order": draft["id"]})
    assert [*codes, refused.value.code] == ["not_confirmed", "unknown_order", "no_invoice"]


def test_an_invoiced_order_can_not_be_cancelled(shop: Desk) -> None:
    order = confirmed(shop)
    with pytest.raises(Rejected, match="SO-1 has the invoice INV/25-26/00001") as refused:
        shop.run("orders.cancel", {"number": order["number"]})
    assert refused.value.code == "invoiced"
    draft = shop.run("orders.quote", {"lines": [LINE]})
    assert shop.run("orders.cancel", {"order": draft["id"]})["status"] == "cancelled"


def test_what_was_issued_never_changes(shop: Desk) -> None:
    confirmed(shop)
    row = shop.session.scalars(select(InvoiceRow)).one()
    row.total = Decimal("1.00")
    with pytest.raises(RecordError, match="can't be changed"):
        shop.session.flush()
    shop.session.rollback()


def test_the_contact_gets_the_invoice_in_the_texts_words(shop: Desk) -> None:
    shop.texts = Texts(
        {"en": {"invoice": {"text": "Invoice {{ invoice.number }}: {{ invoice.total | money }}"}}}
    )
    order = confirmed(shop)
    assert shop.sent == []  # no conversation, nothing to send to
    shop.run("invoices.send", {"order": order["id"]})
    assert [message.text for message in shop.sent] == ["Invoice INV/25-26/00001: ₹40,120.00"]


def test_confirming_in_a_conversation_sends_it_at_once(shop: Desk) -> None:
    assert InvoicesSettings().send
    shop.options = {**shop.options, InvoicesSettings: InvoicesSettings(series="A")}
    draft = shop.run("orders.quote", {"lines": [LINE | {"price": Money(Decimal("99.99"), "INR")}]})
    shop.conversation_id = 7
    shop.run("orders.confirm", {"order": draft["id"]})
    (message,) = shop.sent
    assert message.text == (
        "Invoice A/25-26/00001\nJan 5, 2026, due Jan 5, 2026\n\nCement × 100 bag: ₹9,999.00\n"
        "CGST 9%: ₹899.91\nSGST 9%: ₹899.91\nRound-off: ₹0.18\nTotal: ₹11,799.00"
    )


def test_sending_can_be_left_to_the_flow(shop: Desk) -> None:
    shop.options = {**shop.options, InvoicesSettings: InvoicesSettings(send=False)}
    draft = shop.run("orders.quote", {"lines": [LINE], "discount": Decimal(100)})
    shop.conversation_id = 7
    order = shop.run("orders.confirm", {"order": draft["id"]})
    assert shop.sent == []
    shop.contact = None
    shop.run("invoices.send", {"order": order["id"]})
    assert "Discount: -₹100.00" in shop.sent[0].text


def test_a_roll_back_leaves_no_gap(shared_url: str) -> None:
    database = migrated(MODULES, shared_url)
    try:
        given = []
        for keep in (True, False, True):
            with database.transaction() as session:
                given.append(take(session))
                if keep:
                    session.commit()
        assert given == [1, 2, 2]
    finally:
        database.close()


def take(session: Session, series: str = "INV") -> int:
    return next_number(session, InvoiceCounterRow, series=series, year="25-26")


def race(databases: list[Database], times: int) -> list[int]:
    """Numbers that as many threads as databases take, each `times` times, giving back every third."""
    start = threading.Barrier(len(databases))
    kept: list[int] = []

    def run(database: Database) -> None:
        start.wait()
        for turn in range(times):
            with database.transaction() as session:
                number = take(session)
                if turn % 3 != 2:
                    session.commit()
                    kept.append(number)

    threads = [threading.Thread(target=run, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(kept)


def test_connections_at_once_get_no_number_twice_and_leave_no_gap(shared_url: str) -> None:
    migrated(MODULES, shared_url).close()
    databases = [Database(shared_url) for _ in range(4)]
    try:
        assert race(databases, 15) == list(range(1, 41))
    finally:
        for database in databases:
            database.close()


def test_the_migrations_make_the_declared_tables(database_url: str) -> None:
    database = migrated(MODULES, database_url)
    try:
        found = [diff for diff in differences(database, MODULES) if "invoices" in str(diff)]
    finally:
        database.close()
    assert found == []
