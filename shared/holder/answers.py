"""What a holder answers, made once for our services (sdk.py) and for other teams' (foreign.py)."""

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime

from pyrage import encrypt, x25519

from shared.bus.event import Event
from shared.clock import rfc3339
from shared.holder.contract import (
    Category,
    Collect,
    Collected,
    Erase,
    Erased,
    Forgotten,
    Found,
    Locate,
    Located,
    SubjectShredded,
    erasure_text,
    parts_of,
)
from shared.notes.note import Signer, sign_note


def located(holder: str, command: Locate, found: Sequence[Found]) -> Event:
    """The answer to `locate`: one person, nobody, or several whom more must tell apart."""
    everybody = {one.subject: sorted(one.locators) for one in found}
    return Located.of(holder)(
        request_id=command.request_id,
        holder=holder,
        subject=found[0].subject if len(found) == 1 else None,
        several=everybody if len(found) > 1 else {},
        found=everybody,
    )


def collected(holder: str, command: Collect, categories: Sequence[Category]) -> Iterator[Event]:
    """The numbered parts of the answer to `collect`, each sealed to the request's own key (age)."""
    parts = list(parts_of(holder, categories))
    recipient = x25519.Recipient.from_str(command.recipient)
    for number, part in enumerate(parts, 1):
        sealed = base64.b64encode(encrypt(part.model_dump_json().encode(), [recipient])).decode()
        yield Collected.of(holder)(
            request_id=command.request_id,
            holder=holder,
            subject=command.subject,
            part=number,
            parts=len(parts),
            sealed=sealed,
        )


async def erased(
    holder: str, command: Erase, done: Forgotten, *, at: datetime, signer: Signer, topic: str = ""
) -> tuple[Event, Event]:
    """What follows from an erasure, in this order: the shredding (on `topic`, else the holder's own), and the signed answer."""
    subject = command.subject or ""
    text = erasure_text(
        holder=holder,
        request_id=command.request_id,
        subject=subject,
        approval_id=command.approval_id,
        fields=done.fields,
        key_version=done.key_version,
        kept=done.kept,
        at=rfc3339(at),
    )
    note = await sign_note(text, signer)
    shredded = SubjectShredded.of(holder, topic)
    answer = Erased.of(holder)(
        request_id=command.request_id, holder=holder, subject=subject, fields=done.fields, kept=done.kept, note=note
    )
    return shredded(request_id=command.request_id, subject=subject, key_version=done.key_version), answer
