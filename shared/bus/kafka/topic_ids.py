"""Which topics there are, and the id of each: a topic that was deleted and made again has another one (KIP-516).

Only a broker that can also be read by topic id (fetch_by_id.py) is asked for the ids: one that is shown but not held to would
promise more than it keeps. Of any other broker they are unknown.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka.protocol.metadata import MetadataRequest

from shared.bus.kafka.admin import Admin
from shared.bus.kafka.protocol import FetchRequest_v13, MetadataRequest_v12, MetadataResponse_v12, Versions, speaks

NO_ID = UUID(int=0)  # what a broker says of a topic that has none


@dataclass(frozen=True)
class Topic:
    """`id`: None where the broker does not say, or can't be held to it."""

    id: UUID | None
    partitions: frozenset[int]


class AllTopics:
    """A request in the best version that the broker and both of us speak."""

    def prepare(self, versions: Versions) -> Any:
        if speaks(versions, MetadataRequest_v12) and speaks(versions, FetchRequest_v13):
            return MetadataRequest_v12(None, False, False, {})
        return MetadataRequest(None).prepare(versions)


async def topics(admin: Admin) -> dict[str, Topic]:
    """Every topic that the broker shows to this client, by name, in one question. KafkaError."""
    answer = await admin.ask(AllTopics())
    if answer.API_VERSION < MetadataResponse_v12.API_VERSION:
        return {name: Topic(None, _numbers(parts)) for _, name, *_, parts in answer.topics}
    return {
        name: Topic(None if topic_id == NO_ID else topic_id, _numbers(parts))
        for _, name, topic_id, _, parts, *_ in answer.topics
    }


def _numbers(partitions: list[tuple[Any, ...]]) -> frozenset[int]:
    return frozenset(partition[1] for partition in partitions)
