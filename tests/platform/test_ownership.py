"""Whose a record is: an id, also where the file came before the staff; and what a page of a team's records reads.

PostgreSQL is the real one; Vault is a stand-in, of which nothing is asked but a keyed hash and a wrapped key.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from sqlalchemy import Engine, create_engine, insert, literal, select, text

from services.customers.base import TABLES
from services.customers.policy.load import load
from services.customers.policy.model import FieldPolicy
from services.customers.records import jobs, ownership
from services.customers.records.looks import list_customers
from services.customers.records.rekey import renew_key
from services.customers.records.rows import page_of, readable, team_of
from services.customers.tables import Customer, StaffLocator
from services.customers.transfer import actions as transfer
from services.customers.transfer.actions import Imported, Wish, import_customers
from services.customers.transfer.compare import Compared, Known
from services.customers.transfer.model import ROWS_MAX, File, columns_of
from services.customers.wiring import Tools
from shared.access.actor import Actor
from shared.errors import InvalidInputError
from shared.keys.cipher import key_version
from shared.sheets import Sheet, decode
from shared.values.identifiers import external
from shared.values.typed import number
from shared.work import Door, Work
from tests.support.customers import empty, holder_of, tools_of
from tests.support.made_up import table
from tests.support.stand_in import StandIn

pytestmark = pytest.mark.platform
SYSTEM = Actor.system("customers")
JANE, NANCY, STEVE = ("sub_" + one * 32 for one in "123")


def manager(*team: str) -> Actor:
    return Actor(id=NANCY, kind="user", roles=frozenset({"sales_manager"}), team=frozenset({NANCY, *team}))


@dataclass
class Bench:
    """A customers database of its own."""

    door: Door
    tools: Tools

    async def locator(self, employee: str) -> str:
        ((found,),) = await self.tools.locators.of([("external", external("employee", number(employee)))])
        return found

    async def hired(self, user: str, employee: str) -> None:
        """Identity tells of a user."""
        async with self.door.begin(SYSTEM) as w:
            await ownership.note_user(w, user, [await self.locator(employee)])

    async def imported(self, numbers: Sequence[str], owner: str, *, unowned: bool = True) -> Imported:
        file = File(Sheet(decode(table(numbers, owner)), columns_of(load()), ROWS_MAX), load())
        async with self.door.begin(manager(JANE, STEVE)) as w:
            return await import_customers(w, self.tools, file, Wish(unowned=unowned))

    async def seen(self, actor: Actor) -> list[str]:
        async with self.door.look(actor, "support") as look:
            return [one.id for one in (await list_customers(look, self.tools, limit=200))[0]]

    async def rows(self) -> list[Customer]:
        async with self.door.begin(SYSTEM) as w:
            return list((await w.session.scalars(select(Customer).order_by(Customer.id))).all())

    async def counted(self) -> tuple[int, int]:
        async with self.door.begin(SYSTEM) as w:
            found = await ownership.count_unowned(w)
        return found.records, found.without_number

    async def told(self) -> list[bytes]:
        """What was said of records that were assigned."""
        async with self.door.begin(SYSTEM) as w:
            rows = (await w.session.execute(select(TABLES.outbox.c.headers, TABLES.outbox.c.value))).all()
            return [bytes(value) for headers, value in rows if "records.assigned" in str(headers)]


@pytest.fixture
async def bench(customers_server: Any) -> AsyncIterator[Bench]:
    vault = cast(Any, StandIn())
    async with empty(customers_server, vault) as door:
        yield Bench(door, tools_of(vault))


async def test_a_file_before_the_staff_waits_and_is_the_users_when_identity_tells_of_them(bench: Bench) -> None:
    with pytest.raises(InvalidInputError, match="nobody on the staff"):
        await bench.imported(["11", "12"], "3", unowned=False)
    assert (await bench.imported(["11", "12"], "3")).unowned == 2
    assert (await bench.imported(["13"], "4")).unowned == 1
    waiting = await bench.rows()
    assert all(one.owner_id is None and one.owner_number is not None and one.owner_locator for one in waiting)
    async with bench.door.begin(SYSTEM) as w:
        await w.unlock(*(one.id for one in waiting))
        numbers = [w.open(Customer.owner_number, one.id, one.owner_number) for one in waiting if one.owner_number]
    assert sorted(numbers) == ["3", "3", "4"], "each sealed under the customer's own key"
    assert await bench.counted() == (3, 0) and await bench.seen(manager(JANE)) == []

    await bench.hired(JANE, "3")
    mine = await bench.seen(manager(JANE))
    assert len(mine) == 2 and await bench.counted() == (1, 0) and await bench.seen(manager(STEVE)) == []
    there = {one.id: one for one in await bench.rows()}
    assert all(there[one].owner_id == JANE and there[one].owner_number is None for one in mine)
    (told,) = await bench.told()
    assert JANE.encode() in told and all(one.encode() in told for one in mine)
    assert (await bench.imported(["14"], "3")).unowned == 0 and len(await bench.seen(manager(JANE))) == 3


async def test_what_two_transactions_missed_of_each_other_is_found_by_the_clock(bench: Bench) -> None:
    """The file was read before the user was there and committed afterwards; or an older process wrote the row."""
    await bench.imported(["21"], "3")
    async with bench.door.begin(SYSTEM) as w:
        w.session.add(StaffLocator(locator=await bench.locator("3"), user_id=JANE))
    assert await bench.seen(manager(JANE)) == []
    assert not await jobs.tick(bench.door)
    assert len(await bench.seen(manager(JANE))) == 1 and await bench.counted() == (0, 0)
    assert not await jobs.tick(bench.door) and len(await bench.told()) == 1, "once"


async def test_two_processes_give_each_record_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "ROWS_PER_EVENT", 3)
    await bench.imported([str(100 + one) for one in range(10)], "3")
    async with bench.door.begin(SYSTEM) as w:
        w.session.add(StaffLocator(locator=await bench.locator("3"), user_id=JANE))

    async def drained() -> None:
        while await jobs.tick(bench.door):
            pass

    await asyncio.gather(drained(), drained())
    await drained()  # a batch that both had locked in part is done by whoever comes next
    told = await bench.told()
    assert await bench.counted() == (0, 0) and len(await bench.seen(manager(JANE))) == 10
    assert all(sum(one.id.encode() in line for line in told) == 1 for one in await bench.rows())


async def test_an_erasure_leaves_nothing_of_who_looked_after_them(bench: Bench) -> None:
    await bench.imported(["31"], "3")
    (one,) = await bench.rows()
    async with bench.door.begin(SYSTEM) as w:
        await holder_of(bench.tools).erase(w, one.id, "req_1")
    (gone,) = await bench.rows()
    assert (gone.owner_id, gone.owner_number, gone.owner_locator) == (None, None, None) and await bench.counted() == (0, 0)
    await bench.hired(JANE, "3")
    assert await bench.seen(manager(JANE)) == []


async def test_records_of_before_the_number_wait_by_the_locator_until_their_file_comes_again(bench: Bench) -> None:
    await bench.imported(["41", "42"], "3")
    async with bench.door.begin(SYSTEM) as w:
        await w.session.execute(text("UPDATE customers SET owner_number = NULL, number = NULL"))
    assert await bench.counted() == (2, 2)
    assert (await bench.imported(["41"], "4")).created == 0
    assert await bench.counted() == (2, 2), "another representative's number is not theirs"
    assert (await bench.imported(["41"], "3")).created == 0
    assert await bench.counted() == (2, 1)
    await bench.hired(JANE, "3")
    assert await bench.counted() == (0, 0) and len(await bench.seen(manager(JANE))) == 2


async def test_a_number_is_added_to_the_record_as_it_is_by_then(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the comparison and the write one is erased and another's key is renewed."""
    await bench.hired(JANE, "3")
    await bench.imported(["43", "44"], "3")
    async with bench.door.begin(SYSTEM) as w:
        await w.session.execute(text("UPDATE customers SET number = NULL"))
    gone, renewed = await bench.rows()
    real = transfer.compared

    async def compared(w: Work, policy: FieldPolicy, known: Sequence[Known]) -> Compared:
        found = await real(w, policy, known)
        async with bench.door.begin(SYSTEM) as other:
            await holder_of(bench.tools).erase(other, gone.id, "req_1")
            assert await renew_key(other, renewed.id) == 2
        return found

    monkeypatch.setattr(transfer, "compared", compared)
    await bench.imported(["43", "44"], "3")
    gone, renewed = await bench.rows()
    assert gone.erased_at is not None and gone.number is None
    assert renewed.number is not None and key_version(renewed.number) == 2


