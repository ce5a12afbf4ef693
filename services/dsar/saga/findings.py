"""What holders say the address leads to, proven, as rows; whose.py says what follows from it."""

from sqlalchemy import delete, select

from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest, Finding
from services.dsar.saga.claims import learn
from services.dsar.saga.tables import Owner
from services.dsar.saga.whose import Said, alone, confirmed
from shared.holder.contract import Located
from shared.work import Work


async def remember(w: Work, holder: str, said: Located) -> None:
    """A holder's newest word takes the place of what it said before."""
    await w.session.execute(delete(Finding).where(Finding.request_id == said.request_id, Finding.holder == holder))
    for subject, locators in said.found.items():
        w.session.add(Finding(request_id=said.request_id, holder=holder, subject=subject, locators=locators))
    await w.session.flush()


async def settle_owners(w: Work, request: DataRequest) -> None:
    """Whose records these are, as far as is known; the request follows while nothing was done about them."""
    said, made = await _known(w, request.id)
    learn(request, confirmed(said, made))
    if request.state == State.VERIFIED or (request.right == "access" and request.state == State.DISPATCHED):
        request.alone = alone(said, made)


async def keep_confirmed(w: Work, request: DataRequest) -> None:
    """Before everybody is asked to erase: only what the owner has confirmed. A request from before answers were signed may
    cover what nobody confirms."""
    known = confirmed(*await _known(w, request.id))
    request.subjects = [one for one in request.subjects if one in known]


async def forget(w: Work, request_id: str) -> None:
    """What holders said for this request goes: pseudonyms and locators have no purpose here after it."""
    await w.session.execute(delete(Finding).where(Finding.request_id == request_id))


async def _known(w: Work, request_id: str) -> tuple[list[Said], dict[str, str]]:
    query = select(Finding).where(Finding.request_id == request_id)
    said = [Said(one.holder, one.subject, tuple(one.locators)) for one in (await w.session.scalars(query)).all()]
    owners = select(Owner).where(Owner.subject.in_({one.subject for one in said}))
    made = {one.subject: one.owner for one in (await w.session.scalars(owners)).all()} if said else {}
    return said, made
