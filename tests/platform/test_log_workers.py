"""The processes that ingest: one that dies is started anew, and one whose service dies ends."""

import time
from contextlib import suppress

import httpx
import psutil
import pytest

from deploy.local import processes
from tests.support.platform import Platform
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform


def workers(platform: Platform) -> list[psutil.Process]:
    service = platform.process("audit")
    assert service is not None
    found = []
    for child in processes.family(service)[1:]:
        with suppress(psutil.Error):  # it ended meanwhile
            if "services.audit.ingestion.worker" in child.cmdline():
                found.append(child)
    return found


def size(platform: Platform, topic: str) -> int:
    """Leaves that are published, over all partitions, as anyone reads them."""
    with httpx.Client(base_url=platform.origin) as anyone:
        shards = [one for one in anyone.get("/log/shards").text.split() if one.startswith(f"{topic}/")]
        return sum(int(anyone.get(f"/log/{shard}/checkpoint").text.split("\n")[1]) for shard in shards)


def test_a_worker_that_dies_is_started_anew_and_the_log_goes_on(platform: Platform) -> None:
    if not workers(platform):
        pytest.skip("KEPT_INGEST_WORKERS=0: the service's own process ingests")
    before = size(platform, "kept.customers")
    (worker, *_) = workers(platform)
    worker.kill()
    with signed_in(platform, "nancy") as nancy:  # a look is an event
        assert nancy.get("/api/customers", params={"limit": 1}).status_code == httpx.codes.OK
    deadline = time.monotonic() + 120
    while size(platform, "kept.customers") <= before:
        assert time.monotonic() < deadline, "the log did not go on"
        time.sleep(0.2)
    assert worker.pid not in {one.pid for one in workers(platform)}


def test_a_worker_ends_with_its_service(platform: Platform) -> None:
    old = workers(platform)
    service = platform.process("audit")
    assert service is not None
    service.kill()  # it alone, not its children
    _, alive = psutil.wait_procs(old, timeout=30)
    assert not alive
    platform.wait_ready("audit")
