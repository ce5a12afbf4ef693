"""Bus in: holders' answers and identity's decisions, through the inbox, to the saga's actions."""

from services.dsar.events import ApprovalGranted, ApprovalRefused
from services.dsar.requests.tables import DataRequest
from services.dsar.saga import actions
from services.dsar.saga.actions import Course
from services.dsar.saga.tables import Erasure
from shared.bus.consumer import Handlers
from shared.bus.envelope import Envelope
from shared.holder.contract import Attested, Collected, Erased, Located
from shared.work import Work


def register(handlers: Handlers, course: Course) -> None:
    """Every holder has its own event type; dsar reads those of the configured holders."""

    async def on(w: Work, request: DataRequest | None) -> None:
        if request is not None:
            await actions.advance(w, request, course)

    for name in course.holders:

        @handlers.on(Located.of(name))
        async def located(w: Work, event: Located, envelope: Envelope) -> None:
            await on(w, await actions.located(w, event.request_id, event.holder, event))

        @handlers.on(Collected.of(name))
        async def collected(w: Work, event: Collected, envelope: Envelope) -> None:
            request = await actions.collected(
                w, event.request_id, event.holder, event.subject or "", event.part, event.parts, event.sealed
            )
            await on(w, request)

        @handlers.on(Erased.of(name))
        async def erased(w: Work, event: Erased, envelope: Envelope) -> None:
            said = Erasure(
                request_id=event.request_id,
                holder=event.holder,
                subject=event.subject or "",
                event_id=envelope.id,
                fields=event.fields,
                kept=[dict(one) for one in event.kept],
                note=event.note,
            )
            await on(w, await actions.erased(w, event.request_id, event.holder, event.subject or "", said))

    @handlers.on(Attested)
    async def attested(w: Work, event: Attested, envelope: Envelope) -> None:
        await on(w, await actions.attested(w, event.request_id, event.receipts))

    @handlers.on(ApprovalGranted)
    async def granted(w: Work, event: ApprovalGranted, envelope: Envelope) -> None:
        if event.action == "erase":
            await on(w, await actions.approved(w, event.resource, event.approval_id, event.approvers))

    @handlers.on(ApprovalRefused)
    async def refused(w: Work, event: ApprovalRefused, envelope: Envelope) -> None:
        if event.action == "erase":
            await actions.refused(w, event.resource)
