"""Who waits for whom: a maker and a shred of one person take turns, in either order and across processes; others never wait."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import URL, text

from services.customers.base import TABLES
from services.customers.tables import Customer
from shared.db import make_engine
from shared.errors import KeptError, ShreddedError
from shared.ids import new_id
from shared.keys.keyring import settled
from shared.migrations import migrate
from shared.work import Work
from tests.support.keys import AT_ONCE, ME, door_on, until_blocked
from tests.support.postgres import server

pytestmark = pytest.mark.platform
Act = Callable[[Work, str], Awaitable[object]]


async def create(w: Work, subject: str) -> object:
    return await w.keyring.create(w.session, [subject])


async def key(w: Work, subject: str) -> object:
    return (await w.keyring.keys(w.session, [subject]))[subject]


async def hold(w: Work, subject: str) -> object:
    return await w.keyring.hold(w.session, [subject])


async def shred(w: Work, subject: str) -> object:
    return await w.shred(subject)


MAKERS: list[Act] = [create, key, hold]


class Kernel:
    """The customers' keyring on a PostgreSQL."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = make_engine(url)
        self.door = door_on(self.engine)

    async def count(self, where: str) -> int:
        async with self.engine.connect() as connection:
            return int((await connection.execute(text(f"SELECT count(*) FROM {where}"))).scalar_one())


@pytest.fixture(scope="module")
async def kernel() -> AsyncIterator[Kernel]:
    async with server() as urls:
        await asyncio.to_thread(migrate, "customers", urls["customers"])
        yield (found := Kernel(urls["customers"]))
        await found.engine.dispose()


async def done(kernel: Kernel, act: Act, subject: str) -> object:
    async with kernel.door.begin(ME) as w:
        return await act(w, subject)


@asynccontextmanager
async def waiting(kernel: Kernel, act: Act, subject: str) -> AsyncIterator[asyncio.Task[object]]:
    """`act` in a transaction of its own, once PostgreSQL says that it waits for another's."""
    task = asyncio.create_task(done(kernel, act, subject))
    await until_blocked(kernel.engine, task)
    yield task


async def test_a_shred_neither_waits_for_other_people_nor_holds_them_up(kernel: Kernel) -> None:
    known, *others = (new_id("sub") for _ in range(5))
    await done(kernel, create, known)
    async with kernel.door.begin(ME) as w:
        for act, subject in zip((key, *MAKERS), (known, *others[:3]), strict=True):
            await act(w, subject)
        async with asyncio.timeout(AT_ONCE):
            await done(kernel, shred, others[3])
    async with kernel.door.begin(ME) as w:
        await shred(w, new_id("sub"))
        async with asyncio.timeout(AT_ONCE):
            for act in (*MAKERS, shred):
                await done(kernel, act, new_id("sub"))
            await done(kernel, key, known)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_a_shred_waits_for_who_makes_or_holds_this_person(kernel: Kernel, make: Act, known: bool) -> None:
    subject = new_id("sub")
    if known and make is not create:
        await done(kernel, create, subject)
    async with kernel.door.begin(ME) as w:
        await make(w, subject)
        async with waiting(kernel, shred, subject) as shredding:
            pass
    await shredding
    assert await kernel.count(f"data_keys WHERE subject = '{subject}' AND wrapped IS NULL AND shredded_at IS NOT NULL") == 1
    assert await kernel.count(f"data_keys WHERE subject = '{subject}'") == 1


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_who_makes_or_holds_waits_for_a_shred_of_this_person(kernel: Kernel, make: Act, known: bool) -> None:
    subject = new_id("sub")
    if known:
        await done(kernel, create, subject)
    async with kernel.door.begin(ME) as w:
        await shred(w, subject)
        async with waiting(kernel, make, subject) as making:
            pass
    if make is create:
        with pytest.raises(ShreddedError):
            await making
    else:
        assert await making in (None, {subject})
    assert await kernel.count(f"data_keys WHERE subject = '{subject}' AND wrapped IS NOT NULL") == 0


async def test_who_reads_a_key_may_be_in_the_middle_of_making_a_row(kernel: Kernel) -> None:
    subject = new_id("sub")
    await done(kernel, create, subject)
    async with kernel.door.begin(ME) as w:
        customer = Customer(id=subject, version=1)
        w.session.add(customer)
        await w.unlock(subject)  # half of it written now would be refused
        customer.created_at = customer.updated_at = w.now
        customer.city = w.seal(Customer.city, subject, "Berlin")


async def test_two_who_make_keys_of_the_same_people_wait_in_no_circle(kernel: Kernel) -> None:
    """Whatever order they ask in; and both get the same."""
    first, middle, last = (new_id("sub") for _ in range(3))

    async def keys(*order: str) -> dict[str, object]:
        async with kernel.door.begin(ME) as w:
            return dict(await w.keyring.keys(w.session, order))

    async with kernel.door.begin(ME) as w:
        await shred(w, middle)
        both = [asyncio.create_task(keys(*order)) for order in ((first, middle, last), (last, middle, first))]
        await until_blocked(kernel.engine, *both)
    one, other = await asyncio.gather(*both)
    assert one == other and [name for name, key in one.items() if key is None] == [middle]


@asynccontextmanager
async def half_way(kernel: Kernel, what: str, subject: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """A process that has done it, and not committed; called, it is killed."""
    argv = (sys.executable, "-m", "tests.support.keys", kernel.url.render_as_string(hide_password=False), what, subject)
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None

    async def kill() -> int:
        process.send_signal(signal.SIGKILL)
        return await process.wait()

    try:
        async with asyncio.timeout(120):
            assert await process.stdout.readline() == b"done\n"
        yield kill
    finally:
        if process.returncode is None:
            await kill()


@pytest.mark.parametrize("make", MAKERS)
async def test_a_shred_that_died_half_way_leaves_the_person_as_they_were(kernel: Kernel, make: Act) -> None:
    subject = new_id("sub")
    async with half_way(kernel, "shred", subject) as kill:
        async with waiting(kernel, make, subject) as making:
            await kill()
        assert await making is not None
    assert await kernel.count(f"data_keys WHERE subject = '{subject}' AND shredded_at IS NOT NULL") == 0


async def test_a_maker_that_died_half_way_leaves_nothing_and_the_shred_goes_on(kernel: Kernel) -> None:
    subject = new_id("sub")
    async with half_way(kernel, "make", subject) as kill:
        async with waiting(kernel, shred, subject) as shredding:
            await kill()
        await shredding
    for make in (create, key):
        try:
            assert await done(kernel, make, subject) is None
        except KeptError as error:
            assert isinstance(error, ShreddedError)
    assert await kernel.count(f"data_keys WHERE subject = '{subject}' AND wrapped IS NULL") == 1


@pytest.mark.parametrize("make", [create, key])
async def test_a_key_on_its_way_is_known_before_an_old_version_goes(kernel: Kernel, make: Act) -> None:
    """It was wrapped before a rotation, and nobody sees it yet: trimming now would make its person unreadable for good."""

    async def seen(newest: int) -> bool:
        async with kernel.engine.connect() as connection:
            return await settled(connection, TABLES.data_keys.c, newest)

    assert await seen(1)
    subject = new_id("sub")
    async with kernel.door.begin(ME) as w:
        await make(w, subject)
        async with asyncio.timeout(AT_ONCE):
            assert not await seen(1) and not await seen(1), "whoever asks waits for nobody"
    assert await seen(1), "it is committed, and under this version"
    assert not await seen(2)
