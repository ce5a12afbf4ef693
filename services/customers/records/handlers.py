"""Bus in: the staff directory."""

from services.customers.events import UserCreated, UserLocated
from services.customers.records import ownership
from shared.bus.envelope import Envelope
from shared.handlers import Handlers
from shared.holder.contract import SubjectShredded
from shared.work import Work


def register(handlers: Handlers) -> None:
    @handlers.on(UserCreated)
    async def user_created(w: Work, event: UserCreated, envelope: Envelope) -> None:
        if event.subject is not None:
            await ownership.note_user(w, event.subject, event.locators)

    @handlers.on(UserLocated)
    async def user_located(w: Work, event: UserLocated, envelope: Envelope) -> None:
        if event.subject is not None:
            await ownership.note_user(w, event.subject, event.locators)

    @handlers.on(SubjectShredded.of("identity"))
    async def user_forgotten(w: Work, event: SubjectShredded, envelope: Envelope) -> None:
        if event.subject is not None:
            await ownership.forget_user(w, event.subject)