async def test_a_user_is_known_by_the_locators_that_hold_and_the_forgotten_by_none(bench: Bench) -> None:
    await bench.hired(JANE, "3")
    await bench.hired(JANE, "33")  # identity located them anew
    assert (await bench.imported(["51"], "3")).unowned == 1 and (await bench.imported(["52"], "33")).unowned == 0
    async with bench.door.begin(SYSTEM) as w:
        await ownership.forget_user(w, JANE)
        assert (await w.session.scalars(select(StaffLocator))).all() == []
    assert (await bench.imported(["53"], "33")).unowned == 1 and len(await bench.seen(manager(JANE))) == 1


# -- a page -----------------------------------------------------------------------------------------------------------


def fill(engine: Engine, owners: Sequence[str | None]) -> None:
    """A row of each owner, in the order of ids."""
    rows = [
        {"id": f"sub_{place:032x}", "version": 1, "owner_id": owner, "created_at": "now", "updated_at": "now", "normal_form": 2}
        for place, owner in enumerate(owners)
    ]
    with engine.begin() as connection:
        connection.execute(insert(Customer.__table__), rows)  # type: ignore[arg-type]  # it is a table
        keys = [{"subject": one["id"], "version": 1, "wrapped": "vault:v1:x"} for one in rows]
        connection.execute(insert(TABLES.data_keys), keys)
        connection.execute(text("ANALYZE customers"))


