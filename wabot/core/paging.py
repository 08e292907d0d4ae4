"""Long lists, page by page: the newest first, each page from where the last one ended."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

MOST = 200
LARGEST_ID = 2**63 - 1
"""What a column of 64 bits holds; a database refuses to compare it with more."""

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]

Item = TypeVar("Item")
Columns = TypeVar("Columns", bound=tuple[Any, ...])


class Paged(BaseModel):
    """Which page of a list is asked for."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    limit: int = Field(default=50, ge=1, le=MOST, description="How many items at most")
    after: Id | None = Field(default=None, description="Go on after this one: `next` of the page before")


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

    `query` has the row of `id` as its first column.
    """
    if paged.after is not None:
        query = query.where(id < paged.after)
    rows = session.execute(query.order_by(id.desc()).limit(paged.limit + 1)).all()
    wanted = rows[: paged.limit]
    last = wanted[-1][0].id if len(rows) > paged.limit else None
    return Page(items=[item(row) for row in wanted], next=last)
