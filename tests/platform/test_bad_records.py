"""Records that are no events, on our own topics, on the commands to holders and on another team's topic: every consumer
goes on, the dead letters have them with the reason, and the log has each as a leaf, sealed."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from services.audit.log.entry import Kind
from shared.bus import dlq
from shared.ids import new_event_id
from tests.support import logbook
from tests.support.insider import Insider, wait_until
from tests.support.platform import Platform
from tests.support.staff import signed_in
from tests.support.topic import whole

# Who may write to a topic, and one service whose handlers read it.
OWN = [
    ("kept.identity", "identity", "customers"),
    ("kept.dsar", "dsar", "identity"),
    ("kept.dsar.commands", "dsar", "customers"),
]
GOOD_TYPE = {
    "kept.identity": "kept.identity.user.created.v1",
    "kept.dsar": "kept.dsar.erasure.requested.v1",
    "kept.dsar.commands": "kept.dsar.command.locate.v1",
}
Headers = list[tuple[str, bytes | None]]


def envelope(type_: str, **changed: bytes | None) -> Headers:
    found: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": new_event_id().encode(),
        "ce_type": type_.encode(),
        "ce_source": b"/tests",
        "ce_time": b"2026-01-02T03:04:05Z",
        "ce_actor": b"system:tests",
        "content-type": b"application/json",
    }
    return list((found | changed).items())


class Writer:
    """A producer that does as it likes."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, topic: str, headers: Headers, value: bytes | None, key: bytes | None = b"k") -> tuple[int, int]:
        placed = await self._producer.send_and_wait(topic, key=key, value=value, headers=headers)
        return placed.partition, placed.offset


async def writer(platform: Platform, service: str, **options: Any) -> AsyncIterator[Writer]:
    producer = AIOKafkaProducer(
        **Insider(platform.state, service).broker().client(),
        request_timeout_ms=30_000,
        max_request_size=8 * 1024 * 1024,
        **options,
    )
    await producer.start()
    try:
        yield Writer(producer)
    finally:
        await producer.stop()


async def letters(platform: Platform, service: str) -> dict[str, list[dlq.Letter]]:
    """The dead letters of a service by where they came from."""
    found: dict[str, list[dlq.Letter]] = {}
    for one in await dlq.letters(Insider(platform.state, service).broker(), service):
        found.setdefault(one.origin, []).append(one)
    return found


async def buried(platform: Platform, service: str, origins: set[str], times: int = 1) -> dict[str, list[dlq.Letter]]:
    """The dead letters, once every one of `origins` is among them that often."""
    async with asyncio.timeout(120):
        while True:
            found = await letters(platform, service)
            if all(len(found.get(one, [])) >= times for one in origins):
                return found
            await asyncio.sleep(0.3)


def leaf(platform: Platform, topic: str, place: tuple[int, int]) -> Any:
    """The leaf of a record, once it is published."""
    partition, offset = place
    wait_until(lambda: logbook.size(platform.origin, f"{topic}/{partition}") > offset)
    return next(one for one in logbook.entries(platform.origin, f"{topic}/{partition}") if one.place.offset == offset)


def bad_ones(good: str) -> dict[str, tuple[Headers, bytes | None]]:
    """What a broken or hostile publisher could send. All are dead letters."""
    return {
        "no CloudEvent": ([], b"hello"),
        "nothing at all": ([], None),
        "half an envelope": (envelope(good)[:3], b"{}"),
        "not JSON": (envelope(good), b"{"),
        "not UTF-8": (envelope(good), b"\xff\xfe"),
        "no object": (envelope(good), b"[1]"),
        "absurdly deep": (envelope(good), b"[" * 50_000 + b"]" * 50_000),
        "another body": (envelope(good), b'{"request_id": {"a": []}}'),
        "a header twice": ([*envelope(good), ("ce_id", b"2")], b"{}"),
        "a null header": (envelope(good, ce_id=None), b"{}"),
        "a time that is none": (envelope(good, ce_time=b"yesterday"), b"{}"),
        "another version": (envelope(good, ce_specversion=b"0.3"), b"{}"),
        "almost too large": ([], b"x" * 1_040_000),
    }


