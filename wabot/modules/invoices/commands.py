"""Invoices for confirmed orders."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from wabot.core.messages import Outbound
from wabot.core.module import Call
from wabot.core.numbering import next_number
from wabot.core.paging import Id
from wabot.core.tables import ContactRow
from wabot.errors import Rejected
from wabot.modules.invoices.manifest import module
from wabot.modules.invoices.numbers import financial_year, number
from wabot.modules.invoices.settings import InvoicesSettings
from wabot.modules.invoices.tables import InvoiceCounterRow, InvoiceLineRow, InvoiceRow, InvoiceTaxRow
from wabot.modules.invoices.views import Invoice, as_invoice
from wabot.modules.invoices.wording import wording


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OfOrder(Arguments):
    """`order` is the order's id."""

    order: Id


@module.command("issue")
def issue(arguments: OfOrder, call: Call) -> Invoice:
    """Give a confirmed order its invoice; a second time it is the same one. Emits `invoices.issued`."""
    order = call.run("orders.get", {"order": arguments.order})
    issued = _of_order(call, arguments.order)
    if issued:
        return as_invoice(issued)
    if order["status"] != "confirmed":
        raise Rejected(f"the order {order['number'] or order['id']} is not confirmed", code="not_confirmed")
    row = _issued(order, call)
    call.session.add(row)
    call.session.flush()
    call.emit(
        "invoices.issued",
        {"invoice_id": row.id, "number": row.number, "order_id": row.order_id, "contact_id": row.contact_id},
    )
    return as_invoice(row)


@module.command("get")
def get(arguments: OfOrder, call: Call) -> Invoice:
    """The invoice of an order. Rejected with `no_invoice` where it has none yet."""
    call.run("orders.get", {"order": arguments.order})
    row = _of_order(call, arguments.order)
    if row is None:
        raise Rejected(f"the order {arguments.order} has no invoice", code="no_invoice")
    return as_invoice(row)


@module.command("send")
def send(arguments: OfOrder, call: Call) -> Invoice:
    """Send the contact the invoice of an order."""
    invoice: Invoice = get(arguments, call)
    settings: InvoicesSettings = call.settings(InvoicesSettings)
    call.send(Outbound(text=wording(invoice, settings.text, call)))
    return invoice


@module.on("orders.confirmed")
def issue_and_send(order: Mapping[str, Any], call: Call) -> None:
    arguments = OfOrder(order=order["order_id"])
    issue(arguments, call)
    settings: InvoicesSettings = call.settings(InvoicesSettings)
    if settings.send and call.conversation_id is not None:
        send(arguments, call)


@module.on("orders.cancelled")
def keep_what_is_invoiced(order: Mapping[str, Any], call: Call) -> None:
    row = _of_order(call, order["order_id"])
    if row:
        raise Rejected(f"the order {order['number']} has the invoice {row.number}", code="invoiced")


def _of_order(call: Call, order_id: int) -> InvoiceRow | None:
    return call.session.scalars(select(InvoiceRow).where(InvoiceRow.order_id == order_id)).one_or_none()


def _issued(order: Mapping[str, Any], call: Call) -> InvoiceRow:
    settings: InvoicesSettings = call.settings(InvoicesSettings)
    today = call.today
    year = financial_year(today, settings.year_begins)
    sequence = next_number(call.session, InvoiceCounterRow, series=settings.series, year=year)
    amounts = {name: order[name].amount for name in ("subtotal", "discount", "tax", "round_off", "total")}
    return InvoiceRow(
        number=number(settings.series, year, sequence),
        series=settings.series,
        year=year,
        sequence=sequence,
        order_id=order["id"],
        order_number=order["number"],
        contact_id=order["contact_id"],
        contact_name=call.session.get_one(ContactRow, order["contact_id"]).name,
        currency=order["total"].currency,
        place_of_supply=order["place_of_supply"],
        issued_on=today,
        due_on=today + timedelta(days=settings.due_days),
        created_at=call.clock.now(),
        lines=[_line(at, line) for at, line in enumerate(order["lines"])],
        taxes=[_tax(at, part) for at, part in enumerate(order["taxes"])],
        **amounts,
    )


def _line(position: int, line: Mapping[str, Any]) -> InvoiceLineRow:
    same = {name: line[name] for name in ("sku", "name", "unit", "quantity", "tax_rate", "hsn")}
    return InvoiceLineRow(position=position, price=line["price"].amount, net=line["net"].amount, **same)


def _tax(position: int, part: Mapping[str, Any]) -> InvoiceTaxRow:
    return InvoiceTaxRow(
        position=position,
        name=part["name"],
        rate=part["rate"],
        net=part["net"].amount,
        amount=part["amount"].amount,
    )
