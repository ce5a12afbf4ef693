"""Reading a topic as a whole, without a consumer group: every process that asks sees every record."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.bus.kafka import Consumer
from shared.errors import UnavailableError

METADATA_TRIES = 50  # 5 s: a topic that was just made is not everywhere at once
CONFIRM_SECONDS = 0.5


async def assign(consumer: Consumer, topic: str) -> list[TopicPartition]:
    """Give the started `consumer` every partition of `topic`. UnavailableError while there is no such topic."""
    for _ in range(METADATA_TRIES):
        numbers = consumer.partitions_for_topic(topic)
        if numbers:
            found = [TopicPartition(topic, number) for number in sorted(numbers)]
            consumer.assign(found)
            return found
        await consumer.refresh()
        await asyncio.sleep(0.1)
    raise UnavailableError("the topic is not there")


async def behind(consumer: AIOKafkaConsumer) -> int:
    """How many records lie before this consumer."""
    parts = list(consumer.assignment())
    if not parts:
        return 0
    ends = await consumer.end_offsets(parts)
    return sum([max(0, ends[part] - await consumer.position(part)) for part in parts if part in consumer.assignment()])


class End:
    """Where partitions end at this moment, for who reads up to there.

    Asked again once that is reached: a broker that was just started may say less than it holds, for a moment, since its high
    watermark starts anew."""

    def __init__(self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._confirmed = False
        self.offsets = offsets

    @classmethod
    async def of(cls, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> "End":
        return cls(consumer, await consumer.end_offsets(list(partitions)))

    async def reached(self) -> bool:
        """Whether the consumer's positions have come there."""
        if not await self._passed():
            return False
        if not self._confirmed:
            await asyncio.sleep(CONFIRM_SECONDS)
            self.offsets = await self._consumer.end_offsets(list(self.offsets))
            self._confirmed = True
        return await self._passed()

    async def _passed(self) -> bool:
        return all([await self._consumer.position(one) >= end for one, end in self.offsets.items()])
