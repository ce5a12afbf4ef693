"""Bus in: a verified person asked to be forgotten; that takes two people."""

from datetime import datetime, timedelta

from pydantic import ConfigDict, Field

from services.identity.approvals import actions
from services.identity.approvals.model import ByServices, Ground
from shared.bus.envelope import Envelope
from shared.bus.event import Event
from shared.handlers import Handlers
from shared.work import Work


class ErasureRequested(Event, type="kept.dsar.erasure.requested.v1"):
    """dsar's event as far as identity reads it. It comes again while nobody has decided, with what is new."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    request_id: str
    subjects: list[str] = Field(default_factory=list)
    staff: list[str] = Field(default_factory=list)
    due: datetime | None = None
    grounds: list[Ground] = Field(default_factory=list)


class RequestClosed(Event, type="kept.dsar.request.closed.v1"):
    """dsar's event as far as identity reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    request_id: str


def register(handlers: Handlers, lifetime: timedelta) -> None:
    @handlers.on(ErasureRequested)
    async def asked(w: Work, event: ErasureRequested, envelope: Envelope) -> None:
        said = actions.Asked(event.request_id, event.subject, event.subjects, event.due, event.grounds, event.staff)
        await actions.request_by_service(w, ByServices.ERASE, said, lifetime)

    @handlers.on(RequestClosed)
    async def closed(w: Work, event: RequestClosed, envelope: Envelope) -> None:
        await actions.withdraw(w, ByServices.ERASE, event.request_id)
