"""What programs ask of invoices: the HTTP API's `invoices` and `invoices/{id}`."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from wabot.core.module import Call
from wabot.core.paging import Day, Id, Page, Paged, Phone, page
from wabot.core.tables import ContactRow
from wabot.errors import NotFound
from wabot.modules.invoices.manifest import module
from wabot.modules.invoices.tables import InvoiceRow
from wabot.modules.invoices.views import Invoice, InvoiceSummary, as_invoice, as_listed


class Due(StrEnum):
    """Where today, in the business's time zone, is before an invoice's due date or after it."""

    NOT_YET = "not_yet"
    PAST = "past"


class OneInvoice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Id


class Invoices(Paged):
    """`from` and `to` are of the day of issue."""

    status: Due | None = Field(default=None, description="whether the day on which it is due is past")
    phone: Phone | None = None
    order: Id | None = Field(default=None, description="the order's id")
    from_: Day | None = Field(default=None, alias="from", description="issued on this day or later")
    to: Day | None = Field(default=None, description="issued on this day or earlier")


@module.query("get", path="invoices/{id}")
def get(arguments: OneInvoice, call: Call) -> Invoice:
    """One invoice with its lines and tax."""
    row = call.session.get(InvoiceRow, arguments.id)
    if row is None or (call.contact and row.contact_id != call.contact.id):
        raise NotFound(f"there is no invoice {arguments.id}")
    return as_invoice(row)


@module.query("list", path="invoices")
def list_invoices(arguments: Invoices, call: Call) -> Page[InvoiceSummary]:
    """Invoices, the newest first."""
    query = select(InvoiceRow, ContactRow.phone).join(ContactRow, ContactRow.id == InvoiceRow.contact_id)
    if call.contact:
        query = query.where(InvoiceRow.contact_id == call.contact.id)
    if arguments.status is not None:
        past = InvoiceRow.due_on < call.today
        query = query.where(past if arguments.status is Due.PAST else ~past)
    if arguments.phone is not None:
        query = query.where(ContactRow.phone == arguments.phone)
    if arguments.order is not None:
        query = query.where(InvoiceRow.order_id == arguments.order)
    if arguments.from_ is not None:
        query = query.where(InvoiceRow.issued_on >= arguments.from_)
    if arguments.to is not None:
        query = query.where(InvoiceRow.issued_on <= arguments.to)
    return page(call.session, query, InvoiceRow.id, arguments, lambda row: as_listed(row[0], row[1]))
