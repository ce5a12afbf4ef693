"""The saga asks: which command goes to which holders, and who owes an answer since when."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.dsar.certificates.tables import Erasure
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.model import Asked, Command, wait_before
from services.dsar.saga.tables import Ask
from shared.clock import rfc3339
from shared.errors import InvariantError
from shared.holder.contract import Attest, Collect, Erase, Locate
from shared.work import Work


async def asks_of(w: Work, request_id: str) -> Sequence[Ask]:
    query = select(Ask).where(Ask.request_id == request_id).order_by(Ask.command, Ask.holder, Ask.subject)
    return (await w.session.scalars(query)).all()


def asked(rows: Iterable[Ask]) -> list[Asked]:
    """The rows as the rules know them."""
    return [Asked(row.holder, row.command, row.subject, row.answered_at is not None) for row in rows]


async def ask(w: Work, request: DataRequest, command: Command, holders: Iterable[str], subject: str = "") -> None:
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
    await send(w, request, command, holders, subject, 1)


async def send(w: Work, request: DataRequest, command: str, holders: list[str], subject: str, tries: int) -> None:
    about, reply_by = request.id, rfc3339(w.now + wait_before(tries))
    match command:
        case "locate" | "recheck":
            w.publish(Locate(request_id=about, locators=request.asked_by, reply_by=reply_by))
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


async def ask_about(w: Work, request: DataRequest, command: Command, everybody: Sequence[str]) -> None:
    """Everybody about what its owner confirmed, and the holder alone about what it alone named; nobody twice."""
    there = {(row.holder, row.subject) for row in await asks_of(w, request.id) if row.command == command}
    wanted = {**dict.fromkeys(request.subjects, everybody), **request.alone}
    for subject, holders in wanted.items():
        if missing := [one for one in holders if (one, subject) not in there]:
            await ask(w, request, command, missing, subject)
