"""Bus in: every holder's erasures.

The blob first, then the row, then the offset: a crash between them repeats what is idempotent, and never forgets one.
"""

from collections.abc import Sequence

from shared.bus.consumer import Handlers
from shared.bus.envelope import Envelope
from shared.work import Work

from services.backup.restore import actions, erasures
from services.backup.store import Store
from shared.holder.contract import SubjectShredded


def register(handlers: Handlers, store: Store, holders: Sequence[str]) -> None:
    for holder in holders:
        _register(handlers, store, holder)


def _register(handlers: Handlers, store: Store, holder: str) -> None:
    @handlers.on(SubjectShredded.of(holder))
    async def shredded(w: Work, event: SubjectShredded, envelope: Envelope) -> None:
        subject = event.subject or ""
        await erasures.remember(store, holder, subject)
        await actions.hear(w, holder, subject, envelope.id)
