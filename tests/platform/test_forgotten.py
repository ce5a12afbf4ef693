"""Who was forgotten stays so when the locators' key rotates; what erasures of before this list left is taken over."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from sqlalchemy import delete, select, text, update

from services.customers.policy.load import load
from services.customers.records.forgotten import count_unmarked
from services.customers.tables import Customer, ForgottenLocator, ForgottenMark
from services.customers.transfer.actions import Imported, Wish, import_customers
from services.customers.transfer.model import ROWS_MAX, File, columns_of
from services.customers.wiring import Tools
from shared.access.actor import Actor
from shared.commands.keys import unmarked_under
from shared.keys.ciphertext import as_stored
from shared.keys.locators import Locators
from shared.keys.vault import Versions
from shared.sheets import Sheet, decode
from shared.sweep import Sweep
from shared.work import Door
from tests.support.customers import empty, holder_of, tools_of
from tests.support.made_up import email, numbers, table
from tests.support.stand_in import StandIn

pytestmark = pytest.mark.platform
ME = Actor.system("customers")
NANCY = Actor(id="sub_" + "2" * 32, kind="user", roles=frozenset({"sales_manager"}), team=frozenset({"sub_" + "2" * 32}))


@dataclass
class Bench:
    door: Door
    tools: Tools
    vault: StandIn

    async def imported(self, file: bytes, *, check: bool = False, returning: bool = False) -> Imported:
        sheet = File(Sheet(decode(file), columns_of(load()), ROWS_MAX), load())
        async with self.door.begin(NANCY) as w:
            return await import_customers(w, self.tools, sheet, Wish(returning=returning, unowned=True, check=check))

    async def erased(self) -> None:
        async with self.door.begin(ME) as w:
            (subject,) = (await w.session.scalars(select(Customer.id).where(Customer.erased_at.is_(None)))).all()
            await holder_of(self.tools).erase(w, subject, "req_1")

    async def told_back(self) -> list[bool]:
        """Of each record that was made: whether its event says that the person had been forgotten."""
        async with self.door.begin(ME) as w:
            made = text("SELECT value FROM outbox WHERE headers::text LIKE '%customer.created%' ORDER BY id")
            values = await w.session.scalars(made)
        return [json.loads(bytes(one))["returned"] for one in values]

    async def unmarked(self) -> int:
        async with self.door.begin(ME) as w:
            return await count_unmarked(w)

    async def lost_with(self, version: int) -> int:
        """How many a trim of this version would take off the list."""
        async with self.door.begin(ME) as w:
            return (await unmarked_under(await w.session.connection(), cast(Any, self.vault))).get(version, 0)

    async def as_before(self) -> None:
        """As if the version before had erased them: it left locators, and knew no marks."""
        async with self.door.begin(ME) as w:
            await w.session.execute(delete(ForgottenMark))
            await w.session.execute(update(ForgottenLocator).values(taken_over=False))

    def rotated(self) -> None:
        """The locators' key has a new version, and the old one is gone."""
        newest = self.vault.live.newest + 1
        self.vault.live = Versions(newest, newest)


@pytest.fixture
async def bench(customers_server: Any) -> AsyncIterator[Bench]:
    vault = StandIn()
    async with empty(customers_server, cast(Any, vault)) as door:
        yield Bench(door, tools_of(cast(Any, vault)), vault)


def moved(number: str) -> bytes:
    """The same address under a new number."""
    (new,) = numbers(1)
    return table([new]).replace(email(new).encode(), email(number).encode())


async def test_no_old_file_brings_anybody_back_after_the_locators_key_has_rotated(bench: Bench) -> None:
    (number,) = numbers(1)
    await bench.imported(table([number]))
    await bench.erased()
    bench.rotated()
    for file in (table([number]), moved(number)):
        done = await bench.imported(file)
        assert (done.created, done.forgotten) == (0, 1)
    assert await bench.unmarked() == 0
    back = await bench.imported(moved(number), returning=True)
    assert (back.created, back.returned) == (1, 1) and await bench.told_back() == [False, True]
    assert (await bench.imported(table([number]), check=True)).forgotten == 1, "the number was not said to be back"


async def test_what_an_older_version_left_is_taken_over_when_the_text_is_there_again(bench: Bench) -> None:
    (number,) = numbers(1)
    await bench.imported(table([number]))
    await bench.erased()
    await bench.as_before()
    assert await bench.unmarked() == 2
    assert (await bench.imported(table([number]), check=True)).forgotten == 1
    assert await bench.unmarked() == 0
    bench.rotated()
    for file in (table([number]), moved(number)):
        assert (await bench.imported(file)).forgotten == 1


async def test_what_was_never_seen_again_ends_with_its_key_and_is_counted_until_then(bench: Bench) -> None:
    (number,) = numbers(1)
    await bench.imported(table([number]))
    await bench.erased()
    await bench.as_before()
    assert await bench.lost_with(1) == 2 and await bench.lost_with(2) == 0
    bench.rotated()
    assert (await bench.imported(table([number]), check=True)).forgotten == 0
    assert await bench.unmarked() == 2 and await bench.lost_with(1) == 0, "what says nothing any more keeps nobody waiting"
    sweep = Sweep(bench.door, Locators(cast(Any, bench.vault)), ForgottenLocator.locator)
    assert await sweep.step() and await bench.unmarked() == 0


async def test_a_rotation_waits_for_what_has_no_mark_under_an_older_version_alone(bench: Bench) -> None:
    first, second = numbers(2)
    for number in (first, second):
        await bench.imported(table([number]))
        await bench.erased()
    await bench.as_before()
    bench.vault.live = Versions(2, 1)
    assert await bench.lost_with(1) == 4
    await bench.imported(table([first]), check=True)
    assert await bench.lost_with(1) == 2, "a file that was only checked took the first one over"
    await bench.imported(table([second]))
    assert await bench.lost_with(1) == 0


async def test_what_does_not_open_is_erased_all_the_same_and_leaves_its_locators(bench: Bench) -> None:
    (number,) = numbers(1)
    await bench.imported(table([number]))
    async with bench.door.begin(ME) as w:
        await w.session.execute(update(Customer).values(number=as_stored(bytes([1]) + bytes(40))))
    await bench.erased()
    assert await bench.unmarked() == 2
    assert (await bench.imported(table([number]))).forgotten == 1
