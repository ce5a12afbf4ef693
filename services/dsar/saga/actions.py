"""The saga's transactions: ask holders, take their answers, go one step on. Every one may run twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.dsar.certificates.actions import issue
from services.dsar.events import ErasureRequested, RequestAnswered
from services.dsar.requests.actions import load, move, queue_mail
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.claims import claim, learn, settle
from services.dsar.saga.model import Asked, Command, Fit, Step, next_step, outstanding, wait_before
from services.dsar.saga.tables import Ask, Erasure, Part
from shared.clock import rfc3339
from shared.errors import InvariantError, NotFoundError
from shared.holder.contract import Attest, Collect, Erase, Locate, Located
from shared.notes.note import Signer
from shared.work import Work


@dataclass(frozen=True)
class Course:
    """What every step needs beside the request: who holds data, how long we wait, who signs."""

    holders: tuple[str, ...]
    patience: timedelta
    signer: Signer


async def asks_of(w: Work, request_id: str) -> Sequence[Ask]:
    query = select(Ask).where(Ask.request_id == request_id).order_by(Ask.command, Ask.holder, Ask.subject)
    return (await w.session.scalars(query)).all()


def asked(rows: Iterable[Ask]) -> list[Asked]:
    """The rows as the rules know them."""
    return [Asked(row.holder, row.command, row.subject, row.answered_at is not None) for row in rows]


async def _ask(w: Work, request: DataRequest, command: Command, holders: Iterable[str], subject: str = "") -> None:
    """Remember whom we ask, and send the command: one record that all holders read."""
    for holder in holders:
        row = {
            "request_id": request.id,
            "holder": holder,
            "command": command,
            "subject": subject,
            "asked_at": w.now,
            "tries": 1,
        }
        await w.session.execute(insert(Ask).values(**row).on_conflict_do_nothing())
    await _send(w, request, command, subject, 1)


async def _send(w: Work, request: DataRequest, command: str, subject: str, tries: int) -> None:
    reply_by = rfc3339(w.now + wait_before(tries))
    match command:
        case "locate" | "recheck":
            w.publish(Locate(request_id=request.id, locators=[request.locator or ""], reply_by=reply_by))
        case "collect":
            if request.recipient is None:
                raise InvariantError("a request without a recipient can't collect")
            w.publish(Collect(request_id=request.id, subject=subject, recipient=request.recipient, reply_by=reply_by))
        case "erase":
            w.publish(Erase(request_id=request.id, subject=subject, approval_id=request.approval_id or ""))
        case "attest":
            ids = await w.session.scalars(select(Erasure.event_id).where(Erasure.request_id == request.id))
            w.publish(Attest(request_id=request.id, event_ids=sorted(ids.all())))
        case _:
            raise InvariantError("no such command")


async def start(w: Work, request: DataRequest, holders: Sequence[str]) -> None:
    """The address is proven: ask every holder whom it belongs to."""
    await _ask(w, request, "locate", holders)


async def advance(w: Work, request: DataRequest, course: Course) -> None:
    """Take every step that is due. Each changes the state, so this ends."""
    for _ in range(6):  # a request has fewer steps than this
        rows = await asks_of(w, request.id)
        begun = request.dispatched_at or request.verified_at or w.now
        step = next_step(
            request.right,
            State(request.state),
            asked(rows),
            request.subjects,
            patient=w.now < begun + course.patience,
            unclear=request.unclear,
        )
        if step is Step.WAIT:
            return
        await _take(w, request, step, course, rows)


async def _take(w: Work, request: DataRequest, step: Step, course: Course, rows: Sequence[Ask]) -> None:
    match step:
        case Step.COLLECT | Step.ERASE:
            move(request, State.DISPATCHED)
            request.dispatched_at = w.now
            for subject in request.subjects:
                await _ask(w, request, "collect" if step is Step.COLLECT else "erase", course.holders, subject)
        case Step.REQUEST_APPROVAL:
            move(request, State.ASSESSED)
            w.publish(ErasureRequested(request_id=request.id, subject=request.subjects[0], subjects=list(request.subjects)))
        case Step.ATTEST:
            await _ask(w, request, "attest", ["audit"])
            # A record may have come while two people decided: the certificate counts what there is now. A holder answers in
            # the order it was asked in, so what it says from here on it says after its erasure.
            request.candidates = {one: [] for one in request.subjects}
            await _ask(w, request, "recheck", course.holders)
        case Step.CERTIFY:
            await issue(w, request, course.signer)
            answer(w, request, "erased", [])
        case Step.ANSWER_NOTHING:
            answer(w, request, "nothing", [])
        case Step.ANSWER_HELD:
            answer(w, request, "held", outstanding(asked(rows), "collect"))


def answer(w: Work, request: DataRequest, outcome: str, missing: list[str]) -> None:
    """The answer is ready: say so to the person and to the bus."""
    move(request, State.REFUSED if outcome == "refused" else State.ANSWERED)
    request.outcome, request.answered_at, request.left_out = outcome, w.now, len(request.others)
    queue_mail(w, request.id, {"erased": "erased", "refused": "refused"}.get(outcome, "ready"))
    w.publish(RequestAnswered(request_id=request.id, outcome=outcome, missing=missing, left_out=request.left_out))


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


async def located(w: Work, request_id: str, holder: str, said: Located) -> DataRequest | None:
    """A holder says which records the address leads to; the first time it is asked, and once more before a certificate."""
    request = await _answered(w, request_id, holder, "locate", "")
    if request is None:
        return None
    await _answered(w, request_id, holder, "recheck", "")
    learn(request, said.everybody)
    return request


async def narrow(w: Work, request: DataRequest, said: Sequence[str], number: str, course: Course) -> Fit:
    """The person names one more of the records that share the address. While an access is under way, everybody is asked
    about it at once; before, the person says when these are all (`go_on`)."""
    fit = await claim(w, request, said, number)
    if fit is Fit.ONE:
        if request.state == State.DISPATCHED:
            await _ask(w, request, "collect", course.holders, request.subjects[-1])
        await advance(w, request, course)
    return fit


async def go_on(w: Work, request: DataRequest, course: Course) -> bool:
    """The person goes on with the records they have named. A second click finds it done."""
    if not settle(w, request):
        return False
    await advance(w, request, course)
    return True


async def collected(
    w: Work, request_id: str, holder: str, subject: str, part: int, parts: int, sealed: str
) -> DataRequest | None:
    """One sealed part. The ask counts as answered with the last missing part."""
    try:
        request = await load(w, request_id)
    except NotFoundError:
        return None
    if request.state == State.CLOSED or await w.session.get(Ask, (request_id, holder, "collect", subject)) is None:
        return None
    row = {
        "request_id": request_id,
        "holder": holder,
        "subject": subject,
        "part": part,
        "parts": parts,
        "sealed": sealed,
    }
    await w.session.execute(insert(Part).values(**row).on_conflict_do_nothing())
    query = select(Part.part).where(Part.request_id == request_id, Part.holder == holder, Part.subject == subject)
    if len((await w.session.scalars(query)).all()) >= parts:
        return await _answered(w, request_id, holder, "collect", subject)
    return request


async def erased(w: Work, request_id: str, holder: str, subject: str, said: Erasure) -> DataRequest | None:
    """A holder's signed word; the first one counts, a repeated one is the same fact."""
    request = await _answered(w, request_id, holder, "erase", subject)
    if request is not None and await w.session.get(Erasure, (request_id, holder, subject)) is None:
        w.session.add(said)
        await w.session.flush()
    return request


