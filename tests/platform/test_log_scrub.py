"""The service verifies its own log: what was changed where nobody reads is an alarm; who dies meanwhile says nothing false."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from deploy.local import environment
from services.audit.log.opening import Opener
from services.audit.log.tables import Scrub
from services.audit.scrub.jobs import MODULE, Scrubbing
from shared.errors import InvariantError, UnavailableError
from shared.notes.note import LocalSigner, sign_note, vkey
from tests.support.audit_log import ME, AuditLog, open_log, record
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
DAY = timedelta(days=1)
ENTRIES = 300


@pytest.fixture
async def log(platform: Platform, tmp_path: Path) -> AsyncIterator[AuditLog]:
    async for one in open_log(platform.state, tmp_path):
        shard = await one.open()
        await one.append(shard, *(record(one.topic, n, b"%d" % n, ce_id=f"id-{n}") for n in range(ENTRIES)))
        await Opener("kept.test/log", one.blobs, one.heads, one.vault).list()
        yield one


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.audit.scrub.jobs.SETTLE_SECONDS", 0.0)


def command(platform: Platform, state: Path, **other: str) -> list[str]:
    env = environment.read(platform.state, "audit") | {"KEPT_STATE_DIR": str(state), "KEPT_LOG_NAME": "kept.test/log"} | other
    return ["env", *(f"{name}={value}" for name, value in env.items()), sys.executable, "-m", MODULE]


@pytest.fixture
def scrubbing(platform: Platform, log: AuditLog, tmp_path: Path) -> Scrubbing:
    return Scrubbing(log.door, DAY, command(platform, tmp_path))


def changed(file: Path) -> None:
    file.chmod(0o644)
    raw = bytearray(file.read_bytes())
    raw[100] ^= 1
    file.write_bytes(raw)


async def alarms(log: AuditLog) -> list[dict[str, Any]]:
    async with log.engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT value FROM outbox WHERE value LIKE '%%damaged%%'::bytea ORDER BY id")
        return [json.loads(row[0]) for row in rows]


async def test_a_whole_log_is_said_to_be_whole(log: AuditLog, scrubbing: Scrubbing) -> None:
    assert await scrubbing.scrub() == []
    said = await scrubbing.status()
    assert (said["entries"], said["faults"], said["named"]) == (ENTRIES, 0, [])
    assert {one.name: one.value for one in await scrubbing.gauges()}["kept_audit_log_scrub_faults"] == 0
    assert await alarms(log) == []


async def test_a_changed_file_that_nobody_reads_is_an_alarm_until_it_is_put_right(
    log: AuditLog, scrubbing: Scrubbing, tmp_path: Path
) -> None:
    file = tmp_path / "log" / log.topic / "0" / "tile" / "entries" / "000"
    whole = file.read_bytes()
    changed(file)
    (fault, *_) = await scrubbing.scrub()
    assert fault.file == f"{log.topic}/0/tile/entries/000"
    (alarm,) = await alarms(log)
    assert (alarm["kind"], alarm["shard"]) == ("damaged", f"{log.topic}/0") and alarm["first"] == fault.index
    said = await scrubbing.status()
    assert said["faults"] >= 1 and fault.file in said["named"][0]
    assert {one.name: one.value for one in await scrubbing.gauges()}["kept_audit_log_scrub_faults"] >= 1
    file.write_bytes(whole)
    assert await scrubbing.scrub() == [] and len(await alarms(log)) == 1


async def test_a_log_that_went_back_is_an_alarm(log: AuditLog, scrubbing: Scrubbing) -> None:
    """Whoever restores an older checkpoint with its tree has a log that verifies; the service remembers a longer one."""
    shard = await log.open()
    older = shard.note
    await log.append(shard, record(log.topic, ENTRIES, b"one more", ce_id="id"))
    assert await scrubbing.scrub() == []
    log.blobs.replace(f"{log.topic}/0/checkpoint", str(older).encode())
    assert [fault.kind for fault in await scrubbing.scrub()] == ["seen"]
    assert len(await alarms(log)) == 1


async def test_a_log_that_was_signed_anew_with_keys_of_its_own_is_an_alarm(log: AuditLog, scrubbing: Scrubbing) -> None:
    """All of it agrees, the keys beside it too: only Vault says that they are not the log's."""
    path, other = f"{log.topic}/0/checkpoint", LocalSigner(log.signer.name, bytes(32))
    text, _, _ = log.blobs.get(path).decode().partition("\n\n")
    log.blobs.replace(path, (await sign_note(f"{text}\n", other)).encode())
    log.blobs.replace("keys", f"{vkey(other.name, other.public)}\n".encode())
    assert [fault.kind for fault in await scrubbing.scrub()] == ["checkpoint"]
    assert len(await alarms(log)) == 1


async def test_a_shard_that_the_list_hides_is_an_alarm(log: AuditLog, scrubbing: Scrubbing) -> None:
    log.blobs.replace("shards", b"")
    assert [fault.kind for fault in await scrubbing.scrub()] == ["missing"]
    assert len(await alarms(log)) == 1


async def test_a_process_that_is_killed_says_nothing(log: AuditLog, platform: Platform, tmp_path: Path) -> None:
    nowhere = command(platform, tmp_path / "nothing")  # it says so, which is an error of ours and no part that is away
    for dying, ends in (
        (["sh", "-c", "kill -9 $$"], UnavailableError),
        (["true"], UnavailableError),
        (nowhere, InvariantError),
    ):
        with pytest.raises(ends):
            await Scrubbing(log.door, DAY, dying).scrub()
    assert (await Scrubbing(log.door, DAY).status())["ended_at"] is None
    assert await alarms(log) == []


async def test_it_ends_with_the_service(log: AuditLog, platform: Platform, tmp_path: Path) -> None:
    """The key service never answers; then the service is gone."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        vault = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *command(platform, tmp_path, KEPT_VAULT_ADDR=vault), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(b"[]\n")
        await process.stdin.drain()
        silent.settimeout(30)
        await asyncio.to_thread(silent.accept)  # it is asking
        process.stdin.close()
        async with asyncio.timeout(120):
            said, _ = await process.communicate()
        assert said == b""  # it did not come to the end of its patience with the key service, which it would say


async def test_it_is_due_an_interval_after_the_last(log: AuditLog, scrubbing: Scrubbing) -> None:
    assert not await scrubbing._due()  # never scrubbed: counts as begun now
    assert not await scrubbing._due()
    async with log.door.begin(ME) as w:
        await w.session.execute(update(Scrub).values(ended_at=w.now - DAY))
    assert await scrubbing._due()
    await scrubbing.scrub()
    assert not await scrubbing._due()
