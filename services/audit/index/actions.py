"""What can be asked of the trail. Reading it is itself an event, and so is being refused."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import BigInteger, Select, Text, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from services.audit.events import How, TrailViewed
from services.audit.index.model import Cursor, Filters, Row, cursor_of
from services.audit.index.tables import About, Indexed, Position
from shared.access.decide import Resource
from shared.http.paging import Page
from shared.work import Work

PAGE, PAGE_MAX = 50, 500
PURPOSE = "audit"
TRAIL = Resource("AuditTrail", "trail", {})
Ends = Mapping[str, int]  # shard -> the index of the first entry that is left out


async def search(w: Work, filters: Filters, cursor: str | None = None, limit: int = PAGE) -> Page[Row]:
    """A page of events, newest first. NotAllowedError for who may not read the trail."""
    decision = w.decide("search", TRAIL)
    found = await rows_after(w, filters, cursor_of(cursor) if cursor else None, limit + 1)
    items = [shown(one) for one in found[:limit]]
    seen(w, "search", filters, len(items), decision.policy_ids)
    return Page(items=items, next=cursor_at(found[limit - 1]).text() if len(found) > limit else None)


def seen(w: Work, how: How, filters: Filters, rows: int, decision: Sequence[str]) -> None:
    """Tell of the reading."""
    subject = filters.subject or None
    w.publish(TrailViewed(subject=subject, how=how, filters=filters.shown(), rows=rows, decision=list(decision)))


async def ends_now(w: Work) -> Ends:
    """How far the index goes at this moment. All rows before these ends are there, and none is added before them."""
    return {one.shard: one.next for one in await w.session.scalars(select(Position))}


async def rows_after(
    w: Work, filters: Filters, after: Cursor | None, limit: int, ends: Ends | None = None
) -> Sequence[Indexed]:
    """At most `limit` rows, newest first, older than `after`, before `ends`."""
    query = narrowed(select(Indexed), filters, ends)
    order = (About.time, About.shard, About.index) if filters.subject else (Indexed.time, Indexed.shard, Indexed.index)
    if after is not None:
        # The first says by itself which partitions to leave out; the second, where to begin.
        query = query.where(order[0] <= after.time, tuple_(*order) < tuple_(after.time, after.shard, after.index))
    return (await w.session.scalars(query.order_by(*(one.desc() for one in order)).limit(limit))).all()


async def counted(w: Work, filters: Filters, limit: int, ends: Ends | None = None) -> int:
    """How many rows there are before `ends`, counted up to `limit`."""
    inner = narrowed(select(Indexed.index), filters, ends).limit(limit).subquery()
    return int(await w.session.scalar(select(func.count()).select_from(inner)) or 0)


def narrowed(query: "Select[Any]", filters: Filters, ends: Ends | None = None) -> "Select[Any]":
    """The rows before `ends` that all filters let through; the same rule as `Filters.match`."""
    time = Indexed.time
    if (
        ends is not None
    ):  # one value, not a join: the rows still come in the order of their index, whatever the number of shards
        end = cast(cast(dict(ends), JSONB).op("->>", return_type=Text())(Indexed.shard), BigInteger)
        query = query.where(Indexed.index < end)
    if filters.subject:
        same = (About.time == Indexed.time) & (About.shard == Indexed.shard) & (About.index == Indexed.index)
        query, time = query.join(About, same).where(About.subject == filters.subject), About.time
    if filters.type.endswith("*"):
        # A range, since LIKE has no index in every collation.
        query = query.where(Indexed.type >= filters.type[:-1], Indexed.type < filters.type[:-1] + "\U0010ffff")
    elif filters.type:
        query = query.where(Indexed.type == filters.type)
    for column, value in ((Indexed.actor, filters.actor), (Indexed.purpose, filters.purpose), (Indexed.trace, filters.trace)):
        query = query.where(column == value) if value else query
    query = query.where(time >= filters.since) if filters.since else query
    query = query.where(time < filters.until) if filters.until else query
    return query.where(Indexed.look) if filters.looks else query


async def newest(w: Work, kinds: Sequence[str], limit: int) -> list[Row]:
    """The newest events of these types, for what the page says by itself."""
    found = [shown(one) for kind in kinds for one in await rows_after(w, Filters(type=kind), None, limit)]
    return sorted(found, key=lambda one: one.time, reverse=True)[:limit]


async def looks_at(w: Work, subject: str) -> list[Row]:
    """Every look at `subject`, oldest first, for the person themselves (through dsar): who, when, which fields, why."""
    query = narrowed(select(Indexed), Filters(subject=subject, looks=True))
    query = query.order_by(About.time, About.shard, About.index)
    return [shown(one) for one in (await w.session.scalars(query)).all()]


async def where(w: Work, ce_id: str, topics: Collection[str] = ()) -> tuple[str, int] | None:
    """(shard, index) of the first entry with this event id; of those on `topics`, where they are given."""
    query = (
        select(Indexed.shard, Indexed.index).where(Indexed.ce_id == ce_id).order_by(Indexed.time, Indexed.shard, Indexed.index)
    )
    if topics:
        query = query.where(func.split_part(func.split_part(Indexed.shard, "/", 1), "~", 1).in_(topics))
    row = (await w.session.execute(query.limit(1))).first() if ce_id else None
    return None if row is None else (row[0], row[1])


def shown(one: Indexed) -> Row:
    return Row.of(one.shard, one.index, one)


def cursor_at(one: Indexed) -> Cursor:
    return Cursor(one.time.astimezone(UTC), one.shard, one.index)
