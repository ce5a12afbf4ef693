"""Hand over what is held: opened from the sealed answers, in memory, for the person who proved the address."""

import asyncio
import base64
import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from services.dsar.events import PackageDelivered
from services.dsar.packages import seal
from services.dsar.packages.model import HolderAnswer, files_of, join, read_part, zipped
from services.dsar.packages.render import page
from services.dsar.requests.actions import move
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.tables import Part
from shared.clock import rfc3339
from shared.errors import ConflictError, InvariantError, MalformedError, TamperError
from shared.work import Work

PHRASE_CHARS_MAX = 256
log = logging.getLogger("kept.dsar.packages")


async def private_key_of(w: Work, request: DataRequest) -> str:
    """What opens the answers to this request, while it is open."""
    if request.private_key is None:
        raise InvariantError("an open request has its private key")
    return await w.open(DataRequest.private_key, request.id, request.private_key)


def opened(sealed: str, holder: str, private_key: str) -> HolderAnswer:
    """One part, as it came. TamperError: it is not sealed to this request; MalformedError: it is not what the contract says."""
    try:
        raw = base64.b64decode(sealed, validate=True)
    except ValueError as error:
        raise MalformedError("a holder's answer is not base64") from error
    return read_part(seal.open_answer(raw, private_key), holder)


async def answers_of(w: Work, request: DataRequest) -> tuple[list[HolderAnswer], set[str]]:
    """Every whole answer, opened and joined; and the holders of whose answer a part cannot be read (the saga takes none such:
    older software did, or somebody changed our table). The others' data is the person's all the same."""
    query = select(Part).where(Part.request_id == request.id).order_by(Part.holder, Part.subject, Part.part)
    rows = (await w.session.scalars(query)).all()
    if not rows:
        return [], set()
    private_key = await private_key_of(w, request)
    found: dict[str, list[HolderAnswer]] = {}
    unreadable: set[str] = set()
    for row in rows:
        try:
            found.setdefault(row.holder, []).append(opened(row.sealed, row.holder, private_key))
        except (TamperError, MalformedError):
            log.error("what %s answered to %s cannot be read: the package names it as missing", row.holder, request.id)
            unreadable.add(row.holder)
    return [join(parts) for holder, parts in found.items() if holder not in unreadable], unreadable


def summary_of(
    request: DataRequest, controller: str, contact: str, law: str, missing: Sequence[str], coverage: Sequence[str]
) -> dict[str, Any]:
    """`coverage`: the same for people; `covered` and `left_out`: for programs."""
    return {
        "request": request.id,
        "right": request.right,
        "received": rfc3339(request.received_at),
        "law": law,
        "article": request.article,
        "due": rfc3339(request.due_at),
        "controller": controller,
        "contact": contact,
        "outcome": request.outcome,
        "missing": list(missing),
        "covered": sorted(request.subjects),
        "left_out": max(request.left_out, len(request.others)),
        "coverage": list(coverage),
    }


async def deliver(
    w: Work,
    request: DataRequest,
    summary: dict[str, Any],
    silent: Sequence[str],
    *,
    phrase: str = "",
    recipient: str = "",
) -> tuple[bytes, str]:
    """(bytes, file name) of the package. Its download is an event: a reading of personal data by the person."""
    if request.right != "access" or request.state not in (State.ANSWERED, State.DELIVERED):
        raise ConflictError("there is no package for this request now")
    answers, unreadable = await answers_of(w, request)
    summary = {**summary, "missing": sorted({*summary["missing"], *unreadable})}
    said = {answer.holder for answer in answers}
    answers += [HolderAnswer(holder=holder) for holder in sorted({*silent, *unreadable}) if holder not in said]
    answers.sort(key=lambda one: one.holder)
    package = zipped(files_of(summary, answers, page(request.language, summary, answers)))
    locked = await asyncio.to_thread(seal.lock, package, phrase=phrase[:PHRASE_CHARS_MAX], recipient=recipient.strip())
    if request.state == State.ANSWERED:
        move(request, State.DELIVERED)
    subject = request.subjects[0] if len(request.subjects) == 1 else None
    encrypted = bool(phrase or recipient)
    w.publish(
        PackageDelivered(
            request_id=request.id, subject=subject, holders=sorted(said), encrypted=encrypted, subjects=sorted(request.subjects)
        )
    )
    return locked, f"kept-{request.id}.zip" + (".age" if encrypted else "")
