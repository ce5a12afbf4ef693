"""Who writes which partitions: a fixed number of slots, each held by one process at a time.

A slot is a duty (shared/leader.py): a second process stands by, and takes over when the first one's connection is gone. Being
late costs nothing: a process that lost its slot and does not know it cannot move a head that another has moved (head.py), nor
replace a checkpoint that another has replaced (shard.py).
"""

import zlib
from dataclasses import dataclass

from aiokafka import TopicPartition
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.leader import Leader
from shared.locks import Lock


@dataclass(frozen=True)
class Slot:
    """Slot `number` of `of`."""

    number: int = 0
    of: int = 1

    def has(self, partition: TopicPartition) -> bool:
        """Whether this partition is read here. The partitions of one topic spread evenly."""
        share: int = (zlib.crc32(partition.topic.encode()) + partition.partition) % self.of
        return share == self.number


WHOLE = Slot()


def duty(engine: AsyncEngine, slot: Slot) -> Leader:
    """Whoever leads there works on the slot."""
    return Leader(engine, f"slot {slot.number} of {slot.of}", Lock.PARTITION, slot.number)
