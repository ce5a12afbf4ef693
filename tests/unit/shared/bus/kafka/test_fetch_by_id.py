"""Fetching by topic id: on the wire as Kafka's own client does it, and what a consumer sees of it."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v11
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.kafka import fetch_by_id
from shared.bus.kafka.fetch_by_id import Epochs, FetchById, Reads
from shared.bus.kafka.protocol import FetchRequest_v13, FetchResponse_v13
from shared.bus.kafka.records import Batches
from tests.unit.shared.bus.kafka.test_records import batch
from tests.unit.shared.bus.kafka.test_topic_ids import ID, raw

NEW, OLD = {1: (4, 17), 3: (0, 13)}, {1: (4, 12), 3: (0, 13)}
TOPIC, OTHER = "billing.events", UUID(int=7)
P2, P3, P4 = (TopicPartition(TOPIC, number) for number in (2, 3, 4))


class Client:
    """A broker that answers with the vector, in the version that it speaks."""

    def __init__(self, versions: dict[int, tuple[int, int]] = NEW) -> None:
        self.versions = versions
        self.asked: list[Any] = []

    async def send(self, node_id: int, request: Any) -> Any:
        struct = request.prepare(self.versions)
        self.asked.append(struct)
        return FetchResponse_v13.decode(raw("fetch_response")) if struct.API_VERSION == 13 else FetchResponse_v11(0, 0, 0, [])


def fetching(client: Client, reads: Reads) -> FetchById:
    return FetchById(cast(AIOKafkaConsumer, SimpleNamespace(_client=client)), lambda: reads)


def request(*partitions: tuple[str, int], offset: int = 41) -> FetchRequest:
    return FetchRequest(500, 1, 8_388_608, 0, [(topic, [(number, offset, 1_048_576)]) for topic, number in partitions])


async def test_a_request_goes_out_as_kafkas_client_writes_it() -> None:
    client = Client()
    fetching(client, {P2: ID})
    await client.send(1, request((TOPIC, 2)))
    assert isinstance(client.asked[0], FetchRequest_v13)
    assert client.asked[0].encode() == raw("fetch_request")


async def test_an_answer_comes_back_in_the_shape_that_the_consumer_knows() -> None:
    client = Client()
    fetch = fetching(client, {P2: ID, P3: ID, P4: ID})
    answer = await client.send(1, request((TOPIC, 2), (TOPIC, 3), (TOPIC, 4)))
    assert answer.API_VERSION == 11
    ((name, (two, three, four)),) = answer.topics
    assert name == TOPIC
    assert two[:7] == (2, 0, 42, 42, 3, [(9, 40)], -1)
    (record,) = list(Batches(two[7]).next_batch())
    assert (record.offset, record.timestamp, record.key, record.value) == (41, 1_700_000_000_000, b"k", b"v")
    assert three == (3, 0, 9, 9, 3, [], -1, b"")
    assert four[:2] == (4, fetch_by_id.UNKNOWN_TOPIC), "the broker has no such topic: what aiokafka asks again about"
    assert [fetch.refused(one) for one in (P2, P3, P4)] == [False, False, True]


async def test_each_partition_is_asked_for_by_the_id_that_it_is_read_of() -> None:
    client = Client()
    reads = {P2: ID, P3: OTHER, TopicPartition("else", 2): UUID(int=8)}
    fetching(client, reads)
    await client.send(1, request(("else", 2), (TOPIC, 3)))
    assert [(topic_id, [one[0] for one in parts]) for topic_id, parts, _ in client.asked[0].topics] == [
        (UUID(int=8), [2]),
        (OTHER, [3]),
    ]


async def test_an_answer_about_something_else_is_a_refusal() -> None:
    """As of a broker that answers about the id of zeros where it does not know the one that it was asked about."""
    client = Client()
    fetch = fetching(client, {P2: OTHER})
    ((name, (part,)),) = (await client.send(1, request((TOPIC, 2)))).topics
    assert (name, part[:2], part[-1], fetch.refused(P2)) == (TOPIC, (2, fetch_by_id.UNKNOWN_TOPIC), b"", True)


async def test_an_answer_about_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As to a client that is over its quota."""
    monkeypatch.setattr(FetchResponse_v13, "decode", lambda _: FetchResponse_v13(900, 0, 0, [], {}))
    client = Client()
    fetch = fetching(client, {P2: ID})
    answer = await client.send(1, request((TOPIC, 2)))
    assert (answer.throttle_time_ms, answer.topics, fetch.refused(P2)) == (900, [], False)


