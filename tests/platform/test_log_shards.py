"""The log on the real PostgreSQL and Vault: two owners, restored databases, and shreds in the middle of a batch. The judge is
verification."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import services.audit.log.pins as pins
from services.audit.log.entry import Kind, parse
from services.audit.log.seal import opened
from shared.errors import ConflictError, KeptError, ShreddedError, TamperError, UnavailableError
from shared.ids import new_id
from tests.support.audit_log import ME, AuditLog, dying, open_log, record

pytestmark = pytest.mark.platform


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLog]:
    async for one in open_log(tmp_path):
        yield one


def about(log: AuditLog, offset: int, subject: str) -> object:
    return record(log.topic, offset, b'{"name": "Luis Goncalves"}', ce_id=f"id-{offset}", ce_subject=subject)


async def kinds(log: AuditLog) -> list[Kind]:
    shard = await log.open()
    return [parse(raw).kind for raw in shard.store.entries(0, shard.head.size)]


async def test_a_shred_waits_for_the_batch_that_a_crash_left_half_done(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, not integrated, and the subject is erased: the next owner must still find the key, and write the same bytes."""
    monkeypatch.setattr(pins, "WAIT_SECONDS_MAX", 0.2)
    subject = new_id("sub")
    records = [about(log, i, subject) for i in range(3)]
    with pytest.raises(KeptError):
        await log.append(dying(log, await log.open()), *records)
    with pytest.raises(UnavailableError):
        await log.shred(subject)
    await log.append(await log.open(), *records)
    await log.shred(subject)
    assert await log.count("pins") == 0
    await log.append(await log.open(), about(log, 3, subject))
    assert await kinds(log) == [Kind.SEALED, Kind.SEALED, Kind.SEALED, Kind.FORGOTTEN]
    assert await log.size() == 4
    async with log.door.begin(ME) as w:
        with pytest.raises(ShreddedError):
            await w.keyring.key(w.session, subject)
    assert await log.count("outbox WHERE value LIKE '%late-record%'::bytea") == 1


async def test_a_shred_goes_on_as_soon_as_the_batch_is_integrated(log: AuditLog) -> None:
    subject, shard = new_id("sub"), await log.open()
    batch = await log.sequence(shard, about(log, 0, subject))
    shredding = asyncio.create_task(log.shred(subject))
    done, _ = await asyncio.wait({shredding}, timeout=0.3)
    assert not done
    await log.integrate(shard, batch)
    await shredding
    await log.append(shard, about(log, 1, subject))
    assert await kinds(log) == [Kind.SEALED, Kind.FORGOTTEN]
    assert await log.size() == 2


async def test_what_is_sealed_is_nowhere_readable_and_opens_for_who_has_the_key(log: AuditLog, tmp_path: Path) -> None:
    subject, shard = new_id("sub"), await log.open()
    await log.append(shard, about(log, 0, subject), record(log.topic, 1, b"Luis Goncalves writes", name="Luis"))
    stored = b"".join(path.read_bytes() for path in (tmp_path / "log").rglob("*") if path.is_file())
    assert b"Luis" not in stored
    entries = [parse(raw) for raw in shard.store.entries(0, 2)]
    async with log.door.begin(ME) as w:
        for entry in entries:
            whole = opened(entry, await w.keyring.key(w.session, entry.sealing))
            assert b"Luis" in (whole.value or b"")
    await log.shred(subject)
    async with log.door.begin(ME) as w:
        with pytest.raises(ShreddedError):
            await w.keyring.key(w.session, entries[0].sealing)
    assert await log.size() == 2


async def test_two_owners_write_the_same_bytes_and_one_publishes(log: AuditLog) -> None:
    records = [about(log, i, new_id("sub")) for i in range(300)]
    one, two = await log.open(), await log.open()
    outcomes = await asyncio.gather(log.append(one, *records), log.append(two, *records), return_exceptions=True)
    assert sorted(type(o).__name__ for o in outcomes) == ["ConflictError", "NoneType"], outcomes
    assert await log.size() == 300
    assert await log.count("pins") == 0


async def test_a_zombie_publishes_nothing_older(log: AuditLog) -> None:
    """It slept between the head and the checkpoint, while another owner went on."""
    zombie = await log.open()
    await log.append(zombie, record(log.topic, 0, b"v"))
    asleep = zombie.note
    owner = await log.open()
    await log.append(owner, record(log.topic, 1, b"v"))
    with pytest.raises(ConflictError):
        zombie.store.publish(asleep or "", asleep)
    with pytest.raises(ConflictError):
        await log.append(zombie, record(log.topic, 1, b"v"))
    assert await log.size() == 2


async def test_a_restored_database_does_not_sign_backwards(log: AuditLog) -> None:
    shard = await log.open()
    await log.append(shard, *(record(log.topic, i, b"v") for i in range(20)))
    async with log.engine.begin() as connection:
        earlier = (await connection.exec_driver_sql("SELECT size, root FROM heads")).one()
    await log.append(shard, *(record(log.topic, i, b"v") for i in range(20, 400)))
    async with log.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE heads SET size = %s, root = %s", (earlier.size, earlier.root))
    again = await log.open()
    assert again.head.size == 400
    assert await log.size() == 400
    async with log.engine.begin() as connection:  # and one of another history is never signed over
        await connection.exec_driver_sql("UPDATE heads SET size = 20, root = %s", (b"\1" * 32,))
    with pytest.raises(TamperError):
        await log.open()
    assert await log.size() == 400
