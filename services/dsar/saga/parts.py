"""The parts of what a holder has on a person. Each is opened when it comes: one that cannot be read is no answer, and is never
found out by the person who opens the package. And a holder that answers too much, by mistake or on purpose, fills neither our
disk nor our memory: nothing of that answer is kept, and the request goes on as if it had not come."""

import asyncio

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from services.dsar.packages.actions import opened, private_key_of
from services.dsar.requests.tables import DataRequest, Part
from shared.errors import MalformedError
from shared.holder.bounds import check_part
from shared.holder.contract import Collected
from shared.work import Work

PARTS_MAX = 256  # of one holder for one request: of full ones (PART_BYTES_MAX), BYTES_MAX are fewer
# Sealed, of one holder for one request. A package is opened and packed in memory: of five holders that is 160 MiB at the most,
# and 24 MiB of JSON are some fifty thousand entries, more than anyone reads. Who holds more hands it over by another way.
BYTES_MAX = 32 * 1024 * 1024


class TooMuchError(MalformedError):
    """More than PARTS_MAX or BYTES_MAX."""

    code = "too-much"


async def take(w: Work, request: DataRequest, holder: str, said: Collected) -> bool:
    """Keep one part; whether all parts of this answer are there now. TooMuchError; TamperError or MalformedError: it cannot be
    read, or not be shown (shared/holder/bounds.py), and nothing is kept."""
    (subject,) = said.subjects
    if said.part > said.parts:
        raise MalformedError("a part behind the last one")
    await _bounded(w, request, holder, said)
    await asyncio.to_thread(_check, said.sealed, holder, await private_key_of(w, request))
    # Asked again, a holder may have more by then, or less: parts of two answers are not mixed.
    await w.session.execute(delete(Part).where(*_of(request, holder, subject), Part.parts != said.parts))
    row = insert(Part).values(
        request_id=request.id, holder=holder, subject=subject, part=said.part, parts=said.parts, sealed=said.sealed
    )
    await w.session.execute(row.on_conflict_do_nothing())
    there = await w.session.scalars(select(Part.part).where(*_of(request, holder, subject)))
    return len(there.all()) >= said.parts


def _check(sealed: str, holder: str, private_key: str) -> None:
    check_part(opened(sealed, holder, private_key).categories)


async def drop(w: Work, request: DataRequest, holder: str, subject: str) -> None:
    """Nothing of what `holder` answered about `subject` is kept."""
    await w.session.execute(delete(Part).where(*_of(request, holder, subject)))


async def _bounded(w: Work, request: DataRequest, holder: str, said: Collected) -> None:
    """1. The parts that this answer announces. 2. All parts of this holder for the request. 3. Their bytes."""
    (subject,) = said.subjects
    # Come again, it is not counted twice; parts of another answer go when this one is kept.
    here = (Part.subject == subject) & ((Part.part == said.part) | (Part.parts != said.parts))
    query = select(func.count(), func.coalesce(func.sum(func.octet_length(Part.sealed)), 0))
    found = await w.session.execute(query.where(Part.request_id == request.id, Part.holder == holder, ~here))
    count, size = found.one()
    if said.parts > PARTS_MAX or count >= PARTS_MAX or size + len(said.sealed) > BYTES_MAX:
        raise TooMuchError("more than we take of one holder")


def _of(request: DataRequest, holder: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return Part.request_id == request.id, Part.holder == holder, Part.subject == subject
