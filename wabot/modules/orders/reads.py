"""What programs ask of orders: the HTTP API's `orders` and `orders/{id}`."""

from datetime import datetime, time, timedelta

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from wabot.core.module import Call
from wabot.core.paging import Day, Id, Page, Paged, Phone, page
from wabot.core.tables import ContactRow
from wabot.errors import NotFound
from wabot.modules.orders.manifest import module
from wabot.modules.orders.tables import OrderRow, Status
from wabot.modules.orders.views import Order, OrderSummary, as_brief, as_order


class OneOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Id


class Orders(Paged):
    """Days are the business's; an order's is the one on which it was written."""

    status: Status | None = Field(default=None, description="without it all but drafts")
    phone: Phone | None = None
    from_: Day | None = Field(default=None, alias="from", description="on this day or later")
    to: Day | None = Field(default=None, description="on this day or earlier")


@module.query("get", path="orders/{id}")
def get(arguments: OneOrder, call: Call) -> Order:
    """One order with its lines and tax."""
    row = call.session.get(OrderRow, arguments.id)
    if row is None or (call.contact and row.contact_id != call.contact.id):
        raise NotFound(f"there is no order {arguments.id}")
    return as_order(row)


@module.query("list", path="orders")
def list_orders(arguments: Orders, call: Call) -> Page[OrderSummary]:
    """Orders, the newest first."""
    query = select(OrderRow, ContactRow.phone).join(ContactRow, ContactRow.id == OrderRow.contact_id)
    wanted = OrderRow.status == arguments.status if arguments.status else OrderRow.status != Status.DRAFT
    query = query.where(wanted).options(selectinload(OrderRow.lines))
    if call.contact:
        query = query.where(OrderRow.contact_id == call.contact.id)
    if arguments.phone is not None:
        query = query.where(ContactRow.phone == arguments.phone)
    if arguments.from_ is not None:
        query = query.where(OrderRow.created_at >= _begin(arguments.from_, call))
    if arguments.to is not None:
        query = query.where(OrderRow.created_at < _begin(arguments.to + timedelta(days=1), call))
    return page(call.session, query, OrderRow.id, arguments, lambda row: _listed(row[0], row[1]))


def _begin(day: Day, call: Call) -> datetime:
    return datetime.combine(day, time(), call.zone)


def _listed(row: OrderRow, phone: str) -> OrderSummary:
    brief = as_brief(row)
    return OrderSummary(**dict(brief), contact_id=row.contact_id, phone=phone, created_at=row.created_at)
