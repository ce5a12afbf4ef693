"""How a service holds its part of a person's rights: implement `Holder`, then `attach` it to the service's handlers.

Every verb runs in one transaction with its answer, through the inbox: asked twice, a holder answers twice, the same.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence

from pyrage import encrypt, x25519

from shared.bus.consumer import Handlers
from shared.bus.envelope import Envelope
from shared.clock import rfc3339
from shared.holder.contract import (
    Category,
    Collect,
    Collected,
    Erase,
    Erased,
    Forgotten,
    Locate,
    Located,
    SubjectShredded,
    erasure_text,
    parts_of,
)
from shared.notes.note import Signer, sign_note
from shared.work import Work

__all__ = ["Forgotten", "Holder", "attach"]


class Holder(ABC):
    """One holder. `name` as in the answer types; also the last part of its signing key's name."""

    name: str

    @abstractmethod
    async def locate(self, w: Work, locators: Sequence[str]) -> str | None:
        """The subject that these locators belong to here, or None."""

    @abstractmethod
    async def collect(self, w: Work, subject: str) -> list[Category]:
        """Everything held on `subject`, in clear: it is sealed before it leaves."""

    @abstractmethod
    async def erase(self, w: Work, subject: str, request_id: str) -> Forgotten:
        """Forget `subject`: shred the key, delete index rows. Idempotent."""


def attach(handlers: Handlers, holder: Holder, signer: Signer) -> None:
    """Answer dsar's commands with `holder`."""

    @handlers.on(Locate)
    async def locate(w: Work, command: Locate, envelope: Envelope) -> None:
        subject = await holder.locate(w, command.locators)
        w.publish(Located.of(holder.name)(request_id=command.request_id, holder=holder.name, subject=subject))

    @handlers.on(Collect)
    async def collect(w: Work, command: Collect, envelope: Envelope) -> None:
        categories = await holder.collect(w, command.subject or "")
        parts = list(parts_of(holder.name, categories))
        recipient = x25519.Recipient.from_str(command.recipient)
        for number, part in enumerate(parts, 1):
            sealed = base64.b64encode(encrypt(part.model_dump_json().encode(), [recipient])).decode()
            answer = Collected.of(holder.name)(
                request_id=command.request_id,
                holder=holder.name,
                subject=command.subject,
                part=number,
                parts=len(parts),
                sealed=sealed,
            )
            w.publish(answer)

    @handlers.on(Erase)
    async def erase(w: Work, command: Erase, envelope: Envelope) -> None:
        subject = command.subject or ""
        done = await holder.erase(w, subject, command.request_id)
        shredded = SubjectShredded.of(holder.name)
        w.publish(shredded(request_id=command.request_id, subject=subject, key_version=done.key_version))
        text = erasure_text(
            holder=holder.name,
            request_id=command.request_id,
            subject=subject,
            approval_id=command.approval_id,
            fields=done.fields,
            key_version=done.key_version,
            kept=done.kept,
            at=rfc3339(w.now),
        )
        note = await sign_note(text, signer)
        w.publish(
            Erased.of(holder.name)(
                request_id=command.request_id,
                holder=holder.name,
                subject=subject,
                fields=done.fields,
                kept=done.kept,
                note=note,
            )
        )
