"""The log's own parts on the real PostgreSQL and Vault, as the service audit, in a schema of its own."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from deploy.local import environment
from deploy.local.state import State
from services.audit.base import TABLES, Base
from services.audit.log.head import Heads
from services.audit.log.ingest import _batch
from services.audit.log.pins import until_unpinned
from services.audit.log.sealer import Sealer
from services.audit.log.sequence import Part
from services.audit.log.shard import Batch, Shard, append_all
from services.audit.log.store import ShardStore
from services.audit.log.verify import verify_shard
from shared.access.actor import Actor
from shared.access.decide import Policies
from shared.blobs import PosixStore
from shared.clock import SystemClock
from shared.db import KernelTables, make_sessions
from shared.errors import KeptError
from shared.keys.keyring import Keyring
from shared.keys.login import AppRole
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner
from shared.work import Door
from tests.support.insider import Insider

ME = Actor.system("audit")
LOG_KEY = "kept-log"


def record(topic: str, offset: int, value: bytes, **headers: str) -> Any:
    """A record as the Kafka client presents it."""
    pairs = tuple((name, text.encode()) for name, text in headers.items())
    return ConsumerRecord(topic, 0, offset, 1_795_500_000_000, 0, b"key", value, None, 3, len(value), pairs)


@dataclass
class AuditLog:
    """`open()` gives an owner of `billing.events/0`; several may be opened beside one another."""

    engine: AsyncEngine
    door: Any
    vault: Vault
    blobs: PosixStore
    topic: str = "billing.events"

    @property
    def heads(self) -> Heads:
        return Heads(self.door)

    @property
    def signer(self) -> VaultSigner:
        return VaultSigner(self.vault, LOG_KEY, f"kept.test/log/{self.topic}/0")

    async def open(self) -> Shard:
        head = await self.heads.newest(self.topic, 0) or await self.heads.start(self.topic, 0, 1, 0)
        return await Shard.open(head, ShardStore(self.blobs, head.shard), self.heads, self.signer)

    async def append(self, shard: Shard, *records: Any) -> None:
        """What ingestion does with records of one shard."""
        await self.integrate(shard, await self.sequence(shard, *records))

    async def sequence(self, shard: Shard, *records: Any) -> Batch:
        part = Part(self.topic, 0, shard.next_offset, records[-1].offset + 1, records)
        return _batch(shard.store.shard, part, await Sealer(self.door).ciphers([(shard, part)]))

    async def integrate(self, shard: Shard, batch: Batch) -> None:
        for error in (await append_all({shard: batch})).values():
            raise error

    async def shred(self, subject: str) -> None:
        """What audit does when a subject is to be forgotten."""
        async with self.door.begin(ME) as w:
            await w.shred(subject)
            await until_unpinned(w, subject)

    async def size(self) -> int:
        """The verified size: any fault fails the test."""
        found = verify_shard(self.blobs, f"{self.topic}/0", await self.signer.vkeys())
        assert found.faults == ()
        return found.size

    async def count(self, where: str) -> int:
        async with self.engine.connect() as connection:
            return int((await connection.execute(text(f"SELECT count(*) FROM {where}"))).scalar_one())


class Dying(Heads):
    """The process dies where the head should move: what was written is there, and nobody knows."""

    async def move_all(self, moves: Any) -> Any:
        raise KeptError("killed")


async def open_log(state: State, tmp_path: Path) -> AsyncIterator[AuditLog]:
    """The body of a fixture, on the servers of a platform."""
    env = environment.read(state, "audit")
    vault = Vault(env["KEPT_VAULT_ADDR"], AppRole(env["KEPT_VAULT_ROLE_ID"], Path(env["KEPT_VAULT_SECRET_ID_FILE"])))
    password = Insider(state, "audit").secret("audit/database")["password"]
    schema = f"log_{secrets.token_hex(4)}"
    where = SimpleNamespace(host=env["KEPT_DATABASE_HOST"], port=env["KEPT_DATABASE_PORT"])
    engine = create_async_engine(
        f"postgresql+psycopg://audit:{password}@{where.host}:{where.port}/audit",
        connect_args={"options": f"-c search_path={schema}"},
        hide_parameters=True,
    )
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
        wanted = {"heads", "pins", "ledgers", "scrubs", "slots", *KernelTables.__dataclass_fields__}
        tables = [table for name, table in Base.metadata.tables.items() if name in wanted]
        await connection.run_sync(lambda c: Base.metadata.create_all(c, tables=tables))
    door = Door("audit", make_sessions(engine), SystemClock(), Policies.load(), Keyring("audit", vault, TABLES))
    yield AuditLog(engine, door, vault, PosixStore(tmp_path / "log"))
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    await engine.dispose()


def dying(log: AuditLog, shard: Shard) -> Shard:
    """The same shard, its process about to die at the head."""
    shard.heads = cast(Heads, Dying(log.door))
    return shard
