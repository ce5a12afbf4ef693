"""Keyring, shred and Vault against real servers."""

import json
from collections.abc import Sequence

import pytest
from sqlalchemy import MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.access.decide import Policies
from shared.db import kernel_tables
from shared.errors import ConflictError, ShreddedError, TamperError, UnavailableError
from shared.ids import new_id
from shared.keys.cipher import Place, Sealed, open_
from shared.keys.column import SealedText
from shared.keys.keyring import Keyring
from shared.keys.login import AppRole
from shared.keys.vault import BATCH_MAX, Vault
from shared.work import Door, Work
from tests.support.kernel import ME, Kernel, open_kernel, settings_of_customers
from tests.support.people import customers
from tests.support.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("platform")]
kernel = pytest.fixture(open_kernel)


class Base(DeclarativeBase):
    """Only to name columns."""


class Person(Base):
    __tablename__ = "persons"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    email: Mapped[Sealed | None] = mapped_column(SealedText)
    name: Mapped[Sealed | None] = mapped_column(SealedText)


@pytest.fixture
async def sealed(kernel: Kernel) -> tuple[str, Sealed]:
    """Somebody, and their address."""
    subject = new_id("sub")
    async with kernel.door.begin(ME) as w:
        await w.create_keys([subject])
        return subject, w.seal(Person.email, subject, "a@example.org")


def elsewhere(kernel: Kernel) -> Door:
    """The door of another process: it remembers nothing that this one does."""
    keyring = Keyring("customers", kernel.door.keyring._vault, kernel_tables(MetaData()))
    return Door("customers", kernel.door._sessions, kernel.door.clock, Policies.load(), keyring)


async def test_what_is_sealed_opens_for_that_person_and_column_alone(kernel: Kernel, sealed: tuple[str, Sealed]) -> None:
    (one, value), other = sealed, new_id("sub")
    async with elsewhere(kernel).begin(ME) as w:
        await w.create_keys([other])
        await w.unlock(one, other)
        assert w.open(Person.email, one, value) == "a@example.org"
        for column, subject in ((Person.name, one), (Person.email, other)):
            with pytest.raises(TamperError):
                w.open(column, subject, value)


async def test_more_keys_than_one_batch(kernel: Kernel) -> None:
    subjects = [new_id("sub") for _ in range(BATCH_MAX * 2 + 1)]
    async with kernel.door.begin(ME) as w:
        made = await w.keyring.create(w.session, subjects)
    async with elsewhere(kernel).begin(ME) as w:
        keys = await w.keyring.unwrap(await w.keyring.wrapped(w.session, subjects))
        status = await w.keyring.status(w.session)
    assert keys == made and len({key.secret for key in made.values()}) == len(subjects)
    assert (status.live, status.shredded, status.cached) == (len(subjects), 0, len(subjects))


async def test_nobody_gets_a_second_key(kernel: Kernel, sealed: tuple[str, Sealed]) -> None:
    with pytest.raises(ConflictError):
        async with kernel.door.begin(ME) as w:
            await w.create_keys([new_id("sub"), sealed[0]])
    async with elsewhere(kernel).begin(ME) as w:
        (key,) = (await w.keyring.keys(w.session, [sealed[0]])).values()
        assert key is not None and open_(key, Place("customers", "persons", "email", sealed[0]), sealed[1]) == "a@example.org"


