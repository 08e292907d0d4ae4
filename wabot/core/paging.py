"""Long lists: page by page, the newest first, and the types of what they are filtered by."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Row, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

MOST = 200
LARGEST_ID = 2**63 - 1
"""What a column of 64 bits holds; a database refuses to compare it with more."""

Item = TypeVar("Item")


def _with_plus(value: object) -> object:
    """A `+` that nobody wrote as `%2B` comes out of a URL as a blank."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return f"+{text}" if text.isascii() and text.isdigit() else text


def _in_time(value: datetime) -> datetime:
    if not 1970 <= value.year <= 9998:
        raise ValueError("the year must be between 1970 and 9998")
    return value.astimezone(UTC)


def _in_calendar(value: date) -> date:
    if not 1970 <= value.year <= 9998:
        raise ValueError("the year must be between 1970 and 9998")
    return value


Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Phone = Annotated[
    str,
    BeforeValidator(_with_plus),
    Field(
        min_length=1,
        max_length=64,
        description="E.164: +919876543210",
        json_schema_extra={"example": "+919876543210"},
    ),
]
Moment = Annotated[
    AwareDatetime, AfterValidator(_in_time), Field(json_schema_extra={"example": "2026-11-22T10:00:00Z"})
]
Day = Annotated[date, AfterValidator(_in_calendar), Field(json_schema_extra={"example": "2026-11-22"})]


class Paged(BaseModel):
    """Which page of a list is asked for."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    limit: int = Field(default=50, ge=1, le=MOST, description="how many items at most")
    after: Id | None = Field(default=None, description="go on after this one: `next` of the page before")


class Page(BaseModel, Generic[Item]):
    """`next` is the `after` of the next page; null on the last one."""

    items: list[Item]
    next: int | None = None


def page(
    session: Session,
    query: Select[*tuple[Any, ...]],
    id: InstrumentedAttribute[int],
    paged: Paged,
    item: Callable[[Row[*tuple[Any, ...]]], Item],
) -> Page[Item]:
    """The rows of `query` that are wanted, the greatest `id` first, each as `item` makes it.

    The first column of `query` is the entity that `id` is of.
    """
    if paged.after is not None:
        query = query.where(id < paged.after)
    rows = session.execute(query.order_by(id.desc()).limit(paged.limit + 1)).all()
    wanted = rows[: paged.limit]
    last = wanted[-1][0].id if len(rows) > paged.limit else None
    return Page(items=[item(row) for row in wanted], next=last)
