"""What holders answer, each proven before it comes here (handlers.py): what it changes. Every one may come twice."""

import logging

from sqlalchemy import select

from services.dsar.certificates.tables import Erasure
from services.dsar.events import ErasureProven
from services.dsar.requests.actions import load
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import parts
from services.dsar.saga.actions import Course
from services.dsar.saga.alarms import refuse
from services.dsar.saga.asking import ask_about
from services.dsar.saga.findings import remember, settle_owners
from services.dsar.saga.model import Command
from services.dsar.saga.tables import Ask
from shared.errors import MalformedError, NotFoundError, TamperError
from shared.holder.bounds import check_kept
from shared.holder.contract import Collected, Erased, Located
from shared.work import Work

log = logging.getLogger("kept.dsar.saga")


async def _answered(w: Work, request_id: str, holder: str, command: Command, subject: str) -> DataRequest | None:
    """Mark the ask as answered. None where nobody asked, or the request is over: such an answer is dropped."""
    try:
        request = await load(w, request_id)
    except NotFoundError:
        return None
    ask = await w.session.get(Ask, (request_id, holder, command, subject))
    if ask is None or request.state == State.CLOSED:
        return None
    ask.answered_at = ask.answered_at or w.now
    return request


async def located(w: Work, holder: str, said: Located, course: Course) -> DataRequest | None:
    """A holder says which records the address leads to; the first time it is asked, and once more before a certificate. What
    it says counts for it alone, unless the record's owner says the same (whose.py)."""
    request = await _answered(w, said.request_id, holder, "locate", "")
    if request is None:
        return None
    await _answered(w, said.request_id, holder, "recheck", "")
    await remember(w, holder, said)
    await settle_owners(w, request)
    if request.right == "access" and request.state == State.DISPATCHED:
        await ask_about(w, request, "collect", course.holders)
    return request


async def collected(w: Work, holder: str, said: Collected, answer_id: str) -> DataRequest | None:
    """One sealed part. The ask counts as answered with the last missing part; one that cannot be read, or is too much, is an
    alarm, and the holder is asked again."""
    request_id, (subject,) = said.request_id, said.subjects
    try:
        request = await load(w, request_id)
    except NotFoundError:
        return None
    asked_for = await w.session.get(Ask, (request_id, holder, "collect", subject))
    if request.state == State.CLOSED or asked_for is None:
        return None
    if asked_for.answered_at is not None or asked_for.overfull:
        return request
    try:
        whole = await parts.take(w, request, holder, said)
    except parts.TooMuchError:
        asked_for.overfull_at = w.now
        await parts.drop(w, request, holder, subject)
        refuse(w, request_id, holder, answer_id, "collected", "too-much")
        return request
    except (TamperError, MalformedError) as error:
        log.warning("%s: an answer of %s is refused: %s", request_id, holder, error.detail)  # which bound; never a value
        refuse(w, request_id, holder, answer_id, "collected", "unreadable")
        return request
    return await _answered(w, request_id, holder, "collect", subject) if whole else request


async def erased(w: Work, holder: str, said: Erased, answer_id: str) -> DataRequest | None:
    """A holder's signed word, verified; the first one counts, a repeated one is the same fact. One in words that no page and
    no entry of the log can show is an alarm, and the holder is asked again. dsar's event says that it was verified, and
    carries it: its receipt goes into the certificate, for the log seals what other teams' holders write."""
    request_id, (subject,) = said.request_id, said.subjects
    try:
        check_kept(said.kept)
    except MalformedError as error:
        ask = await w.session.get(Ask, (request_id, holder, "erase", subject))
        if ask is not None and ask.answered_at is None:
            log.warning("%s: an answer of %s is refused: %s", request_id, holder, error.detail)
            refuse(w, request_id, holder, answer_id, "erased", "unreadable")
        return None
    request = await _answered(w, request_id, holder, "erase", subject)
    if request is None or await w.session.get(Erasure, (request_id, holder, subject)) is not None:
        return request
    proven = ErasureProven(request_id=request_id, subject=subject, holder=holder, answer_id=answer_id, note=said.note)
    kept = [dict(one) for one in said.kept]
    row = Erasure(request_id=request_id, holder=holder, subject=subject, event_id=w.publish(proven), kept=kept, note=said.note)
    row.fields = said.fields
    w.session.add(row)
    await w.session.flush()
    return request


async def attested(w: Work, request_id: str, receipts: dict[str, str], answer_id: str, course: Course) -> DataRequest | None:
    """Receipts from the log, proven by the log's own key. The ask counts as answered when every erasure has its receipt."""
    query = select(Erasure).where(Erasure.request_id == request_id)
    rows = (await w.session.scalars(query)).all()
    for row in rows:
        receipt = receipts.get(row.event_id)
        if row.receipt is not None or receipt is None:
            continue
        try:
            await course.keys.prove_receipt(receipt, row.event_id, row.note)
        except (TamperError, MalformedError):
            refuse(w, request_id, "audit", answer_id, "attested", "bad-receipt")
            return None
        row.receipt = receipt
    if not rows or any(row.receipt is None for row in rows):
        return None
    return await _answered(w, request_id, "audit", "attest", "")
