"""The log on the real PostgreSQL and Vault: two owners, restored databases, and shreds in the middle of a batch. The judge is
verification."""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import services.audit.ingestion.said as saying
import services.audit.log.pins as pins
from services.audit.events import AlarmRaised
from services.audit.ingestion.said import Said, Telling
from services.audit.log.entry import Kind, parse
from services.audit.log.jobs import LedgerRecorder
from services.audit.log.opening import Opener
from services.audit.log.seal import opened
from services.audit.log.slots import Slot, duty
from shared.errors import ConflictError, KeptError, ShreddedError, TamperError, UnavailableError
from shared.ids import new_id
from shared.notes.note import LocalSigner, sign_note
from tests.support.audit_log import ME, AuditLog, dying, open_log, record
from tests.support.platform import Platform

pytestmark = pytest.mark.platform


@pytest.fixture
async def log(platform: Platform, tmp_path: Path) -> AsyncIterator[AuditLog]:
    async for one in open_log(platform.state, tmp_path):
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
    subjects = [new_id("sub") for _ in range(300)]
    records = [about(log, i, subject) for i, subject in enumerate(subjects)]
    one, two = await log.open(), await log.open()
    outcomes = await asyncio.gather(log.append(one, *records), log.append(two, *records), return_exceptions=True)
    assert sorted(type(o).__name__ for o in outcomes) == ["AnotherOwnerError", "NoneType"], outcomes
    assert await log.size() == 300
    await log.shred(subjects[0])  # the loser's pin holds up nobody


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


async def test_an_owner_of_a_topic_that_is_gone_adds_nothing_to_what_another_goes_on_with(log: AuditLog) -> None:
    """It received its batch before the topic was made anew, and writes it after another owner has noted the new topic's id."""
    zombie = await log.open()
    await log.append(zombie, record(log.topic, 0, b"v"))
    head = await log.heads.newest(log.topic, 0)
    assert head is not None
    noted = await log.heads.identify(head, UUID(int=2))
    assert noted == await log.heads.newest(log.topic, 0)
    with pytest.raises(ConflictError):
        await log.append(zombie, record(log.topic, 1, b"of the old topic"))
    with pytest.raises(ConflictError):
        await log.heads.identify(head, UUID(int=3))
    await log.append(await log.open(), record(log.topic, 1, b"of the old topic"))
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


async def test_the_shards_vouch_for_one_another_only_when_something_happened(log: AuditLog) -> None:
    ledger = LedgerRecorder(log.door, Opener("kept.test/log", log.blobs, log.heads, log.vault), timedelta(0))
    assert not await ledger.record()
    shard = await log.open()
    await log.append(shard, *(record(log.topic, i, b"v") for i in range(3)))
    assert await ledger.record()
    async with log.engine.connect() as connection:
        value = (await connection.exec_driver_sql("SELECT value FROM outbox")).scalar_one()
    root = base64.b64encode(shard.head.root).decode()
    assert json.loads(value) == {"shards": [{"shard": f"{log.topic}/0", "size": 3, "root": root}]}
    assert not await ledger.record()
    await log.append(shard, record(log.topic, 3, b"v"))  # as many leaves as the ledger itself brings: no news
    assert not await ledger.record()
    await log.append(shard, record(log.topic, 4, b"v"))
    assert await ledger.record()


async def test_the_first_ledger_is_recorded_once_by_however_many_processes(log: AuditLog) -> None:
    await log.append(await log.open(), *(record(log.topic, i, b"v") for i in range(3)))
    opener = Opener("kept.test/log", log.blobs, log.heads, log.vault)
    recorded = await asyncio.gather(*(LedgerRecorder(log.door, opener, timedelta(0)).record() for _ in range(4)))
    assert sorted(recorded) == [False, False, False, True]
    assert await log.count("outbox") == await log.count("ledgers") == 1


async def test_a_shard_that_stops_is_told_of_once_until_it_went_on(log: AuditLog) -> None:
    """By the process that stopped it, by the one that takes its slot over, by either after a restart."""
    shard = await log.open()
    told = AlarmRaised(kind="tampered", shard=shard.store.shard, first=0, last=0)
    await asyncio.gather(*(log.heads.stopped(shard.store.shard, told) for _ in range(3)))
    assert await log.count("outbox") == 1
    await log.heads.goes_on(shard.store.shard)
    await log.heads.stopped(shard.store.shard, told)
    assert await log.count("outbox") == 2


async def test_a_slot_has_one_owner_and_the_next_one_stands_by(log: AuditLog) -> None:
    worked: list[str] = []

    def work(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def forever() -> None:
            worked.append(name)
            await asyncio.Event().wait()

        return forever

    slot = Slot(4000 + secrets.randbelow(10**6), 1)
    first, second = duty(log.engine, slot), duty(log.engine, slot)
    one = asyncio.create_task(first.run(work("first")))
    await until(lambda: worked == ["first"])
    two = asyncio.create_task(second.run(work("second")))
    await until(lambda: second.stands_by)
    assert worked == ["first"]
    one.cancel()
    await until(lambda: worked == ["first", "second"])
    two.cancel()
    await asyncio.gather(one, two, return_exceptions=True)


async def until(met: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.05)


async def test_a_checkpoint_that_somebody_else_signed_is_not_gone_on_from(log: AuditLog) -> None:
    """Of the right tree, in the right name: only the signature says that this log never published it."""
    shard = await log.open()
    await log.append(shard, about(log, 0, new_id("sub")))
    path = f"{log.topic}/0/checkpoint"
    text, _, _ = log.blobs.get(path).decode().partition("\n\n")
    forged = await sign_note(f"{text}\n", LocalSigner(log.signer.name, bytes(32)))
    log.blobs.replace(path, forged.encode())
    with pytest.raises(TamperError):
        await log.open()
    assert log.blobs.get(path).decode() == forged, "nothing was signed over it"


async def test_who_stands_by_says_of_a_slot_what_the_one_that_has_it_says(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = Slot(4000 + secrets.randbelow(10**6), 1)
    first, second = duty(log.engine, slot), duty(log.engine, slot)
    its = Said(True, {"a/0": "tampered"}, {"a/1": 5}, {"a/2": 7}, {"w.test/1": "away"})
    telling, hearing = (Telling(log.door, slot, lambda: its), Telling(log.door, slot, Said))
    one = asyncio.create_task(first.run(telling.tell))
    await until(lambda: telling._told == its)
    two = asyncio.create_task(second.run(hearing.tell))
    listening = asyncio.create_task(hearing.listen(lambda: second.stands_by))
    try:
        await until(lambda: hearing.others == its)
        its = Said(True)
        await until(lambda: hearing.others == its)
        monkeypatch.setattr(saying, "TELL_SECONDS", 3600.0)
        monkeypatch.setattr(saying, "STALE_SECONDS", 0)
        await until(lambda: not hearing.others.ready)  # it says nothing any more: nobody is known to be ready
        one.cancel()
        await until(lambda: not second.stands_by and hearing._told == Said())  # and speaks for itself
    finally:
        for task in (one, two, listening):
            task.cancel()
        await asyncio.gather(one, two, listening, return_exceptions=True)
