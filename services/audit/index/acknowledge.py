"""Alarms as the index has them, and what people said to them; both derived from the log, and rebuilt with it."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from psycopg import AsyncConnection, sql
from pydantic_core import to_json
from sqlalchemy import Select, and_, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from services.audit.events import AlarmAcknowledged
from services.audit.index.actions import TRAIL, cursor_at
from services.audit.index.alarms import (
    DSARS,
    OWN,
    RAISED,
    REFUSED,
    Acknowledgement,
    Alarm,
    acknowledged_by,
    checked,
    is_own,
    said_of,
)
from services.audit.index.facts import Facts
from services.audit.index.model import cursor_of
from services.audit.index.tables import Acknowledged, Indexed
from shared.errors import ConflictError
from shared.http.paging import Page
from shared.work import Work


def _alarms() -> "Select[Indexed, Acknowledged]":
    """Every alarm that audit or dsar itself raised, with what was said to it."""
    query = select(Indexed, Acknowledged).outerjoin(Acknowledged, Acknowledged.alarm == Indexed.ce_id)
    return query.where(
        or_(
            and_(Indexed.type == RAISED, Indexed.shard.regexp_match(OWN)),
            and_(Indexed.type == REFUSED, Indexed.shard.regexp_match(DSARS)),
        )
    )


async def listed(w: Work, lang: str, *, everything: bool = False, cursor: str = "", limit: int = 50) -> Page[Alarm]:
    """Open alarms, newest first; `everything`: those too that were acknowledged."""
    w.decide("alarms", TRAIL)
    query = _alarms()
    if not everything:
        query = query.where(Acknowledged.alarm.is_(None))
    order = (Indexed.time, Indexed.shard, Indexed.index)
    if cursor:
        after = cursor_of(cursor)
        query = query.where(Indexed.time <= after.time, tuple_(*order) < tuple_(after.time, after.shard, after.index))
    found = (await w.session.execute(query.order_by(*(one.desc() for one in order)).limit(limit + 1))).all()
    items = [_shown(row, said, lang) for row, said in found[:limit]]
    return Page(items=items, next=cursor_at(found[limit - 1][0]).text() if len(found) > limit else None)


async def open_count(w: Work) -> int:
    """How many nobody has acknowledged."""
    inner = _alarms().where(Acknowledged.alarm.is_(None)).subquery()
    return int(await w.session.scalar(select(func.count()).select_from(inner)) or 0)


async def acknowledge(w: Work, alarm: str, reason: str, reference: str, lang: str = "en") -> Alarm:
    """Somebody has seen to it, and says so in an event. Once: ConflictError the second time."""
    w.decide("acknowledge", TRAIL)
    why, ticket = checked(reason, reference)
    row = (await w.session.execute(_alarms().where(Indexed.ce_id == alarm).limit(1))).first() if alarm else None
    if row is None:
        raise w.unknown("acknowledge", TRAIL)
    said = {"alarm": alarm, "at": w.now, "by": w.actor.id, "reason": why, "reference": ticket}
    # Here at once, so that nobody does it twice; the event brings the same when the index is rebuilt.
    done = insert(Acknowledged).values(**said).on_conflict_do_nothing().returning(Acknowledged.alarm)
    if (await w.session.execute(done)).first() is None:
        raise ConflictError("this alarm was acknowledged already")
    shown = _shown(row[0], None, lang)
    w.publish(AlarmAcknowledged(alarm=alarm, kind=shown.kind, shard=_text(row[0], "shard"), reason=why, reference=ticket))
    return shown.model_copy(
        update={"acknowledged": Acknowledgement(by=w.actor.id, at=w.now.isoformat(), reason=why, reference=ticket)}
    )


def _shown(row: Indexed, said: Acknowledged | None, lang: str) -> Alarm:
    kind = _text(row, "kind") or _text(row, "reason")
    words = said_of(kind, lang)
    return Alarm(
        id=row.ce_id,
        raised=row.time.astimezone(UTC).isoformat(),
        kind=kind,
        where=_where(row),
        says=words.says,
        what_to_do=words.do,
        acknowledged=None
        if said is None
        else Acknowledgement(by=said.by, at=said.at.astimezone(UTC).isoformat(), reason=said.reason, reference=said.reference),
    )


def _text(row: Indexed, name: str) -> str:
    return str(row.detail.get(name, ""))


def _where(row: Indexed) -> str:
    if row.type == REFUSED:
        return f"{_text(row, 'holder')} {_text(row, 'request_id')}".strip()
    return f"{_text(row, 'shard')} {_text(row, 'first')}–{_text(row, 'last')}"


# -- from the log -----------------------------------------------------------------------------------------------


def said(shard: str, facts: Iterable[Facts]) -> str:
    """What `learn` takes of a batch, as JSON; empty without any. Other topics' words on our alarms are nobody's."""
    found = [one for one in map(acknowledged_by, facts) if one is not None] if is_own(shard) else []
    return to_json(found).decode() if found else ""


async def learn(connection: AsyncConnection[Any], schema: str, said: str) -> None:
    """Make it so, in the caller's transaction; the first word on an alarm counts."""
    statement = sql.SQL(
        "INSERT INTO {} (alarm, at, by, reason, reference)"
        " SELECT one->>0, (one->>1)::timestamptz, one->>2, one->>3, one->>4 FROM json_array_elements(%(said)s::json) one"
        " ON CONFLICT DO NOTHING"
    ).format(sql.Identifier(schema, "acknowledged"))
    await connection.execute(statement, {"said": said})
