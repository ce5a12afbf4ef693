"""Issue a certificate: compose, sign, store, say so; in the transaction that answers the request."""

import hashlib
from typing import Literal

from sqlalchemy import select

from services.dsar.certificates.model import REMAINS, Answer, Covered, Kept, ordered, parse, render
from services.dsar.certificates.model import Certificate as Text
from services.dsar.certificates.tables import Certificate, Erasure
from services.dsar.events import CertificateIssued
from services.dsar.requests.tables import Claim, DataRequest
from shared.clock import rfc3339
from shared.errors import InvariantError, NotFoundError
from shared.notes.note import Signer, sign_note, split_note
from shared.work import Work


async def compose(w: Work, request: DataRequest) -> Text:
    """The certificate's content from the holders' signed words and the log's receipts."""
    rows = (await w.session.scalars(select(Erasure).where(Erasure.request_id == request.id))).all()
    if not rows or any(row.receipt is None for row in rows):
        raise InvariantError("a certificate needs every receipt")
    answers = [
        Answer(
            holder=row.holder,
            subject=row.subject,
            fields=row.fields,
            event_id=row.event_id,
            note=row.note,
            kept=tuple(Kept(what=str(k["what"]), reason=str(k["reason"])) for k in row.kept),
            receipt=row.receipt or "",
        )
        for row in rows
    ]
    claims = {one.subject: one for one in await w.session.scalars(select(Claim).where(Claim.request_id == request.id))}
    return Text(
        request=request.id,
        law=request.law,
        article=request.article,
        received=rfc3339(request.received_at),
        approval=request.approval_id or "",
        approvers=tuple(request.approvers),
        issued=rfc3339(w.now),
        covered=tuple(
            Covered(subject=one, by=_by(claims.get(one)) if one in request.subjects else "holder")
            for one in sorted(request.asked_about)
        ),
        left_out=len(request.others),
        counted=rfc3339(w.now),
        remains=REMAINS,
        answers=ordered(answers),
    )


def _by(claim: Claim | None) -> Literal["address", "number", "desk"]:
    if claim is None:
        return "address"
    return "desk" if claim.staff else "number"


async def issue(w: Work, request: DataRequest, text: Text, signer: Signer) -> None:
    """Sign and store what was composed and verified. If the process dies here, nothing happened, and the next advance
    issues it."""
    if await w.session.get(Certificate, request.id) is not None:
        return
    note = await sign_note(render(text), signer)
    sha256 = hashlib.sha256(note.encode()).hexdigest()
    w.session.add(Certificate(request_id=request.id, note=note, sha256=sha256, issued_at=w.now))
    w.publish(CertificateIssued(request_id=request.id, certificate_sha256=sha256))


async def certificate_of(w: Work, request_id: str) -> Certificate:
    found = await w.session.get(Certificate, request_id)
    if found is None:
        raise NotFoundError
    return found


async def content_of(w: Work, request_id: str) -> Text | None:
    """What an issued certificate says, for pages and mails: they repeat it, and say no more. None where there is none."""
    found = await w.session.get(Certificate, request_id)
    return parse(split_note(found.note)[0]) if found is not None else None
