"""What /metrics shows of accounts."""

from sqlalchemy import func, select

from services.identity.accounts.tables import User
from shared.access.actor import Actor
from shared.gauges import Gauge, Gauges
from shared.work import Door


def gauges(door: Door) -> Gauges:
    """Accounts of before their employee number was kept: their locators cannot be made anew, until their file comes again."""

    async def without_number() -> list[Gauge]:
        async with door.begin(Actor.system(door.service)) as w:
            without = select(func.count()).select_from(User).where(User.number.is_(None), User.erased_at.is_(None))
            return [Gauge("kept_users_without_number", {}, await w.session.scalar(without) or 0)]

    return without_number
