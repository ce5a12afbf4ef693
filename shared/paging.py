"""Pages of a list. A cursor is the id of the last thing shown: ids sort by time (UUIDv7), so a page is a range of ids. What
is made or removed meanwhile moves nothing, and a page costs the same wherever it lies."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

PAGE_ROWS = 100
PAGE_ROWS_MAX = 200  # one answer; also one look and one event where it holds personal data

T = TypeVar("T")


def cut(rows: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """A page of `rows`, of which one more than `limit` was asked for: (the page, whether there are more)."""
    return rows[:limit], len(rows) > limit


async def newest_first(
    session: AsyncSession, query: "Select[T]", id_: InstrumentedAttribute[str], *, cursor: str = "", limit: int = PAGE_ROWS
) -> tuple[Sequence[T], str | None]:
    """One page of `query`, and the cursor of the next."""
    if cursor:
        query = query.where(id_ < cursor)
    page, more = cut((await session.scalars(query.order_by(id_.desc()).limit(limit + 1))).all(), limit)
    last: Any = page[-1] if page else None
    return page, str(getattr(last, id_.key)) if more else None
