"""Nothing of ours changes aiokafka for anybody else, and one package alone knows its inside."""

import ast
import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer import fetcher

from shared.bus.broker import BrokerSettings
from shared.bus.kafka.consumer import Consumer, Fetcher, seeing
from shared.bus.kafka.records import Batches
from shared.errors import InvariantError

REPOSITORY = Path(__file__).parents[5]
ADAPTER = REPOSITORY / "shared" / "bus" / "kafka"
PUBLISHED = ("aiokafka", "aiokafka.admin", "aiokafka.errors", "aiokafka.protocol.admin", "aiokafka.partitioner")
OWN = ("self", "cls", "super")
BROKER = BrokerSettings("127.0.0.1:1")

# Every attribute of aiokafka's modules and classes, before and after all of the bus is imported.
UNCHANGED = """
import importlib, pathlib, pkgutil, sys
import aiokafka
for one in pkgutil.walk_packages(aiokafka.__path__, "aiokafka."):
    importlib.import_module(one.name)

def seen():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "aiokafka":
            continue
        for attribute, value in vars(module).items():
            found[name, attribute] = value
            if isinstance(value, type) and value.__module__.startswith("aiokafka"):
                found |= {(name, attribute, inner): what for inner, what in vars(value).items() if not inner.startswith("__")}
    return found

before = seen()
for path in sorted(pathlib.Path("shared/bus").rglob("*.py")):
    importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
import services.audit.log.ingest, shared.holder.foreign
after = seen()
changed = [key for key in before if before[key] is not after.get(key)]
assert not changed, changed
print(len(before))
"""


def test_importing_the_bus_leaves_aiokafka_as_it_is() -> None:
    done = subprocess.run([sys.executable, "-c", UNCHANGED], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    assert int(done.stdout) > 1000


def inside(tree: ast.Module) -> Iterator[str]:
    """Where a module touches what aiokafka does not publish: imports, names with an underscore, assignments to what is its."""
    theirs: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aiokafka":
            theirs |= {one.asname or one.name for one in node.names}
            if node.module not in PUBLISHED or any(one.name.startswith("_") for one in node.names):
                yield f"{node.lineno}: imports of {node.module}"
        elif isinstance(node, ast.Import) and any(one.name.startswith("aiokafka.") for one in node.names):
            yield f"{node.lineno}: imports a part of it"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        whose = node.value.id if isinstance(node.value, ast.Name) else ""
        private = node.attr.startswith("_") and not node.attr.startswith("__") and whose not in OWN
        if private or (isinstance(node.ctx, ast.Store | ast.Del) and whose in theirs):
            yield f"{node.lineno}: {whose}.{node.attr}"


def test_no_other_module_touches_what_aiokafka_does_not_publish() -> None:
    found, read = [], 0
    for part in ("shared", "services", "deploy", "examples"):
        for path in (REPOSITORY / part).rglob("*.py"):
            source = path.read_text()
            if ADAPTER in path.parents or not ("aiokafka" in source or "shared.bus.kafka" in source):
                continue
            read += 1
            found += [f"{path.relative_to(REPOSITORY)}:{where}" for where in inside(ast.parse(source))]
    assert not found and read > 10


@pytest.mark.parametrize(
    "line",
    [
        "from aiokafka.consumer import fetcher",
        "import aiokafka.client",
        "from aiokafka import _x",
        "from aiokafka import A\nA.start = None",
        "consumer._client.send",
        "self.producer._sender",
    ],
)
def test_what_touches_it_is_found(line: str) -> None:
    assert list(inside(ast.parse(line)))


async def test_clients_are_ours() -> None:
    consumer, producer = BROKER.consumer(), BROKER.producer()
    assert type(consumer) is Consumer and isinstance(producer, AIOKafkaProducer)
    assert Consumer.start is not AIOKafkaConsumer.start
    assert Fetcher._proc_fetch_request.__globals__["MemoryRecords"] is Batches
    assert fetcher.Fetcher._proc_fetch_request.__globals__["MemoryRecords"] is not Batches
    await consumer.stop()
    await producer.stop()


def test_a_name_that_upstream_no_longer_uses_is_told() -> None:
    def upstream(one: Callable[[str], int] = len) -> int:
        return one("ab")

    with pytest.raises(InvariantError):
        seeing(upstream, len=str)


@pytest.mark.parametrize(("part", "task"), [("_fetcher", "_fetch_task"), ("_coordinator", "_coordination_task")])
async def test_a_consumer_whose_own_task_ended_says_so_and_closes_all_the_same(part: str, task: str) -> None:
    async def fails() -> None:
        raise KeyError

    consumer = BROKER.consumer()
    closed: list[str] = []
    other = asyncio.create_task(asyncio.Event().wait())
    running: dict[str, Any] = {"_fetch_task": other, "_coordination_task": other}

    async def close() -> None:
        closed.append(part)
        raise KeyError

    consumer._fetcher = SimpleNamespace(_fetch_task=running["_fetch_task"], close=close)
    consumer._coordinator = SimpleNamespace(_coordination_task=running["_coordination_task"], close=close)
    assert consumer.broken == ""
    ended = asyncio.create_task(fails())
    await asyncio.wait({ended})
    setattr(getattr(consumer, part), task, ended)
    assert consumer.broken in ("fetching", "coordinating")
    with pytest.raises(KeyError):
        await consumer.stop()
    await asyncio.wait({other})
    assert other.cancelled() and closed and consumer.broken == ""
    assert isinstance(ended.exception(), KeyError)