async def test_pages_are_those_of_the_readable_in_order(bench: Bench, customers_server: Any) -> None:
    chance = random.Random(7)
    staff = [f"sub_{100 + one:032x}" for one in range(12)]
    engine = create_engine(customers_server)
    fill(engine, [chance.choice([*staff, staff[0], staff[0], None]) for _ in range(400)])
    engine.dispose()
    async with bench.door.begin(SYSTEM) as w:
        for _ in range(60):
            actor = manager(*chance.sample(staff, chance.randint(0, 12)))
            after, rows = f"sub_{chance.randrange(-1, 420) % 2**32:032x}", chance.choice([1, 7, 51])
            wanted = readable(actor).where(Customer.id > after).order_by(Customer.id).limit(rows)
            found = (await w.session.scalars(page_of(team_of(actor), literal(after), literal(rows)))).all()
            assert list(found) == [one.id for one in (await w.session.scalars(wanted)).all()]


async def test_a_page_reads_no_more_than_its_rows_whosoever_they_are(bench: Bench, customers_server: Any) -> None:
    """Of 40,000 records one has five, another half, a third none: each page reads a few."""
    many, few, none = (f"sub_{one:032x}" for one in (201, 202, 203))
    engine = create_engine(customers_server)
    fill(engine, [many if one % 2 else few if one % 8000 == 0 else f"sub_{300 + one % 50:032x}" for one in range(40_000)])
    engine.dispose()
    async with bench.door.begin(SYSTEM) as w:
        for team in ([many], [few], [none], [few, none], [many, few, *(f"sub_{300 + one:032x}" for one in range(50))]):
            query = page_of(team_of(manager(*team)), literal(""), literal(51)).compile(
                dialect=w.session.get_bind().dialect, compile_kwargs={"literal_binds": True}
            )
            explained = await w.session.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".replace(":", "\\:")))
            rows = sum(read(cast(Any, explained)[0]["Plan"]))
            assert rows <= 51 * (len(team) + 2), (team[:2], rows)


def read(plan: dict[str, Any]) -> list[float]:
    """Rows that each scan of a table or an index gave, or threw away."""
    mine = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if "Relation Name" in plan else 0
    return [mine * plan["Actual Loops"], *(one for below in plan.get("Plans", []) for one in read(below))]
