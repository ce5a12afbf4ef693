"""The disk is full to the last byte: under the log, under Kafka, under PostgreSQL. Nothing is lost, what waits says so, and
work resumes by itself when there is room."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.chaos import Importer, says
from tests.support.disk import Disk, small_disks
from tests.support.insider import wait_until
from tests.support.judge import judge, waiting
from tests.support.platform import Platform

FULL_SECONDS_MAX = 120.0  # until whoever has no room has noticed


@pytest.fixture(scope="module")
def disks(platform: Platform) -> Iterator[dict[str, Disk]]:
    root = platform.state.root
    places = {"audit": root / "blobs" / "audit", "kafka": root / "kafka" / "data", "postgres": root / "postgres" / "data"}
    with small_disks(platform, places) as found:
        yield found


def statuses(importer: Importer) -> set[int]:
    return {one.status for one in importer.answers}


async def test_no_room_for_the_log(platform: Platform, disks: dict[str, Disk]) -> None:
    readiness = f"http://127.0.0.1:{platform.ports['audit']}/readyz"
    with Importer(platform, rows=5, pause=0.2) as importer:
        with disks["audit"].full():
            wait_until(lambda: "log" in httpx.get(readiness, timeout=10).json()["waits_for"], seconds=FULL_SECONDS_MAX)
            wait_until(lambda: "log" in says(platform, "audit"), seconds=FULL_SECONDS_MAX)
            assert httpx.get(readiness, timeout=10).status_code == 200, "it answers, and must go on being asked"
            importer.goes_on()
        wait_until(lambda: httpx.get(readiness, timeout=10).json()["waits_for"] == [], seconds=FULL_SECONDS_MAX)
    assert statuses(importer) <= {200, 201, 412} and not importer.lost, "writes do not wait for the log"
    await judge(platform, importer)


async def test_no_room_for_kafka(platform: Platform, disks: dict[str, Disk]) -> None:
    with Importer(platform, rows=5, pause=0.2) as importer:
        with disks["kafka"].full():
            wait_until(lambda: waiting(platform, "customers") > 20, seconds=FULL_SECONDS_MAX)
            assert wait_until(lambda: says(platform, "kafka"), seconds=FULL_SECONDS_MAX)
            importer.goes_on()
        platform.wait_ready()
    assert statuses(importer) <= {200, 201, 412} and not importer.lost, "writes do not wait for Kafka"
    await judge(platform, importer)


async def test_no_room_for_postgresql(platform: Platform, disks: dict[str, Disk]) -> None:
    with Importer(platform, rows=100) as importer:
        with disks["postgres"].full():
            wait_until(lambda: 503 in statuses(importer) or importer.lost, seconds=FULL_SECONDS_MAX)
            known = len(importer.answers)
            wait_until(lambda: len(importer.answers) > known + 3, seconds=FULL_SECONDS_MAX)
        importer.goes_on()
    refused = [one for one in importer.answers if one.status == 503]
    assert all(int(one.retry_after or 0) > 0 for one in refused), "it says when to come again"
    assert statuses(importer) <= {200, 201, 409, 412, 503}, statuses(importer)
    platform.wait_ready()
    await judge(platform, importer)
