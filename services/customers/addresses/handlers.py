"""Bus in: two people decided on evidence that a changed address is the person's."""

from services.customers.addresses import actions
from services.customers.events import ApprovalGranted
from services.customers.wiring import Tools
from shared.bus.envelope import Envelope
from shared.handlers import Handlers
from shared.work import Work


def register(handlers: Handlers, tools: Tools) -> None:
    @handlers.on(ApprovalGranted)
    async def granted(w: Work, event: ApprovalGranted, envelope: Envelope) -> None:
        await actions.decided(w, tools, event)
