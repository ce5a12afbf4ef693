"""Bus in: the staff directory."""

from services.customers.events import UserCreated
from services.customers.records import actions
from shared.bus.consumer import Handlers
from shared.bus.envelope import Envelope
from shared.work import Work


def register(handlers: Handlers) -> None:
    @handlers.on(UserCreated)
    async def user_created(w: Work, event: UserCreated, envelope: Envelope) -> None:
        await actions.note_user(w, event)