# Whole as far as its headers go: whether the body is what the type declares is not the log's to judge.
WHOLE = {"not JSON", "not UTF-8", "no object", "absurdly deep", "another body", "another version"}
WHOLE |= {"a null header", "a time that is none", "another key"}


@pytest.mark.parametrize(("topic", "who", "reader"), OWN, ids=[one[0] for one in OWN])
async def test_what_is_no_event_stops_nobody(platform: Platform, topic: str, who: str, reader: str) -> None:
    sent: dict[str, tuple[int, int]] = {}
    async for writing in writer(platform, who):
        for what, (headers, value) in bad_ones(GOOD_TYPE[topic]).items():
            sent[what] = await writing.send(topic, headers, value)
        stranger = await writing.send(topic, envelope("kept.dsar.from.future.v9"), b'{"n": 1}')
        other_key = await writing.send(topic, envelope(GOOD_TYPE[topic]), b"{}", key=b"\xff\xfe another key \0")
    wanted = {f"{topic}/{partition}/{offset}" for partition, offset in sent.values()}
    found = await buried(platform, reader, wanted)
    assert {found[one][0].reason for one in wanted} == {"malformed"}
    assert f"{topic}/{stranger[0]}/{stranger[1]}" not in found, "a type that nobody declared is others' business"
    for what, place in [*sent.items(), ("another key", other_key)]:
        kind = leaf(platform, topic, place).kind
        assert kind in (Kind.SEALED, Kind.LARGE) or (kind is Kind.RECORD and what in WHOLE), what


