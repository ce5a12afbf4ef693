"""Is everything in it? Compares what the broker has with what the log published, and that with the index.

`compare` is pure; `Reconciler` asks the broker, the store and the database, and answers people and metrics alike.
"""

import asyncio
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import func, select

from services.audit.index.read import Checkpoints
from services.audit.index.tables import Indexed, Position
from services.audit.log.head import SYSTEM
from services.audit.log.store import ShardStore
from services.audit.log.tables import Head
from shared.blobs import BlobStore
from shared.bus.broker import BrokerSettings
from shared.errors import UnavailableError
from shared.gauges import Gauge
from shared.timeouts import closed, within
from shared.work import Door

log = logging.getLogger("kept.audit")
ANSWER_SECONDS_MAX = 10.0
FRESH_SECONDS = 15.0  # metrics are asked more often than the broker should be
GAP = "(gap)"


@dataclass(frozen=True)
class Range:
    """What the broker has of a partition: offsets [begin, end)."""

    begin: int
    end: int


@dataclass(frozen=True)
class ShardSize:
    """A shard as the log has it: leaf 0 is offset `base`; `published` leaves are signed, `indexed` of them searchable."""

    shard: str
    topic: str
    partition: int
    generation: int
    base: int
    published: int
    indexed: int


@dataclass(frozen=True)
class Gaps:
    """Leaves that say that the broker had nothing at their offsets: how many, and between which indices."""

    shard: str
    count: int
    first: int
    last: int


@dataclass(frozen=True)
class Line:
    """One partition. `behind`: records that the broker has and the published log has not; `lost`: those among them that the
    broker dropped by now; `ahead`: leaves beyond the broker's end (the topic was made anew, or lost records)."""

    shard: str
    topic: str
    partition: int
    behind: int
    lost: int
    ahead: int
    published: int
    index_behind: int


@dataclass(frozen=True)
class Report:
    """`missing`: partitions that the pattern wants and the log has not. `gone`: shards whose partition the broker has no more.
    `older`: shards of earlier generations. `outside`: topics that the pattern leaves out."""

    lines: Sequence[Line]
    missing: Sequence[str] = ()
    gone: Sequence[str] = ()
    older: Sequence[str] = ()
    outside: Sequence[str] = ()
    gaps: Sequence[Gaps] = field(default_factory=tuple)

    @property
    def in_step(self) -> bool:
        """Everything that the broker has is published and indexed."""
        off = any(line.behind or line.lost or line.ahead or line.index_behind for line in self.lines)
        return not (off or self.missing)

    def asdict(self) -> dict[str, Any]:
        return {"in_step": self.in_step, **asdict(self)}


def compare(
    pattern: str,
    broker: Mapping[TopicPartition, Range],
    shards: Sequence[ShardSize],
    gaps: Sequence[Gaps] = (),
    after: Mapping[TopicPartition, Range] | None = None,
) -> Report:
    """What differs. A partition's shard is its newest generation. `after`: the broker later than the log was asked."""
    wanted = re.compile(pattern)
    newest: dict[tuple[str, int], ShardSize] = {}
    for one in sorted(shards, key=lambda s: s.generation):
        newest[one.topic, one.partition] = one
    lines, gone = [], []
    for shard in newest.values():
        there = broker.get(TopicPartition(shard.topic, shard.partition))
        if there is None:
            gone.append(shard.shard)
        else:
            lines.append(_line(shard, there, (after or broker).get(TopicPartition(shard.topic, shard.partition), there)))
    missing = [f"{t}/{p}" for t, p in broker if wanted.fullmatch(t) and (t, p) not in newest]
    outside = {t for t, _ in broker if not wanted.fullmatch(t)}
    older = [one.shard for one in shards if newest[one.topic, one.partition] is not one]
    return Report(
        sorted(lines, key=lambda x: (x.topic, x.partition)), sorted(missing), sorted(gone), sorted(older), sorted(outside),
        sorted(gaps, key=lambda g: g.shard),
    )  # fmt: skip


