"""PostgreSQL, Vault and Kafka for a measurement, with records in a topic; and owners of the log as processes of their own."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions

from deploy.local import control, environment, kafka_rights, ports, processes
from deploy.local.kafka_node import ADMIN
from deploy.local.service import INTERPRETER
from deploy.local.state import REPOSITORY, State
from deploy.local.vault import Secrets
from services.audit.log.store import ShardStore
from shared.blobs import PosixStore
from shared.notes.tlogproof import checkpoint_head
from tests.bench.report import workplace
from tests.support.insider import Insider

PARTITIONS = 4  # of the topics that are measured: as many for each of two workers
VALUE_BYTES = 500
SUBJECTS = 1_000
LOOK_SECONDS = 0.02  # who looks takes time from what is measured: both have the same cores
WEIGH_SECONDS = 0.5
SENDING_MAX = 2_000  # records on their way to the broker at a time


@contextmanager
def servers() -> Iterator[State]:
    """The three servers, in a temporary state."""
    with workplace() as root:
        state = State(root)
        try:
            control.start(state, only_servers=True)
            environment.write_all(state)
            yield state
        finally:
            control.stop(state)


def headers(topic: str, n: int) -> list[tuple[str, bytes]]:
    """A whole envelope of ours; each event has its own id, and one of SUBJECTS subjects."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"01932b5c-0000-7000-8000-%012x" % n),
        ("ce_type", f"{topic}.thing.made.v1".encode()),
        ("ce_source", f"/services/{topic.partition('.')[2]}".encode()),
        ("ce_time", b"2026-11-24T08:00:00.000Z"),
        ("ce_subject", b"sub_%032x" % (n % SUBJECTS)),
        ("ce_actor", b"system:bench"),
        ("content-type", b"application/json"),
    ]


def value(n: int) -> bytes:
    """A JSON object of VALUE_BYTES."""
    said = json.dumps({"number": n, "text": ""})
    return json.dumps({"number": n, "text": "x" * (VALUE_BYTES - len(said))}).encode()


async def fill(state: State, user: str, topic: str, count: int, per_second: int = 0) -> dict[int, list[float]]:
    """Send `count` events to the partitions in turn; the times at which the broker acknowledged each, by partition."""
    await spread(state, topic)
    producer = AIOKafkaProducer(**Insider(state, user).broker().client(), acks="all", linger_ms=5, max_batch_size=256 * 1024)
    acked: dict[int, list[float]] = {n: [0.0] * ((count + PARTITIONS - 1 - n) // PARTITIONS) for n in range(PARTITIONS)}
    free = asyncio.Semaphore(SENDING_MAX)
    await producer.start()
    first = await _ends(state, topic)

    def done(sent: "asyncio.Future[object]") -> None:
        free.release()
        record = sent.result()
        acked[record.partition][record.offset - first[record.partition]] = time.perf_counter()  # type: ignore[attr-defined]

    began = time.perf_counter()
    for n in range(count):
        if per_second and n % 100 == 0:
            await asyncio.sleep(max(0.0, began + n / per_second - time.perf_counter()))
        await free.acquire()
        sent = await producer.send(topic, value(n), b"%d" % n, partition=n % PARTITIONS, headers=headers(topic, n))
        sent.add_done_callback(done)
    await producer.stop()
    return acked


async def spread(state: State, topic: str) -> None:
    """Give the topic PARTITIONS partitions."""
    port = ports.load(state)
    password = await Secrets(state, port).password("platform/kafka")
    known = Insider(state, "audit").authenticated
    admin = await kafka_rights.connect(port["kafka"], ADMIN if known else None, password)
    try:
        (described,) = await admin.describe_topics([topic])
        if len(described["partitions"]) < PARTITIONS:
            await admin.create_partitions({topic: NewPartitions(total_count=PARTITIONS)})
    finally:
        await admin.close()


async def _ends(state: State, topic: str) -> dict[int, int]:
    async with Insider(state, "audit").consumer() as consumer:
        found = await consumer.end_offsets([TopicPartition(topic, n) for n in range(PARTITIONS)])
        return {one.partition: end for one, end in found.items()}


async def bare_read(state: State, topic: str, count: int) -> float:
    """Seconds in which an aiokafka consumer that does nothing else receives `count` records."""
    consumer = AIOKafkaConsumer(
        **Insider(state, "audit").broker().client(), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024, fetch_max_bytes=16 * 1024 * 1024,
    )  # fmt: skip
    await consumer.start()
    consumer.assign([TopicPartition(topic, n) for n in range(PARTITIONS)])
    began, seen = time.perf_counter(), 0
    while seen < count:
        seen += sum(map(len, (await consumer.getmany(timeout_ms=1_000, max_records=10_000)).values()))
    took = time.perf_counter() - began
    await consumer.stop()
    return took


@dataclass
class Owner:
    """The log's owner as a process: ingestion alone, or the whole audit service."""

    state: State
    process: psutil.Popen
    memory_mb: float = 0.0  # the most that was seen; what processes share counts once (PSS), as in a container's account

    def size(self, topic: str) -> int | None:
        """Leaves under published checkpoints; None until each partition has one."""
        sizes = []
        for n in range(PARTITIONS):
            note = ShardStore(PosixStore(log_of(self.state)), f"{topic}/{n}").checkpoint()
            if note is None:
                return None
            sizes.append(checkpoint_head(note.partition("\n\n")[0] + "\n")[1])
        return sum(sizes)

    async def begun(self, topic: str, seconds: float = 120.0) -> None:
        """When each partition has its first checkpoint."""
        end = time.perf_counter() + seconds
        while self.size(topic) is None:
            assert self.process.is_running() and time.perf_counter() < end, "the owner of the log did not begin"
            await asyncio.sleep(0.002)

    async def until(self, topic: str, count: int, seconds: float = 900.0) -> float:
        """When `count` leaves were published (perf_counter)."""
        end = time.perf_counter() + seconds
        family = processes.family(self.process)  # once: looking for them goes through every process there is
        weighed = 0.0
        while (self.size(topic) or -1) < count:
            assert self.process.is_running() and time.perf_counter() < end, "the owner of the log did not get there"
            if time.perf_counter() - weighed > WEIGH_SECONDS:
                weighed = time.perf_counter()
                self.memory_mb = max(self.memory_mb, sum(one.memory_full_info().pss for one in family) / 2**20)
            await asyncio.sleep(LOOK_SECONDS)
        return time.perf_counter()


def log_of(state: State) -> Path:
    return state.root / "blobs" / "audit" / "log"


@contextmanager
def owner(state: State, topic: str, *, whole_service: bool) -> Iterator[Owner]:
    """Reads `topic` alone; stopped afterwards."""
    module, *options = ["services.audit.app"] if whole_service else ["tests.support.ingesting", "--workers"]
    env = {**os.environ, **INTERPRETER, **environment.read(state, "audit"), "KEPT_TOPICS": topic.replace(".", r"\.")}
    with (state.root / f"{module}.log").open("ab") as out:
        process = psutil.Popen([sys.executable, "-m", module, *options], env=env, cwd=REPOSITORY, stdout=out, stderr=out)
    try:
        yield Owner(state, process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
            process.kill()
            process.wait(30)
