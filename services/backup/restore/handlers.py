"""Bus in: every holder's erasures.

The blob first, then the row, then the offset: a crash between them repeats what is idempotent, and never forgets one.
"""

from collections.abc import Mapping

from services.backup.restore import actions, erasures
from shared.blobs.store import BlobStore
from shared.bus.envelope import Envelope
from shared.handlers import Handlers
from shared.holder.contract import ForeignShredded, SubjectShredded
from shared.work import Work


def register(handlers: Handlers, store: BlobStore, holders: Mapping[str, str]) -> None:
    for holder, topic in holders.items():
        _register(handlers, store, holder, topic)


def _register(handlers: Handlers, store: BlobStore, holder: str, topic: str) -> None:
    async def hear(w: Work, subject: str, envelope: Envelope) -> None:
        await erasures.remember(store, holder, subject)
        await actions.hear(w, holder, subject, envelope.id)

    @handlers.on(SubjectShredded.of(holder, topic))
    async def shredded(w: Work, event: SubjectShredded, envelope: Envelope) -> None:
        await hear(w, event.subject or "", envelope)

    if topic != f"kept.{holder}":  # another team's: since version 2 it names the subject in the body

        @handlers.on(ForeignShredded.of(holder, topic))
        async def shredded_elsewhere(w: Work, event: ForeignShredded, envelope: Envelope) -> None:
            await hear(w, event.subjects[0], envelope)
