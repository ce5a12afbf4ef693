"""Which records a request covers: found by the address, claimed by the person, left out. A person is not a record.

An address that leads to one record is proof enough for it. Where it leads to several (one person twice, or a family), each
is claimed by something that stands on that record alone; `settled_at` ends the claiming, and what is not claimed is named.
"""

from collections.abc import Sequence

from sqlalchemy import select

from services.dsar.events import ClaimDecided, ClaimProposed
from services.dsar.requests.actions import queue_mail
from services.dsar.requests.model import Evidence, State
from services.dsar.requests.tables import Claim, DataRequest
from services.dsar.saga.model import Fit, pick
from shared.errors import NotAllowedError, NotFoundError
from shared.work import Work

NARROW_TRIES_MAX = 5  # wrong numbers that somebody who shares the address may guess; then only people decide


def learn(request: DataRequest, found: dict[str, list[str]]) -> None:
    """Their owners say which records the address leads to (findings.py). While it leads to one, that one is covered; a
    second one makes the person say more. What is found when the claiming is over is never covered by itself: it is left
    out, and named."""
    before = len(request.candidates)
    merged = {one: sorted({*known, *request.candidates.get(one, [])}) for one, known in found.items()}
    request.candidates = {**request.candidates, **merged}
    if request.state != State.VERIFIED or request.settled_at is not None:
        return
    if len(request.candidates) == 1:
        request.subjects = list(request.candidates)
    elif before <= 1:  # what it led to alone until now is claimed like the others
        request.subjects = []


def may_claim(request: DataRequest) -> bool:
    """Whether a further record can still be claimed: for an erasure until it goes to the two who approve (they approve what
    was claimed), for an access until the answer is ready."""
    if request.state == State.DISPATCHED:
        return request.right == "access" and bool(request.claimable)
    return request.unclear


async def claim(w: Work, request: DataRequest, said: Sequence[str], number: str) -> Fit:
    """The person names one more record, by the locators of a number that stands on it. A wrong one is counted in the same
    transaction."""
    if not may_claim(request) or request.narrow_tries >= NARROW_TRIES_MAX:
        return Fit.NONE
    fit, subject = pick(request.candidates, said)
    if subject is None:
        request.narrow_tries += fit is Fit.NONE  # what several share is right, and tells nobody apart
        return fit
    await cover(w, request, subject, number=number)
    return fit


async def cover(w: Work, request: DataRequest, subject: str, *, number: str = "") -> None:
    """The record is the person's: by the number that they gave (kept sealed), else as two people at the desk decided."""
    if subject in request.subjects:
        return
    claim = await w.session.get(Claim, (request.id, subject))
    if claim is None:
        claim = Claim(request_id=request.id, subject=subject, staff=[])
        w.session.add(claim)
    if number:  # whatever the desk had begun to decide
        await w.unlock(request.id)
        claim.said, claim.staff, claim.evidence = w.seal(Claim.said, request.id, number), [], None
    claim.claimed_at = w.now
    request.subjects = [*request.subjects, subject]
    if request.unclear and not request.claimable:
        request.settled_at = w.now


async def support(w: Work, request: DataRequest, subject: str, evidence: Evidence) -> bool:
    """One at the desk says that the record is the person's, on evidence; the second who says so decides it: True.

    Both are others than the person concerned. A second click of the first changes nothing."""
    if w.actor.id in request.candidates:
        raise NotAllowedError("nobody decides about their own records")
    if not request.unclear or subject in request.subjects:
        return False
    if subject not in request.candidates:
        raise NotFoundError
    claim = await w.session.get(Claim, (request.id, subject))
    if claim is None:
        w.session.add(
            Claim(request_id=request.id, subject=subject, staff=[w.actor.id], evidence=evidence, claimed_at=w.now)
        )  # fmt: skip
        w.publish(ClaimProposed(request_id=request.id, subject=subject, evidence=evidence))
        return False
    if w.actor.id in claim.staff:
        return False
    claim.staff = [*claim.staff, w.actor.id]
    await cover(w, request, subject)
    w.publish(ClaimDecided(request_id=request.id, subject=subject, evidence=evidence, staff=claim.staff))
    queue_mail(w, request.id, "claimed")
    return True


def settle(w: Work, request: DataRequest) -> bool:
    """The person goes on with what they have claimed; the rest is left out. False before anything is claimed."""
    if request.unclear and request.subjects:
        request.settled_at = w.now
        return True
    return request.settled_at is not None


async def claims_of(w: Work, request_id: str) -> Sequence[Claim]:
    query = select(Claim).where(Claim.request_id == request_id).order_by(Claim.claimed_at, Claim.subject)
    return (await w.session.scalars(query)).all()
