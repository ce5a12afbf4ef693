"""What a holder answers, made once for our services (sdk.py) and for other teams' (foreign.py): each answer with its
signed note."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from pyrage import encrypt, x25519

from shared.bus.event import Event
from shared.clock import rfc3339
from shared.holder.bounds import check_kept, check_part
from shared.holder.contract import (
    Answer,
    Category,
    Collect,
    Collected,
    Erase,
    Erased,
    ForeignShredded,
    Forgotten,
    Found,
    Locate,
    Located,
    SubjectShredded,
    parts_of,
)
from shared.holder.word import text_of
from shared.notes.note import Signer, sign_notes

A = TypeVar("A", bound=Answer)


async def signed(answers: Sequence[A], signer: Signer) -> list[A]:
    """Each with its note; what one key in Vault signs goes there in one call."""
    notes = await sign_notes([(text_of(one), signer) for one in answers])
    return [one.model_copy(update={"note": note}) for one, note in zip(answers, notes, strict=True)]


async def located(holder: str, command: Locate, found: Sequence[Found], signer: Signer) -> Event:
    """The answer to `locate`: one record, none, or several that more must tell apart."""
    records = {one.subject: sorted(set(one.locators)) for one in sorted(found, key=lambda one: one.subject)}
    said = Located.of(holder)(request_id=command.request_id, holder=holder, subjects=list(records), found=records, note="")
    return (await signed([said], signer))[0]


async def collected(holder: str, command: Collect, categories: Sequence[Category], signer: Signer) -> Sequence[Event]:
    """The numbered parts of the answer to `collect`, each sealed to the request's own key (age).
    MalformedError for what dsar would refuse."""
    parts = list(parts_of(holder, categories))
    for one in parts:
        check_part(one.categories)
    recipient = x25519.Recipient.from_str(command.recipient)
    said = [
        Collected.of(holder)(
            request_id=command.request_id,
            holder=holder,
            subjects=[command.subject or ""],
            part=number,
            parts=len(parts),
            sealed=base64.b64encode(encrypt(part.model_dump_json().encode(), [recipient])).decode(),
            note="",
        )
        for number, part in enumerate(parts, 1)
    ]
    return await signed(said, signer)


async def erased(
    holder: str, command: Erase, done: Forgotten, *, at: datetime, signer: Signer, topic: str = ""
) -> tuple[Event, Event]:
    """What follows from an erasure, in this order: the shredding (of another team's holder: on `topic`), and the signed
    answer. MalformedError for words that dsar would refuse."""
    subject = command.subject or ""
    check_kept(done.kept)
    said = Erased.of(holder)(
        request_id=command.request_id,
        holder=holder,
        subjects=[subject],
        approval_id=command.approval_id,
        fields=done.fields,
        key_version=done.key_version,
        kept=done.kept,
        at=rfc3339(at),
        note="",
    )
    (answer,) = await signed([said], signer)
    request, version = command.request_id, done.key_version
    if topic:
        shredded = ForeignShredded.of(holder, topic)
        return shredded(request_id=request, subjects=[subject], key_version=version), answer
    return SubjectShredded.of(holder)(request_id=request, subject=subject, key_version=version), answer