async def test_shredded_is_gone_for_good(kernel: Kernel, sealed: tuple[str, Sealed]) -> None:
    subject, value = sealed
    async with kernel.door.begin(ME) as w:
        await w.unlock(subject)
        first = await w.shred(subject)
        with pytest.raises(ShreddedError):
            w.open(Person.email, subject, value)
    async with kernel.door.begin(ME) as w:
        again = await w.shred(subject)
    assert (first.found, first.version, again.found) == (True, 1, False)
    assert await kernel.count(f"data_keys WHERE subject = '{subject}' AND shredded_at IS NOT NULL") == 1

    async def opens(w: Work) -> None:
        await w.unlock(subject)
        w.open(Person.email, subject, value)

    async def seals(w: Work) -> None:
        await w.unlock(subject)
        w.seal(Person.email, subject, "y")

    for act in (opens, seals, lambda w: w.create_keys([subject]), lambda w: w.keyring.key(w.session, subject)):
        with pytest.raises(ShreddedError):
            async with kernel.door.begin(ME) as w:
                await act(w)
    async with kernel.door.begin(ME) as w:
        assert await w.keyring.keys(w.session, [subject]) == {subject: None}
        assert await w.keyring.hold(w.session, [subject, other := new_id("sub")]) == {subject}
    assert await kernel.count(f"data_keys WHERE subject = '{other}'") == 0, "who is held has no key for it"


async def test_a_shred_counts_at_the_next_read_of_every_process(kernel: Kernel, sealed: tuple[str, Sealed]) -> None:
    """Nothing is sent for it: whoever reads the row finds no wrapped key, and nothing that is remembered is found without."""
    subject, value = sealed
    other = elsewhere(kernel)
    async with other.begin(ME) as w:
        await w.unlock(subject)
        assert w.open(Person.email, subject, value) == "a@example.org"
    async with kernel.door.begin(ME) as w:
        await w.shred(subject)
        async with other.begin(ME) as reader:  # it does not see the uncommitted shred, and remembers the key anew
            await reader.unlock(subject)
            assert reader.open(Person.email, subject, value) == "a@example.org"
    for door in (other, kernel.door):
        with pytest.raises(ShreddedError):
            async with door.begin(ME) as w:
                await w.unlock(subject)
                w.open(Person.email, subject, value)


async def test_vault_is_asked_once_for_a_page_and_never_for_what_was_made_here(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    vault = kernel.door.keyring._vault
    decrypt = vault.decrypt

    async def counting(key: str, values: Sequence[str]) -> list[bytes]:
        asked.append(len(values))
        return await decrypt(key, values)

    monkeypatch.setattr(vault, "decrypt", counting)
    people, values = [new_id("sub") for _ in range(50)], []
    async with kernel.door.begin(ME) as w:
        await w.create_keys(people)
        values = [w.seal(Person.email, one, "x") for one in people]
        assert [w.open(Person.email, one, value) for one, value in zip(people, values, strict=True)] == ["x"] * 50
    assert asked == []
    other = elsewhere(kernel)
    for _ in range(2):
        async with other.begin(ME) as w:
            await w.unlock(*people)
            assert [w.open(Person.email, one, value) for one, value in zip(people, values, strict=True)] == ["x"] * 50
    assert asked == [50], "the second time all are remembered"


async def test_a_vault_that_is_away_serves_nothing_even_from_memory(kernel: Kernel, sealed: tuple[str, Sealed]) -> None:
    subject, value = sealed
    vault = kernel.door.keyring._vault
    there, vault._client._adapter.base_uri = vault._client._adapter.base_uri, "http://127.0.0.1:9"
    vault._healthy_at = 0.0  # what was known of it is too old
    with pytest.raises(UnavailableError):
        async with kernel.door.begin(ME) as w:
            await w.unlock(subject)
            w.open(Person.email, subject, value)
    vault._client._adapter.base_uri = there
    vault._healthy_at = 0.0
    async with kernel.door.begin(ME) as w:
        await w.unlock(subject)
        assert w.open(Person.email, subject, value) == "a@example.org"


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
    vault = Vault(settings.vault_addr, AppRole(settings.vault_role_id, tmp_path / "secret"))
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


def test_status_says_what_each_version_of_the_wrapping_key_wraps(platform: Platform) -> None:
    done = platform.kept("keys", "status", "customers", "--json")
    (said,) = json.loads(done.stdout)
    assert said["service"] == "customers" and said["keys"] >= len(customers())
    assert sum(said["wrapped_under"].values()) == said["keys"] and set(said["wrapped_under"]) <= {"v1", "v2"}
