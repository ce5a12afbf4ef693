"""Keyring, shred and Vault against real servers."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.db import kernel_tables
from shared.errors import ConflictError, ShreddedError, TamperError, UnavailableError
from shared.ids import new_id
from shared.keys.cipher import Sealed
from shared.keys.column import SealedText
from shared.keys.keyring import Keyring
from shared.keys.vault import BATCH_MAX, Vault
from tests.support.kernel import ME, Kernel, open_kernel, settings_of_customers

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)
AT = datetime(2026, 1, 2, tzinfo=UTC)


class Base(DeclarativeBase):
    """Only to name columns."""


class Person(Base):
    __tablename__ = "persons"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    email: Mapped[Sealed | None] = mapped_column(SealedText)
    name: Mapped[Sealed | None] = mapped_column(SealedText)


async def test_what_is_sealed_opens_for_that_person_and_column_alone(kernel: Kernel) -> None:
    one, other = new_id("sub"), new_id("sub")
    async with kernel.door.begin(ME) as w:
        await w.keyring.create(w.session, [one, other])
        sealed = await w.seal(Person.email, one, "a@example.org")
    kernel.door.keyring.evict(one)
    async with kernel.door.begin(ME) as w:
        assert await w.open(Person.email, one, sealed) == "a@example.org"
        for column, subject in ((Person.name, one), (Person.email, other)):
            with pytest.raises(TamperError):
                await w.open(column, subject, sealed)


async def test_more_keys_than_one_batch(kernel: Kernel) -> None:
    subjects = [new_id("sub") for _ in range(BATCH_MAX * 2 + 1)]
    async with kernel.door.begin(ME) as w:
        await w.keyring.create(w.session, subjects)
    fresh = Keyring("customers", kernel.door.keyring._vault, kernel_tables(MetaData()))
    async with kernel.door.begin(ME) as w:
        await fresh.prefetch(w.session, subjects)
        assert (await fresh.status(w.session)).cached == len(subjects)
        keys = [await fresh.key(w.session, one) for one in subjects]
    assert len({key.secret for key in keys}) == len(subjects)


async def test_shredded_is_gone_for_good(kernel: Kernel) -> None:
    subject = new_id("sub")
    async with kernel.door.begin(ME) as w:
        await w.keyring.create(w.session, [subject])
        sealed = await w.seal(Person.email, subject, "x")
    async with kernel.door.begin(ME) as w:
        first = await w.keyring.shred(w.session, subject, w.now)
    async with kernel.door.begin(ME) as w:
        again = await w.keyring.shred(w.session, subject, w.now)
    assert (first.found, first.version, again.found) == (True, 1, False)
    for act in (
        lambda w: w.open(Person.email, subject, sealed),
        lambda w: w.seal(Person.email, subject, "y"),
        lambda w: w.keyring.create(w.session, [subject]),
    ):
        with pytest.raises(ShreddedError):
            async with kernel.door.begin(ME) as w:
                await act(w)


async def test_who_reads_while_the_shred_commits_does_not_keep_the_key(kernel: Kernel) -> None:
    subject = new_id("sub")
    async with kernel.door.begin(ME) as w:
        await w.keyring.create(w.session, [subject])
        sealed = await w.seal(Person.email, subject, "x")
    async with kernel.door.begin(ME) as w:
        await w.keyring.shred(w.session, subject, w.now)
        async with kernel.door.begin(ME) as reader:  # does not see the uncommitted shred
            assert await reader.open(Person.email, subject, sealed) == "x"
    with pytest.raises(ShreddedError):
        async with kernel.door.begin(ME) as w:
            await w.open(Person.email, subject, sealed)


async def test_no_key_is_made_while_its_subject_is_shredded(kernel: Kernel) -> None:
    subject, opened = new_id("sub"), asyncio.Event()

    async def make() -> None:
        await opened.wait()
        async with kernel.door.begin(ME) as w:
            await w.keyring.create(w.session, [subject])

    making = asyncio.create_task(make())
    async with kernel.door.begin(ME) as w:
        await w.keyring.shred(w.session, subject, w.now)
        opened.set()
        await asyncio.sleep(0.5)
        assert not making.done()
    with pytest.raises(ShreddedError):
        await making


async def test_a_vault_that_is_away_serves_nothing_even_from_memory(kernel: Kernel) -> None:
    subject = new_id("sub")
    async with kernel.door.begin(ME) as w:
        await w.keyring.create(w.session, [subject])
        sealed = await w.seal(Person.email, subject, "x")
        vault = w.keyring._vault
        there, vault._client.url = vault._client.url, "http://127.0.0.1:9"
        vault._client._adapter.base_uri = "http://127.0.0.1:9"
        await asyncio.sleep(1.1)
        with pytest.raises(UnavailableError):
            await w.open(Person.email, subject, sealed)
        vault._client._adapter.base_uri = there
        await asyncio.sleep(1.1)
        assert await w.open(Person.email, subject, sealed) == "x"


async def test_a_revoked_token_is_replaced(kernel: Kernel) -> None:
    vault = kernel.door.keyring._vault
    vault._client.token = "revoked"
    assert await vault.decrypt("kept-customers", await vault.encrypt("kept-customers", [b"x"])) == [b"x"]


async def test_another_services_key_is_refused(kernel: Kernel) -> None:
    with pytest.raises(UnavailableError) as caught:
        await kernel.door.keyring._vault.encrypt("kept-identity", [b"x"])
    assert caught.value.__cause__ is None


async def test_a_wrong_login_says_nothing(tmp_path) -> None:  # type: ignore[no-untyped-def]
    settings = settings_of_customers()
    (tmp_path / "secret").write_text("not-the-secret")
    vault = Vault(settings.vault_addr, settings.vault_role_id, tmp_path / "secret")
    with pytest.raises(UnavailableError) as caught:
        await vault.login()
    assert "not-the-secret" not in str(caught.value)


async def test_a_grant_is_spent_once(kernel: Kernel) -> None:
    class Grant:
        jti = "j-1"

    async with kernel.door.begin(ME) as w:
        await w.spend(Grant())
    with pytest.raises(ConflictError):
        async with kernel.door.begin(ME) as w:
            await w.spend(Grant())
