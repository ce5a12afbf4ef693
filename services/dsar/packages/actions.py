"""Hand over what is held: opened from the sealed answers, in memory, for the person who proved the address."""

import asyncio
import base64
import binascii
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
from shared.errors import ConflictError, InvariantError, MalformedError
from shared.work import Work

PHRASE_CHARS_MAX = 256


async def answers_of(w: Work, request: DataRequest) -> list[HolderAnswer]:
    """Every whole answer, opened and joined. A part that does not open is a TamperError, not a gap."""
    query = select(Part).where(Part.request_id == request.id).order_by(Part.holder, Part.subject, Part.part)
    rows = (await w.session.scalars(query)).all()
    if not rows:
        return []
    if request.private_key is None:
        raise InvariantError("an open request has its private key")
    private_key = await w.open(DataRequest.private_key, request.id, request.private_key)
    opened: dict[str, list[HolderAnswer]] = {}
    for row in rows:
        try:
            sealed = base64.b64decode(row.sealed, validate=True)
        except binascii.Error as error:
            raise MalformedError("a holder's answer is not base64") from error
        opened.setdefault(row.holder, []).append(read_part(seal.open_answer(sealed, private_key), row.holder))
    return [join(parts) for parts in opened.values()]


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
    answers = await answers_of(w, request)
    said = {answer.holder for answer in answers}
    answers += [HolderAnswer(holder=holder) for holder in silent if holder not in said]
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
