"""One stopped shard neither hides nor stops the others."""

from typing import Any, cast

from aiokafka import ConsumerRecord, TopicPartition

from services.audit.log.head import Heads
from services.audit.log.ingest import Ingest
from services.audit.log.sealer import Sealer
from services.audit.log.shard import Shard
from services.audit.log.store import SHARDS
from shared.bus.broker import BrokerSettings
from shared.errors import TamperError
from shared.keys.vault import Vault
from tests.unit.services.audit.log.naive import Memory


class _Heads:
    async def shards(self) -> list[str]:
        return ["a/0", "a~2/0", "b/0"]


class _Vault:
    async def public_keys(self, key: str) -> dict[int, bytes]:
        return {1: bytes(32)}


class _Sealer:
    async def keys(self, names: Any) -> dict[str, Any]:
        return dict.fromkeys(names)


class _Bad:
    next_offset = 0

    async def append(self, entries: list[bytes]) -> None:
        raise TamperError("a/0/tile/entries/000 holds other bytes")


def _ingest(blobs: Memory) -> Ingest:
    return Ingest(
        pattern=".*", log_name="kept.test/log", blobs=blobs, heads=cast(Heads, _Heads()), sealer=cast(Sealer, _Sealer()),
        vault=cast(Vault, _Vault()), broker=cast(BrokerSettings, None), published=lambda: None,
    )  # fmt: skip


async def test_every_shard_ever_begun_is_listed() -> None:
    blobs = Memory()
    await _ingest(blobs)._list()
    assert blobs.get(SHARDS) == b"a/0\na~2/0\nb/0\n"


async def test_tampering_stops_its_shard_alone_and_is_told() -> None:
    ingest, bad, good = _ingest(Memory()), TopicPartition("a", 0), TopicPartition("b", 0)
    ingest._shards = {bad: cast(Shard, _Bad()), good: cast(Shard, _Bad())}
    record = ConsumerRecord("a", 0, 0, 0, 0, None, b"v", None, 0, 1, ())
    await ingest._take(bad, [cast(Any, record)])
    assert set(ingest._shards) == {good}
    assert ingest.faults == {"a/0": "tampered"}
