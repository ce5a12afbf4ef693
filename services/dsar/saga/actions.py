"""The saga's transactions: ask holders, take their answers, go one step on. Every one may run twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from services.dsar.certificates.actions import compose, issue
from services.dsar.certificates.model import Certificate
from services.dsar.certificates.verify import verify_note_of
from services.dsar.events import AnswerRefused, ApprovalRefused, ErasureProven, Reason, RequestAnswered, Verb
from services.dsar.law.book import Book
from services.dsar.requests.actions import load, move, queue_mail
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import approval, parts
from services.dsar.saga.claims import claim, settle
from services.dsar.saga.findings import forget, keep_confirmed, remember, settle_owners
from services.dsar.saga.keys import Keys
from services.dsar.saga.model import Asked, Command, Fit, Step, next_step, outstanding, wait_before
from services.dsar.saga.tables import Ask, Erasure
from shared.clock import rfc3339
from shared.errors import InvariantError, MalformedError, NotFoundError, TamperError
from shared.holder.contract import Attest, Collect, Collected, Erase, Erased, Locate, Located
from shared.ids import is_id
from shared.notes.note import Signer
from shared.work import Work


@dataclass(frozen=True)
class Course:
    """What every step needs beside the request: who holds data, how long we wait, who signs, whose word counts."""

    holders: tuple[str, ...]
    patience: timedelta
    signer: Signer
    keys: Keys
    book: Book


async def asks_of(w: Work, request_id: str) -> Sequence[Ask]:
    query = select(Ask).where(Ask.request_id == request_id).order_by(Ask.command, Ask.holder, Ask.subject)
    return (await w.session.scalars(query)).all()


def asked(rows: Iterable[Ask]) -> list[Asked]:
    """The rows as the rules know them."""
    return [Asked(row.holder, row.command, row.subject, row.answered_at is not None) for row in rows]


async def _ask(w: Work, request: DataRequest, command: Command, holders: Iterable[str], subject: str = "") -> None:
    """Remember whom we ask, and send the command: one record that names all holders it is for."""
    holders = sorted(holders)
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
    await _send(w, request, command, holders, subject, 1)


async def _send(w: Work, request: DataRequest, command: str, holders: list[str], subject: str, tries: int) -> None:
    about, reply_by = request.id, rfc3339(w.now + wait_before(tries))
    match command:
        case "locate" | "recheck":
            w.publish(Locate(request_id=about, locators=[request.locator or ""], reply_by=reply_by))
        case "collect":
            if request.recipient is None:
                raise InvariantError("a request without a recipient can't collect")
            key = request.recipient
            w.publish(Collect(request_id=about, subject=subject, holders=holders, recipient=key, reply_by=reply_by))
        case "erase":
            w.publish(Erase(request_id=about, subject=subject, holders=holders, approval_id=request.approval_id or ""))
        case "attest":
            ids = await w.session.scalars(select(Erasure.event_id).where(Erasure.request_id == request.id))
            w.publish(Attest(request_id=about, event_ids=sorted(ids.all())))
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
            request.asked_about,
            patient=w.now < begun + course.patience,
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
            await _ask_about(w, request, "collect" if step is Step.COLLECT else "erase", course)
        case Step.REQUEST_APPROVAL:
            move(request, State.ASSESSED)
            approval.ask(w, request, course.book)
        case Step.ATTEST:
            await _ask(w, request, "attest", ["audit"])
            # A record may have come while two people decided: the certificate counts what there is now. A holder answers in
            # the order it was asked in, so what it says from here on it says after its erasure.
            request.candidates = {one: [] for one in request.subjects}
            await forget(w, request.id)
            await _ask(w, request, "recheck", course.holders)
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


async def _ask_about(w: Work, request: DataRequest, command: Command, course: Course) -> None:
    """Everybody about what its owner confirmed, and the holder alone about what it alone named; nobody twice."""
    there = {(row.holder, row.subject) for row in await asks_of(w, request.id) if row.command == command}
    wanted = {**dict.fromkeys(request.subjects, course.holders), **request.alone}
    for subject, holders in wanted.items():
        if missing := [one for one in holders if (one, subject) not in there]:
            await _ask(w, request, command, missing, subject)


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


def refuse(w: Work, request_id: str, holder: str, answer_id: str, verb: Verb, reason: Reason) -> None:
    """An answer that counts for nothing: an alarm. Of what a stranger wrote only an id is repeated."""
    known = request_id if is_id(request_id, "req") else ""
    w.publish(AnswerRefused(request_id=known, holder=holder, answer_id=answer_id, verb=verb, reason=reason))


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
        await _ask_about(w, request, "collect", course)
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


async def collected(w: Work, holder: str, said: Collected, answer_id: str) -> DataRequest | None:
    """One sealed part. The ask counts as answered with the last missing part; one that cannot be read is an alarm, and the
    holder is asked again."""
    request_id, (subject,) = said.request_id, said.subjects
    try:
        request = await load(w, request_id)
    except NotFoundError:
        return None
    asked_for = await w.session.get(Ask, (request_id, holder, "collect", subject))
    if request.state == State.CLOSED or asked_for is None:
        return None
    if asked_for.answered_at is not None:
        return request
    try:
        whole = await parts.take(w, request, holder, said)
    except (TamperError, MalformedError):
        refuse(w, request_id, holder, answer_id, "collected", "unreadable")
        return request
    return await _answered(w, request_id, holder, "collect", subject) if whole else request


async def erased(w: Work, holder: str, said: Erased, answer_id: str) -> DataRequest | None:
    """A holder's signed word, verified; the first one counts, a repeated one is the same fact. dsar's event says that it was
    verified, and carries it: its receipt goes into the certificate, for the log seals what other teams' holders write."""
    request_id, (subject,) = said.request_id, said.subjects
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


async def refused(w: Work, event: ApprovalRefused) -> None:
    """Somebody said no: the person is told why, and where to complain."""
    request = await approval.refused(w, event)
    if request is not None:
        answer(w, request, "refused", [])


async def ask_again(w: Work, request: DataRequest) -> int:
    """Repeat every command whose wait is over; one record per command and subject, however many holders owe an
    answer."""
    due: dict[tuple[str, str], list[Ask]] = {}
    for row in await asks_of(w, request.id):
        if row.answered_at is None and _wait_is_over(row, w.now):
            row.tries, row.asked_at = row.tries + 1, w.now
            due.setdefault((row.command, row.subject), []).append(row)
    for (command, subject), rows in due.items():
        await _send(w, request, command, [row.holder for row in rows], subject, max(row.tries for row in rows))
    return len(due)


def _wait_is_over(row: Ask, now: datetime) -> bool:
    return now >= row.asked_at + wait_before(row.tries)
