"""The parts of what a holder has on a person. Each is opened when it comes: one that cannot be read is no answer, and is never
found out by the person who opens the package."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from services.dsar.packages.actions import opened, private_key_of
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.tables import Part
from shared.errors import MalformedError
from shared.holder.contract import Collected
from shared.work import Work


async def take(w: Work, request: DataRequest, holder: str, said: Collected) -> bool:
    """Keep one part; whether all parts of this answer are there now. TamperError or MalformedError: it cannot be read, and
    nothing is kept."""
    (subject,) = said.subjects
    if said.part > said.parts:
        raise MalformedError("a part behind the last one")
    opened(said.sealed, holder, await private_key_of(w, request))
    mine = (Part.request_id == request.id, Part.holder == holder, Part.subject == subject)
    # Asked again, a holder may have more by then, or less: parts of two answers are not mixed.
    await w.session.execute(delete(Part).where(*mine, Part.parts != said.parts))
    row = insert(Part).values(
        request_id=request.id, holder=holder, subject=subject, part=said.part, parts=said.parts, sealed=said.sealed
    )
    await w.session.execute(row.on_conflict_do_nothing())
    return len((await w.session.scalars(select(Part.part).where(*mine))).all()) >= said.parts