def _line(shard: ShardSize, there: Range, later: Range) -> Line:
    after = shard.base + shard.published
    return Line(
        shard.shard, shard.topic, shard.partition, behind=max(0, there.end - after),
        lost=max(0, min(there.begin, there.end) - after), ahead=max(0, after - later.end), published=shard.published,
        index_behind=max(0, shard.published - shard.indexed),
    )  # fmt: skip


class Reconciler:
    def __init__(self, pattern: str, broker: BrokerSettings, door: Door, blobs: BlobStore, checkpoints: Checkpoints) -> None:
        self._pattern = pattern
        self._broker = broker
        self._door = door
        self._blobs = blobs
        self._checkpoints = checkpoints
        self._last: tuple[float, Report] | None = None
        self._one = asyncio.Lock()

    async def look(self, until: Mapping[TopicPartition, Range] | None = None) -> Report:
        """The report of now; with `until`, of what the broker had at an earlier moment. UnavailableError: cannot tell."""
        # The broker before and after the log: what comes meanwhile is neither behind nor ahead.
        before = await self.ranges() if until is None else until
        shards, gaps = await self._log()
        return compare(self._pattern, before, shards, gaps, await self.ranges())

    async def recent(self) -> Report:
        """A report that is not older than FRESH_SECONDS."""
        async with self._one:
            if self._last is None or time.monotonic() - self._last[0] > FRESH_SECONDS:
                self._last = time.monotonic(), await self.look()
            return self._last[1]

    async def gauges(self) -> list[Gauge]:
        """For /metrics. Labels are names of topics and shards."""
        report = await self.recent()
        found = [Gauge("kept_audit_log_missing_partitions", {}, len(report.missing))]
        for line in report.lines:
            where = {"topic": line.topic, "partition": str(line.partition)}
            found.append(Gauge("kept_audit_log_behind_records", where, line.behind))
            found.append(Gauge("kept_audit_log_published_records", where, line.published))
            found.append(Gauge("kept_audit_log_ahead_records", where, line.ahead))
            found.append(Gauge("kept_audit_index_behind_records", where, line.index_behind))
        return found + [Gauge("kept_audit_log_gap_records", {"shard": one.shard}, one.count) for one in report.gaps]

    async def ranges(self) -> dict[TopicPartition, Range]:
        """What the broker has of every topic that we may read."""
        consumer, admin = self._broker.consumer(auto_offset_reset="none"), self._broker.admin()
        try:
            await within(ANSWER_SECONDS_MAX, consumer.start())
            await within(ANSWER_SECONDS_MAX, admin.start())
            topics = sorted(t for t in await within(ANSWER_SECONDS_MAX, admin.list_topics()) if not t.startswith("__"))
            described = await within(ANSWER_SECONDS_MAX, admin.describe_topics(topics)) if topics else []
            parts = [TopicPartition(t["topic"], p["partition"]) for t in described for p in t["partitions"]]
            begins = await within(ANSWER_SECONDS_MAX, consumer.beginning_offsets(parts))
            ends = await within(ANSWER_SECONDS_MAX, consumer.end_offsets(parts))
        except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
            log.info("kafka: %s", type(error).__name__)
            raise UnavailableError("the broker does not answer") from None
        finally:
            await closed(consumer.stop())
            await closed(admin.close())
        return {part: Range(begins[part], ends[part]) for part in parts}

    async def _log(self) -> tuple[list[ShardSize], list[Gaps]]:
        async with self._door.begin(SYSTEM) as w:
            heads = (await w.session.execute(select(Head.shard, Head.topic, Head.partition, Head.generation, Head.base))).all()
            indexed = dict((await w.session.execute(select(Position.shard, Position.next))).tuples().all())
            query = select(Indexed.shard, func.count(), func.min(Indexed.index), func.max(Indexed.index))
            rows = (await w.session.execute(query.where(Indexed.type == GAP).group_by(Indexed.shard))).tuples().all()
        shards = []
        for shard, topic, partition, generation, base in heads:
            size = (await self._checkpoints.newest(ShardStore(self._blobs, shard))).size
            shards.append(ShardSize(shard, topic, partition, generation, base, size, indexed.get(shard, 0)))
        return shards, [Gaps(*row) for row in rows]