async def test_a_letter_is_listed_shown_and_replayed_by_the_command_line(platform: Platform) -> None:
    async for writing in writer(platform, "identity"):
        partition, offset = await writing.send("kept.identity", [], b"still no event")
    origin = f"kept.identity/{partition}/{offset}"
    first = (await buried(platform, "customers", {origin}))[origin][0]
    listed = json.loads(platform.kept("dlq", "list", "customers", "--json").stdout)
    mine = [one for one in listed if one["from"] == origin]
    assert [(one["letter"], one["reason"], one["replayed"]) for one in mine] == [(first.position, "malformed", False)]
    shown = platform.kept("dlq", "show", "customers", first.position)
    assert shown.returncode == 0 and "malformed" in shown.stdout and "still" not in shown.stdout
    done = platform.kept("dlq", "replay", "customers", first.position, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["replayed"] == 1
    again = (await buried(platform, "customers", {origin}, times=2))[origin]
    assert {one.position: one.replayed for one in again}[first.position] is True
    assert sum(not one.replayed for one in again) == 1, "it died again, and is a letter again"
    assert platform.kept("dlq", "replay", "customers", "0-99999999").returncode == 1, "no such letter"
    assert platform.kept("dlq", "list", "nobody").returncode == 1


async def test_two_megabytes_do_not_reach_the_topic(platform: Platform) -> None:
    before = len(await whole(platform.state, "kept.identity"))
    async for writing in writer(platform, "identity"):
        with pytest.raises(MessageSizeTooLargeError):
            await writing.send("kept.identity", envelope(GOOD_TYPE["kept.identity"]), b"x" * 2 * 1024 * 1024)
    assert len(await whole(platform.state, "kept.identity")) == before


@pytest.mark.parametrize("topic", ["kept.identity", "billing.events"])
async def test_headers_that_other_clients_may_write_stop_neither_log_nor_handlers(platform: Platform, topic: str) -> None:
    """Names that are no UTF-8, very long ones, very many: Kafka takes them all."""

    class Name(str):
        """Encoded as bytes that are no UTF-8: what a client in C may send."""

        __slots__ = ()

        def encode(self, *_: Any) -> bytes:
            return b"caf\xe9\xff"

    who = "identity" if topic == "kept.identity" else "billing"
    places: dict[str, tuple[int, int]] = {}
    async for writing in writer(platform, who):
        places["long name"] = await writing.send(topic, [("n" * 70_000, b"1")], b"{}")
        places["many headers"] = await writing.send(topic, [("h", b"")] * 70_000, b"{}")
        places["long value"] = await writing.send(topic, [("h", b"v" * 200_000)], b"{}")
        places["empty name"] = await writing.send(topic, [("", None)], b"{}")
        places["no UTF-8"] = await raw_send(writing, topic, Name("x"))
        places["after them"] = await writing.send(topic, [], b"{}")
    for what, place in places.items():
        assert leaf(platform, topic, place).kind in (Kind.SEALED, Kind.LARGE), what
    if topic == "kept.identity":
        await buried(platform, "customers", {f"{topic}/{partition}/{offset}" for partition, offset in places.values()})


async def raw_send(writing: Writer, topic: str, name: Any) -> tuple[int, int]:
    """A batch of format 2 built in Python, whose encoder asks the name itself for its bytes."""
    producer = writing._producer
    batch = producer.create_batch()
    batch._builder = _DefaultRecordBatchBuilderPy(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=10**6
    )
    batch._builder.append(0, timestamp=int(time.time() * 1000), key=b"k", value=b"{}", headers=[(name, b"1")])
    batch._relative_offset = 1
    batch.close()
    future = await producer.send_batch(batch, topic, partition=0)
    placed = await future
    return 0, placed.offset


FLOOD = 3_000


async def test_another_teams_flood_holds_up_nobody_and_is_nobodys_dead_letter(platform: Platform) -> None:
    """Thousands of records that are no events, on another team's own topic: backup, which needs one type of that topic, passes
    them over; one that claims that type and is malformed is a letter."""
    claims = "kept.billing.subject.shredded.v2"
    async with Insider(platform.state, "billing").producer() as producer:
        sent = [
            await producer.send("billing.events", b"{", partition=0, headers=[("ce_type", b"billing.thing.made.v1")])
            for _ in range(FLOOD)
        ]
        last = await producer.send_and_wait("billing.events", b"{", partition=0, headers=envelope(claims))
        flood = {f"billing.events/0/{(await one).offset}" for one in sent}
    found = await buried(platform, "backup", {f"billing.events/0/{last.offset}"})
    assert not flood & found.keys(), "records of another team lie in backup's dead letters"


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_however_a_producer_compresses_it_is_read(platform: Platform, codec: str) -> None:
    done = "com.example.billing.test.done.v1"
    async for writing in writer(platform, "billing", compression_type=codec):
        places = [await writing.send("billing.events", envelope(done), b'{"n": 1}' * 50) for _ in range(3)]
    for place in places:
        assert leaf(platform, "billing.events", place).kind is Kind.SEALED


def test_a_value_in_a_database_error_stands_in_no_line_that_ingestion_logs(platform: Platform) -> None:
    """A database refuses ingestion's work with a text that quotes a value: it is told where and what kind, and then goes on."""
    secret = "zyxwv.quoted@example.org"
    file = platform.state.logs / "audit.log"
    before = file.stat().st_size
    with Insider(platform.state, "audit").connect("audit") as connection:
        connection.execute(
            "CREATE FUNCTION quoting() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'the value {secret} is refused' USING DETAIL = 'it was {secret}'; END $$;"
            "CREATE TRIGGER quoting BEFORE INSERT OR UPDATE ON heads FOR EACH ROW EXECUTE FUNCTION quoting()"
        )
        connection.commit()
        try:
            with signed_in(platform, "jane") as jane:
                jane.get("/api/customers", params={"limit": 1}).raise_for_status()  # a look: something for the log
            wait_until(lambda: b"ingest: kept." in file.read_bytes()[before:])
        finally:
            connection.execute("DROP TRIGGER quoting ON heads; DROP FUNCTION quoting()")
            connection.commit()
    lines = [json.loads(line) for line in file.read_text().encode()[before:].decode().splitlines() if line.startswith("{")]
    told = [line["message"] for line in lines if line["logger"] == "kept.loops"]
    assert any("is set aside" in one and " at " in one for one in told), "it says what is wrong, with what, and where"
    assert secret not in json.dumps(lines)
    wait_until(lambda: httpx.get(f"http://127.0.0.1:{platform.ports['audit']}/readyz", timeout=10).json()["waits_for"] == [])
