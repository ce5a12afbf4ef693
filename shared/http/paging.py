"""Lists, alike everywhere: `?limit=&cursor=`, answered with `items` and the `next` cursor (shared/paging.py)."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from shared.paging import PAGE_ROWS_MAX

T = TypeVar("T")

Cursor = Annotated[str, Query(pattern=r"^([a-z]{3}_[0-9a-f]{32})?$", description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX, description="how many on one page")]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="the `cursor` of the next page; null when this was the last")
