"""Bus in: a verified person asked to be forgotten; that takes two people."""

from datetime import timedelta

from pydantic import ConfigDict
from shared.bus.consumer import Handlers
from shared.bus.envelope import Envelope
from shared.work import Work

from services.identity.approvals import actions
from shared.bus.event import Event
from shared.errors import ConflictError


class ErasureRequested(Event, type="kept.dsar.erasure.requested.v1"):
    """dsar's event as far as identity reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    request_id: str


def register(handlers: Handlers, lifetime: timedelta) -> None:
    @handlers.on(ErasureRequested)
    async def asked(w: Work, event: ErasureRequested, envelope: Envelope) -> None:
        try:
            await actions.request(w, "erase", event.request_id, lifetime, subject=event.subject)
        except ConflictError:
            return  # asked again while the first one waits
