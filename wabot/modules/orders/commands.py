"""What flows ask of orders."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from wabot.core.module import Call, plain
from wabot.core.money import Money
from wabot.core.numbering import next_number
from wabot.core.paging import Id
from wabot.errors import Rejected
from wabot.modules.orders import queries
from wabot.modules.orders.manifest import module
from wabot.modules.orders.pricing import Entry, PricedLine, entries, place, priced, taxes
from wabot.modules.orders.settings import OrdersSettings
from wabot.modules.orders.tables import OrderCounterRow, OrderLineRow, OrderRow, Status
from wabot.modules.orders.views import Brief, Order, as_brief, as_order


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Quote(Arguments):
    """`lines` as `catalog.match` gives them; `place_of_supply` is a GST state code; `discount` is an
    amount off the whole order, before tax."""

    lines: list[PricedLine]
    place_of_supply: str = ""
    discount: Decimal | Money | None = None


@module.command("quote")
def quote(arguments: Quote, call: Call) -> Order:
    """Price these lines, with tax and total, as the draft of an order; a conversation has one draft."""
    if call.contact is None:
        raise Rejected("an order needs a contact", code="no_contact")
    settings: OrdersSettings = call.settings(OrdersSettings)
    supply = place(arguments.place_of_supply, settings)
    lines = entries(arguments.lines, call.currency, settings.max_lines)
    result = priced(lines, call.currency, supply, arguments.discount, settings)
    row = queries.draft_of(call.session, call.contact.id, call.conversation_id) or OrderRow(
        contact_id=call.contact.id, conversation_id=call.conversation_id, status=Status.DRAFT
    )
    row.currency = call.currency
    row.place_of_supply = supply
    row.subtotal, row.discount = result.subtotal.amount, result.discount.amount
    row.taxes = plain(taxes(result))
    row.tax, row.round_off, row.total = result.tax.amount, result.round_off.amount, result.total.amount
    row.created_at = call.clock.now()
    row.lines = [_line(at, line) for at, line in enumerate(lines)]
    call.session.add(row)
    call.session.flush()
    return as_order(row)


class Confirm(Arguments):
    order: Id


@module.command("confirm")
def confirm(arguments: Confirm, call: Call) -> Order:
    """Make a draft an order with a number; a second time it is the same order. Emits `orders.confirmed`."""
    row = queries.order_of(call, arguments.order)
    if row.status == Status.CANCELLED:
        raise Rejected(f"the order {row.number or row.id} is cancelled", code="order_cancelled")
    if row.status == Status.DRAFT:
        settings: OrdersSettings = call.settings(OrdersSettings)
        sequence = next_number(call.session, OrderCounterRow, prefix=settings.prefix)
        row.number = f"{settings.prefix}{sequence}"
        row.status = Status.CONFIRMED
        row.confirmed_at = call.clock.now()
        call.session.flush()
        call.emit("orders.confirmed", _told(row))
    return as_order(row)


class Which(Arguments):
    """An order by its id or by its number."""

    order: Id | None = None
    number: str | None = None


@module.command("get")
def get(arguments: Which, call: Call) -> Order:
    """One order, by `order` (its id) or `number`."""
    return as_order(queries.order_of(call, arguments.order, arguments.number))


@module.command("cancel")
def cancel(arguments: Which, call: Call) -> Order:
    """Cancel an order; a second time nothing happens. Emits `orders.cancelled`, where others may refuse."""
    row = queries.order_of(call, arguments.order, arguments.number)
    if row.status != Status.CANCELLED:
        row.status = Status.CANCELLED
        row.cancelled_at = call.clock.now()
        call.session.flush()
        call.emit("orders.cancelled", _told(row))
    return as_order(row)


class Mine(Arguments):
    limit: int = Field(default=5, ge=1, le=10)


@module.command("mine")
def mine(arguments: Mine, call: Call) -> list[Brief]:
    """The contact's orders, the newest first, without drafts."""
    if call.contact is None:
        return []
    return [as_brief(row) for row in queries.orders_of(call.session, call.contact.id, arguments.limit)]


def _told(row: OrderRow) -> dict[str, object]:
    return {
        "order_id": row.id,
        "number": row.number,
        "contact_id": row.contact_id,
        "conversation_id": row.conversation_id,
        "total": Money(row.total, row.currency),
    }


def _line(position: int, line: Entry) -> OrderLineRow:
    return OrderLineRow(position=position, **line.model_dump(exclude={"net"}), net=line.net.amount)
