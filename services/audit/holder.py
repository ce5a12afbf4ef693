"""How audit answers data-subject commands: who looked; forget what it sealed; and receipts for other holders' answers."""

import json
from collections.abc import Iterator, Mapping, Sequence

from services.audit.index import known
from services.audit.index.actions import looks_at
from services.audit.index.receipts import receipt_of
from services.audit.index.tables import Known
from services.audit.log.pins import until_unpinned
from services.audit.log.seal import OWN_TOPICS
from shared.blobs import BlobStore
from shared.bus.envelope import Envelope
from shared.errors import NotFoundError, UnavailableError
from shared.handlers import Handlers
from shared.holder.contract import Attest, Attested, Category, Forgotten, Kept
from shared.holder.sdk import Found, Holder, found_by
from shared.work import Work

RECEIPTS_BYTES_MAX = 512 * 1024  # of one answer, well under the bus's EVENT_BYTES_MAX


class AuditHolder(Holder):
    name = "audit"

    async def locate(self, w: Work, locators: Sequence[str]) -> list[Found]:
        """By the locators that events carried."""
        return await found_by(w, locators, Known.subject, Known.locator)

    async def collect(self, w: Work, subject: str) -> list[Category]:
        looks = [
            {
                "when": row.time,
                "who": row.actor,
                "what": row.type,
                "fields": row.detail.get("fields", {}),
                "purpose": row.purpose,
            }
            for row in await looks_at(w, subject)
        ]
        return [
            Category(
                name="who looked at your data",
                purpose="show that data is used as promised, and find misuse",
                basis="GDPR 6(1)(f), 5(2), 32",
                retention="as long as the log: entries hold a pseudonym and no readable data",
                records=looks,
            )
        ]

    async def erase(self, w: Work, subject: str, request_id: str) -> Forgotten:
        """Shred the key under which foreign records about the subject were sealed; later ones are not kept at all."""
        await known.hold_swap(w)
        report = await w.shred(subject)
        await until_unpinned(w, subject)
        gone = await known.forget(w, subject)
        kept = [
            Kept(what="that events happened, under a pseudonym that leads to nobody any more", reason="GDPR 5(2), 17(3)(e)"),
            Kept(
                what="keyed hashes of address and number in those events, until the key rotates", reason="GDPR 5(2), 17(3)(e)"
            ),
        ]
        return Forgotten(fields=gone, key_version=report.version, kept=kept)


def attach_receipts(handlers: Handlers, blobs: BlobStore) -> None:
    """Answer `attest`, about events of our own: another team's record may have taken their ids."""

    @handlers.on(Attest)
    async def attest(w: Work, command: Attest, envelope: Envelope) -> None:
        try:
            receipts = {one: await receipt_of(w, blobs, one, OWN_TOPICS) for one in command.event_ids}
        except NotFoundError:
            raise UnavailableError("the log does not cover them yet", retry_after=1) from None
        for some in in_bites(receipts):
            w.publish(Attested(request_id=command.request_id, receipts=some))


def in_bites(receipts: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """All of them, in as many answers as the bus needs: dsar takes each, and goes on when it has the last."""
    some: dict[str, str] = {}
    size = 0
    for event_id, receipt in receipts.items():
        bytes_ = len(json.dumps(receipt)) + 100
        if some and size + bytes_ > RECEIPTS_BYTES_MAX:
            yield some
            some, size = {}, 0
        some[event_id] = receipt
        size += bytes_
    yield some
