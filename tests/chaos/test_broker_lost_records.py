"""The broker loses its last records to a power cut and has others in their places before the log, which slept, looks again: the
topic's id is the same, the offsets fit, and only the leader's epoch tells."""

import asyncio
from pathlib import Path

import pytest

from tests.platform.test_log_ingestion import Broker, alarms, broker, entries, ingesting, log, size, until
from tests.platform.test_log_topic_ids import OLD, Rows, in_a_thread, sent
from tests.support.audit_log import AuditLog
from tests.support.chaos import held_down
from tests.support.platform import Platform

__all__ = ["broker", "log"]  # fixtures
SLEEPS_SECONDS_MAX = 120.0
OTHERS: Rows = [(b"other", 900_000 + n) for n in range(10)]


async def test_a_broker_that_lost_records_and_has_others_while_the_log_slept(
    platform: Platform, log: AuditLog, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.audit.log.ingest.STALL_SECONDS_MAX", SLEEPS_SECONDS_MAX)  # one that slept is not begun anew
    data = platform.state.root / "kafka" / "data" / f"{broker.topic}-0" / f"{0:020}.log"
    await broker.create()
    await sent(broker, OLD[:1])
    kept = data.stat().st_size
    await sent(broker, OLD[1:])
    async with ingesting(log, broker):
        await until(lambda: size(log, f"{broker.topic}/0") == len(OLD))
        in_a_thread(lambda: cut_off(platform, broker, data, kept))
        await until(lambda: size(log, f"{broker.topic}~2/0") == len(OTHERS) or size(log, f"{broker.topic}/0") > len(OLD))
    assert [one.place.timestamp for one in await entries(log, f"{broker.topic}/0")] == [at for _, at in OLD]
    found = [(one.place.offset, one.place.timestamp) for one in await entries(log, f"{broker.topic}~2/0")]
    assert found == [(1 + n, at) for n, (_, at) in enumerate(OTHERS)]
    assert await alarms(log) == ["topic-made-anew"]


async def cut_off(platform: Platform, broker: Broker, data: Path, kept: int) -> None:
    """The broker dies, what it had not brought to its disk is gone, and it goes on with OTHERS."""
    with held_down(platform, "kafka"), data.open("r+b") as file:
        file.truncate(kept)
    await asyncio.to_thread(platform.wait_ready, "kafka")
    await sent(broker, OTHERS)
