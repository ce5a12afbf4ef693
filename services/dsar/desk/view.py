"""What the desk shows of a request: right, state, dates, who is late. No address, no subject, no answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from services.dsar.law.book import Book
from services.dsar.law.model import last_day
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.claims import claims_of
from services.dsar.saga.tables import Ask
from shared.access.decide import Resource
from shared.paging import newest_first
from shared.work import Work

ROWS_MAX = 200  # rows on the page: the desk is for what is open; older ones are in the log


@dataclass(frozen=True)
class Row:
    id: str
    right: str
    state: str
    outcome: str
    law: str
    article: str
    received: datetime
    due: date
    days_left: int
    late: bool
    waiting: tuple[str, ...]
    may_extend: bool
    unclear: bool


DESK = Resource("RequestDesk", "desk", {})
DONE = (State.ANSWERED, State.DELIVERED, State.REFUSED, State.CLOSED)


async def rows(w: Work, book: Book) -> list[Row]:
    """Open requests first, the nearest deadline on top."""
    w.decide("view", DESK)
    closed = DataRequest.state.in_(DONE)
    query = select(DataRequest).order_by(closed, DataRequest.due_at).limit(ROWS_MAX)
    return await _rows(w, book, (await w.session.scalars(query)).all())


async def listed(w: Work, book: Book, *, cursor: str, limit: int) -> tuple[list[Row], str | None]:
    """One page of requests, newest first, and the cursor of the next."""
    w.decide("view", DESK)
    found, after = await newest_first(w.session, select(DataRequest), DataRequest.id, cursor=cursor, limit=limit)
    return await _rows(w, book, found), after


async def _rows(w: Work, book: Book, found: Sequence[DataRequest]) -> list[Row]:
    owing: dict[str, set[str]] = {}
    asks = await w.session.scalars(select(Ask).where(Ask.request_id.in_([r.id for r in found]), Ask.answered_at.is_(None)))
    for ask in asks.all():
        owing.setdefault(ask.request_id, set()).add(ask.holder)
    return [_row(one, w.now, owing.get(one.id, set()), book.of(one.law, one.received_at).calendar.zone) for one in found]


def _people(one: DataRequest) -> list[str]:
    """Which people it waits for: not all that is late is a system's doing."""
    return ["the person"] if one.unclear else ["two approvers"] if one.state == State.ASSESSED else []


def _row(one: DataRequest, now: datetime, owing: set[str], zone: str) -> Row:
    still_open = one.state not in DONE
    return Row(
        id=one.id,
        right=one.right,
        state=one.state,
        outcome=one.outcome or "",
        law=one.law,
        article=one.article,
        received=one.received_at,
        due=last_day(one.due_at, zone),
        days_left=(one.due_at - now).days,
        late=still_open and now >= one.due_at,
        waiting=tuple(sorted({*owing, *_people(one)})) if still_open else (),
        may_extend=still_open and one.extended_at is None and one.latest_at is not None and now < one.due_at,
        unclear=one.unclear,
    )


@dataclass(frozen=True)
class Record:
    """One of those that share an address: its pseudonym, whether it is covered, and who proposed it on what evidence."""

    subject: str
    covered: bool
    proposed: bool
    mine: bool
    evidence: str


async def records(w: Work, request: DataRequest) -> list[Record]:
    """What two people decide on. Pseudonyms: what stands on a record is read where records are, for that purpose."""
    claims = {one.subject: one for one in await claims_of(w, request.id)}
    found = []
    for subject in sorted(request.candidates):
        claim = claims.get(subject)
        found.append(
            Record(
                subject=subject,
                covered=subject in request.subjects,
                proposed=claim is not None and subject not in request.subjects,
                mine=claim is not None and w.actor.id in claim.staff,
                evidence=(claim.evidence or "") if claim else "",
            )
        )
    return found
