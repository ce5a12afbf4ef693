"""Bus in: a verified person asked to be forgotten; that takes two people."""

from datetime import timedelta

from pydantic import ConfigDict

from services.identity.approvals import actions
from shared.bus.consumer import Handlers
from shared.bus.envelope import Envelope
from shared.bus.event import Event
from shared.work import Work


class ErasureRequested(Event, type="kept.dsar.erasure.requested.v1"):
    """dsar's event as far as identity reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    request_id: str


def register(handlers: Handlers, lifetime: timedelta) -> None:
    @handlers.on(ErasureRequested)
    async def asked(w: Work, event: ErasureRequested, envelope: Envelope) -> None:
        await actions.request_erasure(w, event.request_id, event.subject, lifetime)
