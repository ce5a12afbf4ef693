"""Two people decide on an erasure: what dsar asks identity for, and what counts as the answer. Nobody deciding is not a no."""

import logging

from sqlalchemy import select

from services.dsar.events import ApprovalGranted, ApprovalRefused, ErasureRequested, Ground
from services.dsar.law.book import Book
from services.dsar.requests.actions import load, move
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest, Finding
from services.dsar.saga.model import APPROVAL_AGAIN, Decided, answers_us
from services.dsar.saga.whose import STAFF
from shared.access.grants import PEOPLE_NEEDED
from shared.clock import rfc3339
from shared.errors import NotFoundError
from shared.work import Work

log = logging.getLogger("kept.dsar.saga")


async def ask(w: Work, request: DataRequest, book: Book) -> None:
    """Two people are to decide, by when, and for which reasons the law lets them say no."""
    request.approval_asked_at = w.now
    law = book.of(request.law, request.received_at)
    grounds = [
        Ground(code=one.code, article=one.article, en=one.meaning, zh=one.meaning_zh) for one in law.grounds(request.right)
    ]
    people = request.asked_about
    w.publish(
        ErasureRequested(
            request_id=request.id,
            subject=people[0],
            subjects=people,
            staff=sorted(await _staff(w, request)),
            law=request.law,
            due=rfc3339(request.due_at),
            grounds=grounds,
        )
    )


async def ask_again(w: Work, request: DataRequest, book: Book) -> None:
    """While nobody has decided: every day, and at once where the law's date has changed. Never is silence told as a no."""
    since = request.approval_asked_at
    if request.state == State.ASSESSED and (since is None or w.now - since >= APPROVAL_AGAIN):
        await ask(w, request, book)


async def _staff(w: Work, request: DataRequest) -> set[str]:
    """Members of staff whom identity names under the same address, and whose account the request does not cover: the record is
    theirs all the same, so they do not decide on it."""
    query = select(Finding.subject).where(Finding.request_id == request.id, Finding.holder == STAFF)
    return {*(await w.session.scalars(query)).all()} & request.candidates.keys() - {*request.asked_about}


async def approved(w: Work, event: ApprovalGranted) -> DataRequest | None:
    """Two people agreed to what dsar asked for. Only a request that waits for this moves; said twice, it is one approval."""
    approvers = frozenset(event.approvers)
    request = await _decided(w, event, approvers)
    if request is None or len(approvers) < PEOPLE_NEEDED:
        return None
    move(request, State.APPROVED)
    request.approval_id, request.approvers = event.approval_id, sorted(approvers)
    return request


async def refused(w: Work, event: ApprovalRefused) -> DataRequest | None:
    """The request that somebody refused, for the ground it now has. Where nobody decided, it is asked again."""
    request = await _decided(w, event, frozenset())
    if request is None:
        return None
    if event.reason == "expired":
        request.approval_asked_at = None
        return None
    request.refusal = event.ground
    return request


async def _decided(w: Work, event: ApprovalGranted | ApprovalRefused, approvers: frozenset[str]) -> DataRequest | None:
    """The erasure that waits for this decision; None where it is none of ours, or waits for nothing."""
    try:
        request = await load(w, event.resource)
    except NotFoundError:
        return None
    if request.state != State.ASSESSED or request.right != "erasure":
        return None
    people = frozenset(event.subjects or [one for one in (event.subject,) if one])
    ours = answers_us(Decided(event.requester, people, approvers), request.asked_about)
    if not ours or approvers & await _staff(w, request):
        log.warning("a decision on %s does not belong to what was asked for: %s", request.id, event.approval_id)
        request.approval_asked_at = None  # asked again at the next round, for those whom it concerns now
        return None
    return request