async def attested(w: Work, request_id: str, receipts: dict[str, str]) -> DataRequest | None:
    """Receipts from the log. The ask counts as answered when every erasure has its receipt."""
    query = select(Erasure).where(Erasure.request_id == request_id)
    rows = (await w.session.scalars(query)).all()
    for row in rows:
        row.receipt = row.receipt or receipts.get(row.event_id)
    if not rows or any(row.receipt is None for row in rows):
        return None
    return await _answered(w, request_id, "audit", "attest", "")


async def approved(w: Work, request_id: str, approval_id: str, approvers: Sequence[str]) -> DataRequest | None:
    """Two people agreed. Only a request that waits for this moves; said twice, it is one approval."""
    try:
        request = await load(w, request_id)
    except NotFoundError:
        return None
    if request.state != State.ASSESSED or request.right != "erasure" or len(set(approvers)) < 2:
        return None
    move(request, State.APPROVED)
    request.approval_id, request.approvers = approval_id, sorted(set(approvers))
    return request


async def refused(w: Work, request_id: str) -> None:
    """Somebody who may decide said no: the person is told, with the ways to complain."""
    try:
        request = await load(w, request_id)
    except NotFoundError:
        return
    if request.state == State.ASSESSED:
        answer(w, request, "refused", [])


async def ask_again(w: Work, request: DataRequest) -> int:
    """Repeat every command whose wait is over; one record per command and subject, however many holders owe an
    answer."""
    due: dict[tuple[str, str], int] = {}
    for row in await asks_of(w, request.id):
        if row.answered_at is None and _wait_is_over(row, w.now):
            row.tries, row.asked_at = row.tries + 1, w.now
            due[row.command, row.subject] = max(row.tries, due.get((row.command, row.subject), 0))
    for (command, subject), tries in due.items():
        await _send(w, request, command, subject, tries)
    return len(due)


def _wait_is_over(row: Ask, now: datetime) -> bool:
    return now >= row.asked_at + wait_before(row.tries)
