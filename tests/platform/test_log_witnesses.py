"""A log whose checkpoints two witnesses sign, each a process of `kept audit witness` as another team runs it, with real servers
under the log. Witnesses are killed, hang and come back; and one day the log has another history."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.ingest import Ingest
from services.audit.log.opening import Opener
from services.audit.log.run import Options, verify_log
from services.audit.log.store import ShardStore
from services.audit.log.tree import EMPTY_ROOT
from services.audit.log.trust import Trust
from services.audit.log.witnesses import Policy, Witnesses
from shared.blobs import PosixStore
from shared.notes.cosignature import Quorum, cosigned
from tests.platform import test_log_ingestion
from tests.platform.test_log_ingestion import Broker, alarms, broker, log, size, until, until_gone
from tests.support.audit_log import AuditLog
from tests.support.witnesses import WitnessProcess, witnesses

pytestmark = pytest.mark.platform
__all__ = ["broker", "log"]
LOG = "kept.test/log"
SECONDS = 1.0


@pytest.fixture
async def pair(log: AuditLog, tmp_path: Path) -> AsyncIterator[list[WitnessProcess]]:
    keys = tmp_path / "keys"
    keys.write_text("\n".join(await log.signer.vkeys()))
    running = witnesses(tmp_path, keys, ["witness.test/one", "witness.test/two"], [LOG], last="ml-dsa-44")
    yield await asyncio.to_thread(running.__enter__)
    await asyncio.to_thread(running.__exit__, None, None, None)


def ingesting(
    log: AuditLog, broker: Broker, pair: list[WitnessProcess], *, closed: bool = False
) -> AbstractAsyncContextManager[Ingest]:
    policy = Policy.of(" ".join(f"{one.vkey} {one.address}" for one in pair), 0, closed=closed, seconds=SECONDS)
    assert policy is not None
    return test_log_ingestion.ingesting(log, broker, Witnesses(policy))


def signers(log: AuditLog, pair: list[WitnessProcess], partition: int = 0) -> list[str]:
    """Who signed the published checkpoint."""
    note = ShardStore(log.blobs, f"{log.topic}/{partition}").checkpoint()
    return [] if note is None else [key.name for key in cosigned(note, Quorum.of([one.vkey for one in pair]).witnesses)]


async def faults(log: AuditLog, pair: list[WitnessProcess], partitions: int = 1) -> list[str]:
    """What a verifier finds who names both witnesses."""
    keys = [
        vkey
        for n in range(partitions)
        for vkey in await Opener(LOG, log.blobs, log.heads, log.vault)._signer(f"{log.topic}/{n}").vkeys()
    ]
    options = Options(workers=1, quorum=Quorum.of([one.vkey for one in pair]))
    report = await asyncio.to_thread(verify_log, str(log.blobs.root), Trust.of(keys), options)
    return [fault.kind for fault in report.faults]


async def test_open_killed_and_hanging_witnesses_hold_up_nobody_and_are_caught_up_with(
    log: AuditLog, broker: Broker, pair: list[WitnessProcess]
) -> None:
    one, two = pair
    await broker.create(partitions=2)
    async with ingesting(log, broker, pair) as ingest:
        await broker.send(*[b"v"] * 5, partition=0)
        await broker.send(*[b"v"] * 3, partition=1)
        await until(lambda: [size(log, f"{log.topic}/{n}") for n in (0, 1)] == [5, 3])
        await until(lambda: len(signers(log, pair, 0)) == len(signers(log, pair, 1)) == 2)
        assert await faults(log, pair, 2) == []
        await asyncio.to_thread(one.kill)
        two.hang()
        began = asyncio.get_running_loop().time()
        await broker.send(*[b"v"] * 5, partition=0)
        await until(lambda: size(log, f"{log.topic}/0") == 10)
        assert asyncio.get_running_loop().time() - began < SECONDS + 15, "publication is bounded, also where one hangs"
        await until(lambda: set(ingest.witnesses.values()) == {"away"} and ingest.unwitnessed == {f"{log.topic}/0": 5})
        assert signers(log, pair) == []
        assert await faults(log, pair, 2) == ["witness"]
        two.wake()
        await asyncio.to_thread(one.start)
        # Nothing is appended any more: the same checkpoint is published again.
        await until(lambda: len(signers(log, pair, 0)) == 2, seconds=90)
        await until(lambda: not ingest.unwitnessed)
        assert size(log, f"{log.topic}/0") == 10
        assert await faults(log, pair, 2) == []


async def test_closed_it_waits_and_says_so(log: AuditLog, broker: Broker, pair: list[WitnessProcess]) -> None:
    await broker.create()
    async with ingesting(log, broker, pair, closed=True) as ingest:
        await broker.send(b"v")
        await until(lambda: size(log, f"{log.topic}/0") == 1)
        await asyncio.to_thread(pair[0].kill)
        await broker.send(*[b"v"] * 300)
        await until(lambda: ingest.unwitnessed == {f"{log.topic}/0": 300})
        head = await log.heads.newest(log.topic, 0)
        assert head is not None and head.size == 301, "it is written meanwhile"
        assert size(log, f"{log.topic}/0") == 1
        await until(lambda: ingest.behind == {f"{log.topic}/0": 300})
        assert (ingest.ready, ingest.faults, ingest.witnesses["witness.test/one"]) == (True, {}, "away")
    # The writer dies and is begun anew, without the witness still: nothing is published without it, also not at a start.
    async with ingesting(log, broker, pair, closed=True) as ingest:
        await until(lambda: ingest.unwitnessed != {})
        assert size(log, f"{log.topic}/0") == 1
        await asyncio.to_thread(pair[0].start)
        await until(lambda: size(log, f"{log.topic}/0") == 301, seconds=90)
        assert len(signers(log, pair)) == 2
    assert await faults(log, pair) == []


async def test_a_generation_that_ended_while_it_waited_is_published_all_the_same(
    log: AuditLog, broker: Broker, pair: list[WitnessProcess]
) -> None:
    await broker.create()
    async with ingesting(log, broker, pair, closed=True) as ingest:
        await broker.send(b"v")
        await until(lambda: size(log, f"{log.topic}/0") == 1)
        await asyncio.to_thread(pair[0].kill)
        await broker.send(*[b"v"] * 4)
        await until(lambda: ingest.unwitnessed == {f"{log.topic}/0": 4})
    await broker.admin.delete_topics([broker.topic])
    await until_gone(broker)
    await broker.create()
    await broker.send(b"other")
    async with ingesting(log, broker, pair, closed=True) as ingest:
        await until(lambda: f"{log.topic}~2/0" in ingest.unwitnessed, seconds=90)
        assert (size(log, f"{log.topic}/0"), size(log, f"{log.topic}~2/0")) == (1, -1)
        await asyncio.to_thread(pair[0].start)
        await until(lambda: size(log, f"{log.topic}/0") == 5 and size(log, f"{log.topic}~2/0") == 1, seconds=90)
        await until(lambda: not ingest.unwitnessed)
    assert len(signers(log, pair)) == 2


async def test_a_rewritten_log_is_refused_and_found(
    log: AuditLog, broker: Broker, pair: list[WitnessProcess], tmp_path: Path
) -> None:
    """Someone with the database, the store and the log's own key puts another history in the place of the one that was
    witnessed. To whoever has not seen it before it is whole; the witnesses do not sign it, and the log's own writer stops."""
    await broker.create(partitions=2)
    async with ingesting(log, broker, pair):
        await broker.send(*[b"v"] * 20, partition=0)
        await broker.send(b"v", partition=1)
        await until(lambda: size(log, f"{log.topic}/0") == 20 and len(signers(log, pair, 0)) == 2)
        await until(lambda: size(log, f"{log.topic}/1") == 1 and len(signers(log, pair, 1)) == 2)
    shard = f"{log.topic}/0"
    await rewritten(log, tmp_path)
    assert size(log, shard) == 20
    assert await faults(log, pair, 2) == ["witness"], "the tree is whole: only the witnesses know better"
    async with ingesting(log, broker, pair) as ingest:
        await until(lambda: ingest.faults == {shard: "tampered"})
        async with asyncio.timeout(120):
            while await alarms(log) != ["tampered"]:  # told a moment after it stopped
                await asyncio.sleep(0.05)
        await broker.send(b"v", partition=1)
        await until(lambda: size(log, f"{log.topic}/1") == 2 and len(signers(log, pair, 1)) == 2)  # the others go on
    assert signers(log, pair, 0) == []


async def rewritten(log: AuditLog, tmp_path: Path) -> None:
    """Partition 0 with another record 5, written and signed by the log's own means; its last record is still the broker's."""
    before = ShardStore(log.blobs, f"{log.topic}/0").entries(0, 20)
    before[5] = encode(Entry(Kind.RECORD, Place(log.topic, 0, 5, 0), (), None, b"other"))
    async with log.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE heads SET size = 0, root = %s WHERE partition = 0", (EMPTY_ROOT,))
    elsewhere = PosixStore(tmp_path / "elsewhere")
    forger = AuditLog(log.engine, log.door, log.vault, elsewhere, log.topic)
    await (await forger.open()).append(before)
    shutil.rmtree(log.blobs.root / log.topic / "0")
    shutil.copytree(elsewhere.root / log.topic / "0", log.blobs.root / log.topic / "0")
