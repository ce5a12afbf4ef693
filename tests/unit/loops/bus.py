"""Drives of the loops that have to do with the bus: ours, and another team's holder."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from examples.billing import app as billing
from shared.bus.sending import Pending, send
from shared.ended_sessions import EndedSessions
from shared.errors import UnauthenticatedError
from shared.holder import foreign as foreign_module
from shared.holder.foreign import Foreign
from tests.unit.loops.support import FAILING, ROWS, Drive, Patch, Record, fails, nothing


class _Producer:
    def __init__(self) -> None:
        self.sent: list[str] = []

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1_000, 0)

    async def send_batch(self, batch: object, topic: str, **_: object) -> "asyncio.Future[Any]":
        self.sent.append(topic)
        future = asyncio.get_running_loop().create_future()
        future.set_result(SimpleNamespace(partition=0, offset=0))
        return future

    async def send_and_wait(self, topic: str, **_: object) -> None:
        self.sent.append(topic)


async def _relay(_: Patch) -> list[str]:
    producer = _Producer()
    rows = [Pending("1", "bad", "k", cast(Any, [["name", None]]), b""), Pending("2", "good", "k", [["name", "x"]], b"")]

    async def beat() -> None: ...

    sent = await send(cast(AIOKafkaProducer, producer), rows, beat)
    assert [one.ce_id for one in sent.done] == ["2"] and list(sent.faults) == ["bad"] and sent.error is None
    return producer.sent


async def _ended(_: Patch) -> list[str]:
    sessions = EndedSessions()
    sessions._ready = True
    for value in (b'{"sessions": 7}', b'{"sessions": ["good"]}'):
        sessions._take(cast(Any, Record(value, "kept.identity.session.ended.v1")))
    with pytest.raises(UnauthenticatedError):
        sessions.require_open("good")
    return ["good"]


async def _holder(patch: Patch) -> list[str]:
    learnt = list[str]()
    foreign = Foreign.__new__(Foreign)
    foreign._producer = cast(Any, _Producer())
    foreign.name = "billing"
    over = asyncio.Event()

    async def follow_(_: object) -> AsyncIterator[SimpleNamespace]:
        for one in ROWS:
            yield SimpleNamespace(id=one)
        over.set()
        await asyncio.Event().wait()

    def take(envelope: Any) -> None:
        if envelope.id == "bad":
            raise FAILING.error
        learnt.append(envelope.id)

    foreign.follow = cast(Any, follow_)  # type: ignore[method-assign]
    task = asyncio.create_task(foreign.learn("t", take))
    await asyncio.wait_for(over.wait(), 30)
    task.cancel()
    assert await _served(patch, foreign) == ["good"]
    return learnt


async def _served(patch: Patch, foreign: Foreign) -> list[str]:
    """The other loop of a holder: what it answers, while what it cannot answer is a dead letter."""
    done, over, records = list[str](), asyncio.Event(), [Record(one.encode(), "t", at) for at, one in enumerate(ROWS)]

    class Consumer:
        start = stop = commit = nothing
        broken = ""

        async def getone(self) -> Record:
            if records:
                return records.pop(0)
            over.set()
            await asyncio.Event().wait()
            raise AssertionError

    async def answer(_: object, item: str) -> None:
        await fails("bad", done)(item)

    patch.setattr(foreign_module, "parse", lambda record: record.value.decode())
    patch.setattr("shared.bus.inbox.PAUSES", (0.0,) * 5)
    foreign._broker = cast(Any, SimpleNamespace(consumer=lambda *_, **__: Consumer()))
    foreign._answer = cast(Any, answer)  # type: ignore[method-assign]
    task = asyncio.create_task(foreign.serve(cast(Any, None)))
    await asyncio.wait_for(over.wait(), 30)
    task.cancel()
    assert cast(Any, foreign._producer).sent == ["kept.billing.dlq"]
    return done


async def _invoices(_: Patch) -> list[str]:
    done, there = list[str](), set[str]()

    async def publish(type_: str, data: dict[str, str], **_: object) -> None:
        await fails("bad", done)(data["invoice"])

    invoices = [{"InvoiceId": one, "InvoiceDate": "2026-01-02", "Total": "1", "CustomerId": "c"} for one in ROWS]
    await billing.publish(cast(Any, SimpleNamespace(publish=publish)), invoices, {"c": ("loc",)}, there)
    assert len(there) == 1, "the other waits for the next round"
    return done


DRIVES: dict[str, Drive] = {"relay": _relay, "ended": _ended, "holder": _holder, "invoices": _invoices}