async def test_a_tag_that_says_at_length_that_nothing_diverges_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client, told = Client(), list[TopicPartition]()
    answer = FetchResponse_v13.decode(raw("fetch_response"))
    ((topic_id, parts, tags),) = answer.topics
    answer.topics = [(topic_id, [(*part[:-1], {0: b"\xff" * 12 + b"\0"}) for part in parts], tags)]
    monkeypatch.setattr(FetchResponse_v13, "decode", lambda _: answer)
    FetchById(cast(AIOKafkaConsumer, SimpleNamespace(_client=client)), lambda: {P2: ID, P3: ID, P4: ID}, told.append)
    await client.send(1, request((TOPIC, 2), (TOPIC, 3), (TOPIC, 4)))
    assert told == []


async def test_what_was_refused_is_left_out_for_a_while_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    fetch = fetching(client, {P2: ID, P4: ID})

    async def asked() -> list[int]:
        await client.send(1, request((TOPIC, 2), (TOPIC, 4)))
        return [number for _, parts, _ in client.asked[-1].topics for number, *_ in parts]

    assert [await asked(), await asked(), fetch.refused(P4)] == [[2, 4], [2], True]
    monkeypatch.setattr(fetch_by_id, "REFUSED_SECONDS", 0.0)
    assert await asked() == [2, 4]


async def test_what_is_not_read_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that was dropped, while it is still assigned: by name it could be another topic's."""
    monkeypatch.setattr(fetch_by_id, "REFUSED_SECONDS", 0.001)
    client = Client()
    fetching(client, {P2: ID})
    assert (await client.send(1, request((TOPIC, 3)))).topics == []
    assert client.asked == []


@pytest.mark.parametrize(("versions", "topic_id"), [(OLD, ID), (NEW, None)], ids=["an older broker", "no id"])
async def test_by_name_where_it_cannot_be_by_id(versions: dict[int, tuple[int, int]], topic_id: UUID | None) -> None:
    client = Client(versions)
    fetching(client, {P2: topic_id})
    await client.send(1, request((TOPIC, 2)))
    assert client.asked[0].API_VERSION == 11
    assert client.asked[0].topics == [(TOPIC, [(2, -1, 41, -1, 1_048_576)])]


async def test_the_epoch_of_what_was_read_last_goes_with_the_next_request() -> None:
    """And only with that: at another offset the record before it is not known to be the one that was read."""
    client = Client()
    fetching(client, {P2: ID, P3: ID, P4: ID})
    epochs = []
    for offset in (41, 42, 43, 42):
        await client.send(1, request((TOPIC, 2), offset=offset))
        ((_, ((_, _, at, epoch, *_),), _),) = client.asked[-1].topics
        assert at == offset
        epochs.append(epoch)
    assert epochs == [-1, 4, -1, 4]


async def test_a_history_that_is_not_the_one_that_was_read_is_told() -> None:
    told: list[TopicPartition] = []
    client = Client()
    FetchById(cast(AIOKafkaConsumer, SimpleNamespace(_client=client)), lambda: {P2: ID, P3: ID, P4: ID}, told.append)
    await client.send(1, request((TOPIC, 2), (TOPIC, 3), (TOPIC, 4)))
    assert told == [P3]


@given(
    sizes=st.lists(st.integers(1, 5), max_size=5),
    epochs=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    cut=st.integers(0, 80),
)
def test_the_last_whole_batch_counts(sizes: list[int], epochs: list[int], cut: int) -> None:
    """The broker cuts its answer anywhere."""
    base, data, ends = 7, b"", []
    for size, epoch in zip(sizes, epochs, strict=False):
        one = bytearray(batch([(b"k", b"v", [])] * size, base=base))
        one[12:16] = epoch.to_bytes(4, "big")
        base += size
        data += bytes(one)
        ends.append((len(data), base, epoch))
    data = data[: max(0, len(data) - cut)]
    found = Epochs()
    found.received(ID, 2, data)
    whole = [(end, epoch) for length, end, epoch in ends if length <= len(data)]
    for at in range(7, base + 2):
        assert found.before(ID, 2, at) == (whole[-1][1] if whole and whole[-1][0] == at else -1)
    assert found.before(ID, 3, base) == found.before(OTHER, 2, base) == -1
