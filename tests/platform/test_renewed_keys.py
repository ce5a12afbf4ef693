"""One person's data key has another version: what was sealed before opens with its own, and an erasure destroys all of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import URL, select, text

from services.customers.addresses.tables import AddressChange
from services.customers.records.rekey import renew_key
from services.customers.tables import Customer
from shared.db import make_engine
from shared.errors import NotFoundError, ShreddedError, TamperError
from shared.ids import new_id
from shared.keys.cipher import Sealed, key_version
from shared.migrations import migrate
from shared.work import Door
from tests.support.keys import ME, door_on, until_blocked
from tests.support.postgres import server

pytestmark = pytest.mark.platform
LIVING = "data_keys WHERE subject = :subject AND wrapped IS NOT NULL"


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[URL]:
    async with server() as urls:
        await asyncio.to_thread(migrate, "customers", urls["customers"])
        yield urls["customers"]


@pytest.fixture
async def door(url: URL) -> AsyncIterator[Door]:
    engine = make_engine(url)
    yield door_on(engine)
    await engine.dispose()


@pytest.fixture
async def somebody(door: Door) -> tuple[str, Sealed]:
    """A customer whose address waits for a proof; their first name as an event has it."""
    async with door.begin(ME) as w:
        subject = w.new_id("sub")
        await w.create_keys([subject])
        name = w.seal(Customer.first_name, subject, "Made")
        w.session.add(
            Customer(
                id=subject, version=1, owner_id=new_id("sub"), created_at=w.now, updated_at=w.now, first_name=name,
                number=w.seal(Customer.number, subject, "17"),
            )
        )  # fmt: skip
        await w.session.flush()
        old = w.seal(AddressChange.old_email, subject, "a@example.org")
        w.session.add(
            AddressChange(
                id=w.new_id("chg"), customer_id=subject, state="waiting", changed_by=ME.id, changed_at=w.now, old_email=old
            )
        )
    return subject, name


async def count(door: Door, where: str, subject: str) -> int:
    async with door.begin(ME) as w:
        return int(await w.session.scalar(text(f"SELECT count(*) FROM {where}"), {"subject": subject}) or 0)


async def test_everything_of_the_person_is_sealed_anew_and_reads_as_before(door: Door, somebody: tuple[str, Sealed]) -> None:
    subject, _ = somebody
    for version in (2, 3):
        async with door.begin(ME) as w:
            assert await renew_key(w, subject) == version
        async with door.begin(ME) as w:
            customer = await w.session.get_one(Customer, subject)
            change = (await w.session.scalars(select(AddressChange).where(AddressChange.customer_id == subject))).one()
            await w.unlock(subject)
            assert customer.first_name is not None and customer.number is not None and change.old_email is not None
            assert {key_version(one) for one in (customer.first_name, customer.number, change.old_email)} == {version}
            assert w.open(Customer.first_name, subject, customer.first_name) == "Made"
            assert w.open(Customer.number, subject, customer.number) == "17"
            assert w.open(AddressChange.old_email, subject, change.old_email) == "a@example.org"
    assert await count(door, LIVING, subject) == 3 and await count(door, f"{LIVING} AND current", subject) == 1


async def test_an_event_of_before_opens_with_its_own_version_and_with_none_after_an_erasure(
    door: Door, somebody: tuple[str, Sealed]
) -> None:
    subject, event = somebody
    async with door.begin(ME) as w:
        await renew_key(w, subject)
    async with door.begin(ME) as w:
        await w.unlock(wrapped=await w.keyring.wrapped(w.session, [subject]))  # as it comes with a row
        with pytest.raises(TamperError):
            w.open(Customer.first_name, subject, event)
        await w.unlock_versions(subject)
        assert w.open(Customer.first_name, subject, event) == "Made"
        report = await w.shred(subject)
        assert report.found and report.version == 2
        with pytest.raises(ShreddedError):
            w.open(Customer.first_name, subject, event)
    assert await count(door, LIVING, subject) == 0
    async with door.begin(ME) as w:
        await w.unlock_versions(subject)
        await w.unlock(subject)
        with pytest.raises(ShreddedError):
            w.open(Customer.first_name, subject, event)
    for who in (subject, new_id("sub")):
        with pytest.raises((ShreddedError, NotFoundError)):
            async with door.begin(ME) as w:
                await renew_key(w, who)


async def test_a_shred_takes_the_version_that_is_made_between_its_statements(
    door: Door, somebody: tuple[str, Sealed], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, _ = somebody
    between = asyncio.Event()
    commit = asyncio.Event()

    async def renewed() -> None:
        await between.wait()
        async with door.begin(ME) as w:
            await w.keyring.renew(w.session, subject)
            between.clear()
            await commit.wait()

    renewing = asyncio.create_task(renewed())
    async with door.begin(ME) as w:
        execute, calls = w.session.execute, 0

        async def counted(*given: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                between.set()
                while between.is_set():
                    await asyncio.sleep(0.01)
            return await execute(*given, **more)

        monkeypatch.setattr(w.session, "execute", counted)
        shredding = asyncio.create_task(w.shred(subject))
        await until_blocked(w.session.bind, shredding)
        commit.set()
        await renewing
        assert (await shredding).version == 2
    assert await count(door, LIVING, subject) == 0, "a version was left"


async def test_who_makes_shreds_or_renews_one_persons_key_takes_turns(door: Door, somebody: tuple[str, Sealed]) -> None:
    subject, _ = somebody

    async def once() -> None:
        async with door.begin(ME) as w:
            await w.renew_key(subject)

    await asyncio.gather(*(once() for _ in range(8)))
    assert await count(door, LIVING, subject) == 9 and await count(door, f"{LIVING} AND current", subject) == 1
    async with door.begin(ME) as w:
        await w.keyring.keys(w.session, [subject])  # what keeps them from being shredded until the commit
        renewing = asyncio.create_task(once())
        await until_blocked(w.session.bind, renewing)
    await renewing
