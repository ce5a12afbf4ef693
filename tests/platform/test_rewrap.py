"""After a rotation every living key is under the newest version of its key encryption key, while the service works."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import MetaData, select, text

from shared import rewrap
from shared.db import kernel_tables
from shared.errors import InvariantError, UnavailableError
from shared.ids import new_id
from shared.keys.vault import Vault, Versions
from shared.rewrap import Rewrap
from tests.support.kernel import ME, Kernel, open_kernel

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)
TABLES = kernel_tables(MetaData())
KEYS = TABLES.data_keys.c
PEOPLE = 7
NEWEST = 1000  # whatever version the platform's own key has by now


class Rotating(Vault):
    """The real Vault, seen through a key that was rotated: another version is written where the real text says its own.

    Rotating the platform's own key takes minutes; tests/promises/test_p02_rotation.py does it."""

    newest = NEWEST
    bad: str = ""

    def __init__(self) -> None:
        """No server: nothing here needs one."""

    async def versions(self, key: str) -> Versions:
        return Versions(self.newest, 1)

    async def rewrap(self, key: str, values: Sequence[str]) -> list[str]:
        if self.bad in values:
            raise InvariantError("the key service refused an item of a batch")
        return [f"vault:v{self.newest}:{one.split(':')[2]}" for one in values]


@pytest.fixture
async def people(kernel: Kernel) -> AsyncIterator[list[str]]:
    subjects = sorted(new_id("sub") for _ in range(PEOPLE))
    async with kernel.door.begin(ME) as w:
        await w.create_keys(subjects)
    yield subjects


async def versions(kernel: Kernel) -> dict[str, int | None]:
    async with kernel.door.begin(ME) as w:
        rows = await w.session.execute(select(KEYS.subject, KEYS.kek_version))
        return {one.subject: one.kek_version for one in rows.all()}


async def bodies(kernel: Kernel) -> dict[str, str]:
    """Whose key each wrapped text is, whatever version wraps it."""
    async with kernel.door.begin(ME) as w:
        rows = await w.session.execute(select(KEYS.subject, KEYS.wrapped).where(KEYS.wrapped.is_not(None)))
        return {one.subject: one.wrapped.split(":")[2] for one in rows.all()}


async def aside(kernel: Kernel) -> list[str]:
    async with kernel.door.begin(ME) as w:
        return [*(await w.session.scalars(text("SELECT item FROM set_aside WHERE loop = 'rewrap'"))).all()]


async def finished(one: Rewrap) -> None:
    while await one.step():
        pass


async def test_every_living_key_is_rewrapped_and_who_was_shredded_stays_so(
    kernel: Kernel, people: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrap, "BATCH_KEYS", 2)
    vault = Rotating()
    shredded, gone_meanwhile, *living = people

    class Meanwhile(Rotating):
        """Somebody is shredded after their key was read and before it is written."""

        async def rewrap(self, key: str, values: Sequence[str]) -> list[str]:
            async with kernel.door.begin(ME) as w:
                await w.keyring.shred(w.session, gone_meanwhile, w.now)
            return await vault.rewrap(key, values)

    async with kernel.door.begin(ME) as w:
        await w.keyring.shred(w.session, shredded, w.now)
    theirs = await bodies(kernel)
    one = Rewrap(kernel.door, Meanwhile(), TABLES)
    assert [gauge.value for gauge in await one.left()] == [0]
    await finished(one)
    assert await versions(kernel) == dict.fromkeys(living, NEWEST) | dict.fromkeys((shredded, gone_meanwhile))
    assert await bodies(kernel) == {subject: theirs[subject] for subject in living}, "somebody has another's key"
    assert await aside(kernel) == []
    await finished(one)
    assert not await one.step() and [gauge.value for gauge in await one.left()] == [0]


async def test_two_at_once_and_who_holds_a_row_hold_up_nobody(kernel: Kernel, people: list[str]) -> None:
    one, other = (Rewrap(kernel.door, Rotating(), TABLES) for _ in range(2))
    async with kernel.door.begin(ME) as w:
        await w.session.execute(text("SELECT 1 FROM data_keys WHERE subject = :s FOR UPDATE"), {"s": people[0]})
        await asyncio.wait_for(asyncio.gather(finished(one), finished(other)), 60)
        left = [gauge.value for gauge in await one.left()]
    assert left == [1], "the row that was held waits for the next look"
    await finished(one)
    assert set((await versions(kernel)).values()) == {NEWEST}


async def test_a_key_that_cannot_be_rewrapped_is_set_aside_and_the_others_are_done(kernel: Kernel, people: list[str]) -> None:
    vault = Rotating()
    async with kernel.door.begin(ME) as w:
        vault.bad = await w.session.scalar(select(KEYS.wrapped).where(KEYS.subject == people[3])) or ""
    one = Rewrap(kernel.door, vault, TABLES)
    await finished(one)
    found = await versions(kernel)
    assert found.pop(people[3]) != NEWEST and set(found.values()) == {NEWEST}
    assert await aside(kernel) == [f"{people[3]}/1"]


async def test_a_key_service_that_is_away_is_no_keys_fault(kernel: Kernel, people: list[str]) -> None:
    asked = list[str]()

    class Away(Rotating):
        async def rewrap(self, key: str, values: Sequence[str]) -> list[str]:
            asked.append(key)
            raise UnavailableError("the key service is sealed or away")

    with pytest.raises(UnavailableError):
        await Rewrap(kernel.door, Away(), TABLES).step()
    assert await aside(kernel) == [] and len(asked) == 1, "who is away is not asked about each key"


async def test_a_key_that_is_on_its_way_is_rewrapped_when_it_is_there(kernel: Kernel, people: list[str]) -> None:
    one = Rewrap(kernel.door, Rotating(), TABLES)
    late = new_id("sub")
    async with kernel.door.begin(ME) as w:
        await w.create_keys([late])
        for _ in range(2):  # the second look finds nothing that it can see
            await finished(one)
    assert (await versions(kernel))[late] != NEWEST
    await finished(one)
    assert set((await versions(kernel)).values()) == {NEWEST}
