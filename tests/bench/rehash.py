"""How fast the hashes of customers are made anew after their keys were rotated, by one process."""

import asyncio
import os
import time

from deploy.local import environment
from services.customers.base import TABLES
from services.customers.records.renewal import UNMADE, renew
from services.customers.settings import CustomersSettings
from services.customers.tables import Customer
from shared.installed import operator
from shared.keys import versions
from shared.keys.blind import key_name
from shared.keys.locators import KEY
from shared.renewal import Renewal
from shared.service import ground
from tests.bench import report, stock
from tests.bench.servers import servers
from tests.support.customers import tools_of

PEOPLE, PEOPLE_QUICK = 100_000, 10_000


async def migrated() -> None:
    """Where people can be."""
    await (await ground(CustomersSettings(), TABLES)).door.close()


async def rehashed(people: int) -> float:
    """Seconds."""
    base = await ground(CustomersSettings(), TABLES)
    tools = tools_of(base.vault)
    for key in (KEY, key_name("customers")):
        await operator("rotation").rotate(key)
    versions.SETTLE_SECONDS = 0.0  # nobody else is there
    renewal = Renewal(base.door, Customer, lambda w, rows: renew(w, tools, rows), tools.hashed, UNMADE)
    began = time.perf_counter()
    while await renewal.step():
        pass
    seconds = time.perf_counter() - began
    assert [one.value for one in await renewal.left()] == [0]
    await base.door.close()
    return seconds


def measure(people: int) -> str:
    with servers() as state:
        os.environ.update(environment.read(state, "customers"), KEPT_STATE=str(state.root))
        asyncio.run(migrated())
        stock.make(state, people, print)
        seconds = asyncio.run(rehashed(people))
    return f"""
{people:,} customers with address, telephone and number, after `kept-locator` and `kept-customers-blind` were rotated. Vault
unwraps each key and makes three locators of each person, four fields are opened, two indexes are made, and an event tells of
each person: {seconds:.0f} s, **{people / seconds:,.0f} people/s** by one process.
"""


def main() -> None:
    quick = report.arguments(__doc__).quick
    report.section("rehash", "Making hashes anew", measure(PEOPLE_QUICK if quick else PEOPLE), quick=quick)


if __name__ == "__main__":
    main()
