"""Topic ids on the wire, against bytes that Kafka's own client wrote; and who is asked for them."""

from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from aiokafka.protocol.metadata import MetadataResponse_v5

from shared.bus import kafka
from shared.bus.kafka.protocol import MetadataRequest_v12, MetadataResponse_v12
from shared.bus.kafka.topic_ids import AllTopics, Topic, topics

VECTORS = dict(
    line.split() for line in (Path(__file__).parents[4] / "vectors" / "kafka" / "vectors.txt").read_text().splitlines()
)
ID = UUID("01234567-89ab-cdef-fedc-ba9876543210")


def raw(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name])


def test_all_topics_are_asked_for_as_kafkas_client_does() -> None:
    request = AllTopics().prepare({3: (0, 13), 1: (4, 17)})
    assert isinstance(request, MetadataRequest_v12)
    assert request.encode() == raw("metadata_request")
    assert MetadataRequest_v12.decode(raw("metadata_request")).encode() == raw("metadata_request")


def test_an_answer_is_read_to_its_end_and_written_the_same() -> None:
    answer = MetadataResponse_v12.decode(raw("metadata_response"))
    assert answer.encode() == raw("metadata_response")
    assert [(topic[1], topic[2]) for topic in answer.topics] == [("billing.events", ID), ("no-id", UUID(int=0))]


class Admin:
    """Gives an answer, whatever it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def ask(self, request: Any) -> Any:
        return self.answer


async def told(answer: Any) -> dict[str, Topic]:
    return await topics(cast(kafka.Admin, Admin(answer)))


async def test_a_topic_has_its_id_and_one_of_zeros_is_none() -> None:
    answer = MetadataResponse_v12.decode(raw("metadata_response"))
    assert await told(answer) == {"billing.events": Topic(ID, frozenset({2})), "no-id": Topic(None, frozenset())}


async def test_an_older_broker_names_topics_without_ids() -> None:
    part = (0, 2, 1, [1], [1], [])
    answer = MetadataResponse_v5(0, [], "c", 1, [(0, "billing.events", False, [part])])
    assert await told(answer) == {"billing.events": Topic(None, frozenset({2}))}


@pytest.mark.parametrize(
    "versions",
    [{3: (0, 11), 1: (4, 17)}, {3: (0, 13), 1: (4, 12)}, {3: (0, 13)}, {3: (0, 13), 1: (14, 17)}, {3: (0, 5), 1: (0, 11)}],
    ids=["metadata too old", "fetch too old", "no fetch", "fetch too new", "an old broker"],
)
def test_only_a_broker_that_can_be_read_by_id_is_asked_for_ids(versions: dict[int, tuple[int, int]]) -> None:
    assert AllTopics().prepare(versions).API_VERSION == 5
