"""What can be done with a request. One function, one transaction: state and event together."""

from datetime import timedelta

from sqlalchemy import delete, func, select, update

from services.dsar.events import RequestClosed, RequestExtended, RequestReceived, RequestVerified
from services.dsar.portal.tables import Code
from services.dsar.requests.calendars import Jurisdiction
from services.dsar.requests.model import Right, State, may_move
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.tables import Claim, Finding, Part
from shared.clock import rfc3339
from shared.errors import ConflictError, InvalidInputError, NotFoundError, TooManyError
from shared.ids import new_id
from shared.mail.queue import forget, queue, queued_lately
from shared.work import Work


def move(request: DataRequest, new: State) -> None:
    """The only place where a request's state changes."""
    if not may_move(State(request.state), new):
        raise ConflictError(f"a request that is {request.state} can't become {new}")
    request.state = new


async def load(w: Work, request_id: str, *, lock: bool = True) -> DataRequest:
    """One request, locked for this transaction: two answers at once must not both take the next step."""
    query = select(DataRequest).where(DataRequest.id == request_id)
    found = await w.session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFoundError
    return found


def queue_mail(w: Work, request_id: str, kind: str, recipient: str | None = None) -> None:
    """A mail leaves if, and only if, this transaction commits. `recipient`: the locator, where mails to one mailbox count."""
    queue(w, kind, request_id, recipient=recipient)


async def _may_send_code(w: Work, locator: str, per_hour: int) -> bool:
    return await queued_lately(w, locator, "code", timedelta(hours=1)) < per_hour


def fresh_id() -> str:
    """The id of a request to be: it is its person's actor id, so it exists before the door opens."""
    return new_id("req")


async def receive(
    w: Work,
    request_id: str,
    *,
    right: Right,
    address: str,
    locator: str,
    language: str,
    place: str,
    jurisdiction: Jurisdiction,
    codes_per_hour: int,
    asks_per_minute: int,
) -> None:
    """Somebody typed an address. What happens, and what they see, is the same for every address in the world."""
    recent = select(func.count()).select_from(DataRequest).where(DataRequest.received_at > w.now - timedelta(minutes=1))
    if (await w.session.scalar(recent) or 0) >= asks_per_minute:
        raise TooManyError("too many requests just now", retry_after=60)
    clock, why = jurisdiction.governing(right, place, w.now)
    may_send = await _may_send_code(w, locator, codes_per_hour)
    await w.keyring.create(w.session, [request_id])
    w.session.add(
        DataRequest(
            id=request_id,
            right=right,
            state=State.RECEIVED,
            language=language,
            law=clock.law,
            law_why=why,
            article=clock.article,
            received_at=w.now,
            due_at=clock.due,
            latest_at=clock.extended,
            locator=locator,
            approvers=[],
            subjects=[],
            candidates={},
            alone={},
            narrow_tries=0,
            left_out=0,
            address=await w.seal(DataRequest.address, request_id, address),
        )
    )
    await w.session.flush()
    if may_send:
        queue_mail(w, request_id, "code", locator)
    w.publish(RequestReceived(request_id=request_id, right=right, law=clock.law, due=rfc3339(clock.due)))


async def send_again(w: Work, request_id: str, codes_per_hour: int) -> None:
    """The living code once more, or a fresh one, to the same address. Says nothing of the hourly limit."""
    request = await w.session.get(DataRequest, request_id)
    if request is None or request.locator is None or request.state == State.CLOSED:
        return
    if await _may_send_code(w, request.locator, codes_per_hour):
        queue_mail(w, request_id, "code", request.locator)


async def prove(w: Work, request: DataRequest, private_key: str, recipient: str) -> bool:
    """The right code came back. True the first time: the request becomes verified."""
    await w.session.execute(delete(Code).where(Code.request_id == request.id))  # single use
    if request.state != State.RECEIVED:
        return False
    move(request, State.VERIFIED)
    request.verified_at = w.now
    request.recipient = recipient
    request.private_key = await w.seal(DataRequest.private_key, request.id, private_key)
    w.publish(RequestVerified(request_id=request.id))
    return True


async def extend(w: Work, request_id: str, reason: str) -> None:
    """Use the law's extension: once, before the first period is over; the person is told with the reason."""
    request = await load(w, request_id)
    if reason not in ("complex", "many"):
        raise InvalidInputError("the reason is complex or many", field="reason")
    if request.extended_at is not None or request.latest_at is None:
        raise ConflictError("the law allows no further extension")
    if w.now >= request.due_at or request.state in (State.ANSWERED, State.DELIVERED, State.REFUSED, State.CLOSED):
        raise ConflictError("it is too late to extend")
    request.due_at, request.extended_at = request.latest_at, w.now
    request.approval_asked_at = None  # whoever decides is told the new date
    queue_mail(w, request_id, "extended")
    w.publish(RequestExtended(request_id=request_id, due=rfc3339(request.due_at), reason=reason))


async def close(w: Work, request_id: str, reason: str, *, tell: bool = True) -> None:
    """End it: sealed answers go now, the keys as soon as the last mail has left (`destroy`)."""
    request = await load(w, request_id)
    if request.state == State.CLOSED:
        return
    move(request, State.CLOSED)
    request.closed_at, request.close_reason, request.private_key, request.recipient = w.now, reason, None, None
    await w.session.execute(delete(Part).where(Part.request_id == request_id))
    await w.session.execute(delete(Code).where(Code.request_id == request_id))
    if tell:
        queue_mail(w, request_id, "closed")
    else:
        await destroy(w, request)


async def destroy(w: Work, request: DataRequest) -> None:
    """Destroy the request's own data key: address and private key are unreadable everywhere, backups included."""
    await w.keyring.shred(w.session, request.id, w.now)
    request.address = request.private_key = request.locator = None
    request.alone = {one: holders for one, holders in request.alone.items() if holders}
    await w.session.execute(delete(Finding).where(Finding.request_id == request.id))
    request.candidates = {}  # whoever shares the address is none of this request's business any more; how many stays
    await w.session.execute(update(Claim).where(Claim.request_id == request.id).values(said=None))
    await forget(w, request.id)
    w.publish(RequestClosed(request_id=request.id, reason=request.close_reason or "done"))


async def withdraw(w: Work, request: DataRequest) -> int:
    """An erasure takes an earlier request of the same person with it: close and destroy without another mail.

    Returns how many sealed fields became unreadable.
    """
    fields = sum(sealed is not None for sealed in (request.address, request.private_key))
    if request.state == State.CLOSED:
        await destroy(w, request)
    else:
        await close(w, request.id, "withdrawn", tell=False)
    return fields
