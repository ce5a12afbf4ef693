"""The saga's transactions: from what was asked and answered, one step on. Every one may run twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, delete, update

from services.dsar.certificates.actions import compose, issue
from services.dsar.certificates.model import Certificate
from services.dsar.certificates.tables import Erasure
from services.dsar.certificates.verify import verify_note_of
from services.dsar.events import ApprovalRefused, RequestAnswered
from services.dsar.law.book import Book
from services.dsar.requests.actions import move, queue_mail
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import approval
from services.dsar.saga.alarms import refuse
from services.dsar.saga.asking import ask, ask_about, asked, asks_of, send
from services.dsar.saga.claims import claim, may_claim, settle
from services.dsar.saga.findings import forget, keep_confirmed
from services.dsar.saga.keys import Keys
from services.dsar.saga.model import Fit, Step, leads_somewhere, next_step, outstanding, wait_before
from services.dsar.saga.tables import Ask
from shared.errors import MalformedError, TamperError
from shared.notes.note import Signer
from shared.work import Work

AGAIN = timedelta(minutes=1)  # a holder that knows nothing newer is not asked each round


@dataclass(frozen=True)
class Course:
    """What every step needs beside the request: who holds data, how long we wait, who signs, whose word counts."""

    holders: tuple[str, ...]
    goes_on_after: timedelta  # access: how long a silent holder is waited for
    signer: Signer
    keys: Keys
    book: Book


async def start(w: Work, request: DataRequest, holders: Sequence[str]) -> None:
    """The address is proven: ask every holder whom it belongs to."""
    await ask(w, request, "locate", holders)


async def advance(w: Work, request: DataRequest, course: Course) -> None:
    """Take every step that is due. Each changes the state, so this ends."""
    for _ in range(6):  # a request has fewer steps than this
        rows = await asks_of(w, request.id)
        begun = request.dispatched_at or request.verified_at or w.now
        step = next_step(
            request.right,
            State(request.state),
            asked(rows),
            request.asked_about,
            patient=w.now < begun + course.goes_on_after,
            unclear=request.unclear,
        )
        if step is Step.WAIT:
            return
        if not await _take(w, request, step, course, rows):
            return


async def _take(w: Work, request: DataRequest, step: Step, course: Course, rows: Sequence[Ask]) -> bool:
    """False where the step could not be taken, and what it waits for is asked for again."""
    match step:
        case Step.COLLECT | Step.ERASE:
            if step is Step.ERASE:
                await keep_confirmed(w, request)
            move(request, State.DISPATCHED)
            request.dispatched_at = w.now
            await ask_about(w, request, "collect" if step is Step.COLLECT else "erase", course.holders)
        case Step.REQUEST_APPROVAL:
            move(request, State.ASSESSED)
            await approval.ask(w, request, course.book)
        case Step.ATTEST:
            await ask(w, request, "attest", ["audit"])
            # A record may have come while two people decided: the certificate counts what there is now. A holder answers in
            # the order it was asked in, so what it says from here on it says after its erasure.
            request.candidates = {one: [] for one in request.subjects}
            await forget(w, request.id)
            await ask(w, request, "recheck", course.holders)
        case Step.CERTIFY:
            text = await compose(w, request)
            if not await _all_proven(w, request, text, course):
                return False
            await issue(w, request, text, course.signer)
            answer(w, request, "erased", [])
        case Step.ANSWER_NOTHING:
            answer(w, request, "nothing", [])
        case Step.ANSWER_HELD:
            answer(w, request, "held", outstanding(asked(rows), "collect"))
    return True


async def _all_proven(w: Work, request: DataRequest, text: Certificate, course: Course) -> bool:
    """Every holder's word once more, before dsar puts its own under it. One that does not hold is asked for again."""
    good = True
    for one in text.answers:
        try:
            verify_note_of(text, one, await course.keys.of(one.holder, fresh=True))
            await course.keys.prove_receipt(one.receipt, one.event_id, one.note)
        except (TamperError, MalformedError):
            good = False
            refuse(w, request.id, one.holder, one.event_id, "erased", "bad-note")
            await w.session.execute(delete(Erasure).where(*_said(Erasure, request.id, one.holder, one.subject)))
            again = update(Ask).where(*_said(Ask, request.id, one.holder, one.subject), Ask.command == "erase")
            await w.session.execute(again.values(answered_at=None, asked_at=w.now, tries=1))
    if not good:
        await w.session.execute(delete(Ask).where(Ask.request_id == request.id, Ask.command.in_(("attest", "recheck"))))
    return good


def _said(table: type[Ask] | type[Erasure], request_id: str, holder: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return table.request_id == request_id, table.holder == holder, table.subject == subject


def answer(w: Work, request: DataRequest, outcome: str, missing: list[str]) -> None:
    """The answer is ready: say so to the person and to the bus."""
    move(request, State.REFUSED if outcome == "refused" else State.ANSWERED)
    request.outcome, request.answered_at, request.left_out = outcome, w.now, len(request.others)
    queue_mail(w, request.id, {"erased": "erased", "refused": "refused"}.get(outcome, "ready"))
    w.publish(
        RequestAnswered(
            request_id=request.id, outcome=outcome, missing=missing, left_out=request.left_out, ground=request.refusal
        )
    )


async def narrow(w: Work, request: DataRequest, said: Sequence[str], number: str, course: Course) -> Fit:
    """The person names one more of the records that share the address. While an access is under way, everybody is asked
    about it at once; before, the person says when these are all (`go_on`)."""
    fit = await claim(w, request, said, number)
    if fit is Fit.ONE:
        if request.state == State.DISPATCHED:
            await ask(w, request, "collect", course.holders, request.subjects[-1])
        await advance(w, request, course)
    return fit


async def go_on(w: Work, request: DataRequest, course: Course) -> bool:
    """The person goes on with the records they have named. A second click finds it done."""
    if not settle(w, request):
        return False
    await advance(w, request, course)
    return True


async def refused(w: Work, event: ApprovalRefused) -> None:
    """Somebody said no: the person is told why, and where to complain."""
    request = await approval.refused(w, event)
    if request is not None:
        answer(w, request, "refused", [])


async def locate_anew(w: Work, request: DataRequest, oldest: int) -> None:
    """Where a person has still to say which records are theirs, and every locator of one of them is of a version before
    `oldest`: nobody could name it by its number any more, so the holders are asked once more."""
    if not may_claim(request) or all(map(partial(leads_somewhere, oldest=oldest), request.candidates.values())):
        return
    for row in await asks_of(w, request.id):
        if row.command == "locate" and row.answered_at is not None and w.now >= row.asked_at + AGAIN:
            row.answered_at, row.asked_at, row.tries = None, w.now - wait_before(1), 1


async def ask_again(w: Work, request: DataRequest) -> int:
    """Repeat every command whose wait is over; one record per command and subject, however many holders owe an
    answer."""
    due: dict[tuple[str, str], list[Ask]] = {}
    for row in await asks_of(w, request.id):
        if row.answered_at is None and _wait_is_over(row, w.now):
            row.tries, row.asked_at = row.tries + 1, w.now
            due.setdefault((row.command, row.subject), []).append(row)
    for (command, subject), rows in due.items():
        await send(w, request, command, [row.holder for row in rows], subject, max(row.tries for row in rows))
    return len(due)


def _wait_is_over(row: Ask, now: datetime) -> bool:
    return now >= row.asked_at + wait_before(row.tries)
