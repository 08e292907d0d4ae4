"""Reads of orders."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from wabot.core.database import lock
from wabot.core.module import Call
from wabot.errors import Rejected
from wabot.modules.orders.tables import OrderRow, Status


def order_of(call: Call, id: int | None, number: str | None = None) -> OrderRow:
    """The order with this id or number, locked. To a contact only the orders of its own exist.

    Rejected with `unknown_order` where there is none.
    """
    if id is None and number:
        id = call.session.scalar(select(OrderRow.id).where(OrderRow.number == number.strip().upper()))
    row = lock(call.session, OrderRow, id) if id is not None else None
    if row is None or (call.contact and row.contact_id != call.contact.id):
        raise Rejected(f"there is no order {number or id}", code="unknown_order")
    return row


def draft_of(session: Session, contact_id: int, conversation_id: int | None) -> OrderRow | None:
    """The draft that a conversation is about: there is at most one."""
    if conversation_id is None:
        return None
    return session.scalars(
        select(OrderRow).where(
            OrderRow.contact_id == contact_id,
            OrderRow.status == Status.DRAFT,
            OrderRow.conversation_id == conversation_id,
        )
    ).first()


def orders_of(session: Session, contact_id: int, limit: int) -> list[OrderRow]:
    """A contact's orders without drafts, the newest first."""
    return list(
        session.scalars(
            select(OrderRow)
            .where(OrderRow.contact_id == contact_id, OrderRow.status != Status.DRAFT)
            .order_by(OrderRow.id.desc())
            .limit(limit)
        )
    )
