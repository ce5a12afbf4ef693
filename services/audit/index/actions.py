"""What can be asked of the trail. Reading it is itself an event."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_

from services.audit.events import TrailViewed
from services.audit.index.model import VIEWED
from services.audit.index.tables import About, Indexed
from shared.access.decide import Resource
from shared.errors import MalformedError
from shared.work import Work

PAGE = 50
TRAIL = Resource("AuditTrail", "trail", {})


@dataclass(frozen=True)
class Filters:
    """All that are given must hold. `looks`: only readings of personal data."""

    subject: str = ""
    actor: str = ""
    type: str = ""
    looks: bool = False

    def shown(self) -> dict[str, str]:
        return {n: str(v) for n, v in vars(self).items() if v}


@dataclass(frozen=True)
class Page:
    rows: list[dict[str, Any]]
    cursor: str | None


async def search(w: Work, filters: Filters, cursor: str | None = None) -> Page:
    """A page of events, newest first. NotAllowedError for who may not read the trail."""
    decision = w.decide("search", TRAIL)
    query = select(Indexed).order_by(Indexed.time.desc(), Indexed.shard, Indexed.index).limit(PAGE + 1)
    if filters.subject:
        query = query.join(About, (About.shard == Indexed.shard) & (About.index == Indexed.index))
        query = query.where(About.subject == filters.subject)
    if filters.actor:
        query = query.where(Indexed.actor == filters.actor)
    if filters.type:
        query = query.where(Indexed.type == filters.type)
    if filters.looks:
        query = query.where(Indexed.type.contains(VIEWED, autoescape=True))
    if cursor:
        at, shard, index = _parsed(cursor)
        after = tuple_(Indexed.shard, Indexed.index) > tuple_(shard, index)
        query = query.where((Indexed.time < at) | ((Indexed.time == at) & after))
    found = list((await w.session.scalars(query)).all())
    rows = [_row(one) for one in found[:PAGE]]
    subject = filters.subject or None
    w.publish(TrailViewed(subject=subject, filters=filters.shown(), rows=len(rows), decision=list(decision.policy_ids)))
    return Page(rows, _cursor(found[PAGE - 1]) if len(found) > PAGE else None)


async def looks_at(w: Work, subject: str) -> list[dict[str, Any]]:
    """Every look at `subject`, for the person themselves (through dsar): who, when, which fields, why."""
    query = (
        select(Indexed)
        .join(About, (About.shard == Indexed.shard) & (About.index == Indexed.index))
        .where(About.subject == subject, Indexed.type.contains(VIEWED, autoescape=True))
        .order_by(Indexed.time)
    )
    return [_row(one) for one in (await w.session.scalars(query)).all()]


def _row(one: Indexed) -> dict[str, Any]:
    return {
        "id": one.ce_id,
        "type": one.type,
        "actor": one.actor,
        "subject": one.subject or None,
        "time": one.time.isoformat(),
        "trace": one.trace or None,
        "shard": one.shard,
        "index": one.index,
        **one.detail,
    }


def _cursor(one: Indexed) -> str:
    return base64.urlsafe_b64encode(json.dumps([one.time.isoformat(), one.shard, one.index]).encode()).decode()


def _parsed(cursor: str) -> tuple[datetime, str, int]:
    try:
        at, shard, index = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return datetime.fromisoformat(at), str(shard), int(index)
    except (ValueError, TypeError):
        raise MalformedError("not a cursor of this list") from None
