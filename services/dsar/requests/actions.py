"""What can be done with a request. One function, one transaction: state and event together."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from services.dsar.events import RequestClosed, RequestExtended, RequestReceived, RequestVerified
from services.dsar.law.jurisdiction import Jurisdiction
from services.dsar.law.model import Right
from services.dsar.requests.model import State, may_move
from services.dsar.requests.tables import Claim, Code, DataRequest, Finding, Part
from shared.clock import rfc3339
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.ids import new_id
from shared.mail.queue import fate, forget, queue
from shared.work import Work

ERASED = "erased"  # why an access ends: a record that it covers was erased at another request


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


def fresh_id() -> str:
    """The id of a request to be: it is its person's actor id, so it exists before the door opens."""
    return new_id("req")


async def receive(
    w: Work,
    request_id: str,
    *,
    right: Right,
    address: str,
    locators: Sequence[str],
    locator_version: int,
    language: str,
    place: str,
    jurisdiction: Jurisdiction,
    send_code: bool,
) -> None:
    """Somebody typed an address. What happens, and what they see, is the same for every address in the world.

    `locators`: of the address, under every live version, the newest first; `locator_version`: of before they were made;
    `send_code`: no limit of its mailbox is reached."""
    clock, why = jurisdiction.governing(right, place, w.now)
    await w.create_keys([request_id])
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
            locator=locators[0],
            locators=list(locators),
            locator_version=locator_version,
            approvers=[],
            subjects=[],
            candidates={},
            alone={},
            narrow_tries=0,
            left_out=0,
            address=w.seal(DataRequest.address, request_id, address),
        )
    )
    await w.session.flush()
    if send_code:
        queue_mail(w, request_id, "code", locators[0])
    w.publish(RequestReceived(request_id=request_id, right=right, law=clock.law, due=rfc3339(clock.due)))


async def mailbox_of(w: Work, request_id: str) -> Sequence[str]:
    """The locators of the mailbox to which codes of this request go, the newest first; none: to none, any more or at all."""
    request = await w.session.get(DataRequest, request_id)
    return () if request is None or request.state == State.CLOSED or request.locator is None else request.asked_by


async def prove(w: Work, request: DataRequest, private_key: str, recipient: str) -> bool:
    """The right code came back. True the first time: the request becomes verified."""
    await w.session.execute(delete(Code).where(Code.request_id == request.id))  # single use
    if request.state != State.RECEIVED:
        return False
    move(request, State.VERIFIED)
    request.verified_at = w.now
    request.recipient = recipient
    await w.unlock(request.id)
    request.private_key = w.seal(DataRequest.private_key, request.id, private_key)
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


async def close_answered(w: Work, request_id: str) -> None:
    """Its person has what they asked for. The mail with a certificate is the last one: while it waits to leave, it closes the
    request itself, and no other follows it."""
    request = await load(w, request_id)
    last = request.outcome == "erased"
    if not last or await fate(w, request_id) != "waiting":
        await close(w, request_id, "done", tell=not last)


async def destroy(w: Work, request: DataRequest) -> None:
    """Destroy the request's own data key: address and private key are unreadable everywhere, backups included."""
    await w.shred(request.id)
    request.address = request.private_key = request.locator = None
    request.locators = []
    request.alone = {one: holders for one, holders in request.alone.items() if holders}
    await w.session.execute(delete(Finding).where(Finding.request_id == request.id))
    request.candidates = {}  # whoever shares the address is none of this request's business any more; how many stays
    await w.session.execute(update(Claim).where(Claim.request_id == request.id).values(said=None))
    await forget(w, request.id)
    told = "withdrawn" if request.close_reason == ERASED else request.close_reason  # the event's version knows four reasons
    w.publish(RequestClosed(request_id=request.id, reason=told or "done"))


async def end_erased(w: Work, request: DataRequest) -> int:
    """An access to records of which one was just erased: its answer goes at once, and the person is told in a last mail.

    Returns how many sealed fields became unreadable: the address goes with that mail."""
    fields = int(request.private_key is not None)
    await close(w, request.id, ERASED)
    return fields
