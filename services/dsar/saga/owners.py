"""Bus in: which service made which subject, from that service's own topic, since its beginning. The first word stays."""

from sqlalchemy.dialects.postgresql import insert

from services.dsar.events import CustomerCreated, UserCreated
from services.dsar.saga.tables import Owner
from services.dsar.saga.whose import OWNERS
from shared.bus.envelope import Envelope
from shared.handlers import Handlers
from shared.work import Work

TOPICS = tuple(f"kept.{owner}" for owner in OWNERS)
GROUP = "kept.dsar.owners"  # of its own: it reads from the first event on, whatever the saga has read


def register(handlers: Handlers) -> None:
    @handlers.on(UserCreated)
    async def user(w: Work, event: UserCreated, envelope: Envelope) -> None:
        await _made(w, event.subject, "identity")

    @handlers.on(CustomerCreated)
    async def customer(w: Work, event: CustomerCreated, envelope: Envelope) -> None:
        await _made(w, event.subject, "customers")


async def _made(w: Work, subject: str | None, owner: str) -> None:
    """Later another service may say the same of this subject; it did not make it."""
    if subject:
        await w.session.execute(insert(Owner).values(subject=subject, owner=owner).on_conflict_do_nothing())
