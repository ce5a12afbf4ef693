"""Reading a topic as a whole, without a consumer group: every process that asks sees every record."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import UnavailableError

METADATA_TRIES = 50  # 5 s: a topic that was just made is not everywhere at once


async def assign(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Give the started `consumer` every partition of `topic`. UnavailableError while there is no such topic."""
    client: Any = consumer._client  # aiokafka has no public way to ask for one topic's metadata
    for _ in range(METADATA_TRIES):
        numbers = consumer.partitions_for_topic(topic)
        if numbers:
            found = [TopicPartition(topic, number) for number in sorted(numbers)]
            consumer.assign(found)
            return found
        await client.force_metadata_update()
        await asyncio.sleep(0.1)
    raise UnavailableError("the topic is not there")
