"""Whether everything is in it, said by a command and by metrics, about the real broker, log and index."""

import json

import httpx
import pytest

from shared.ids import new_event_id
from tests.support.insider import Insider, wait_until
from tests.support.platform import Platform

pytestmark = pytest.mark.platform


def metrics(platform: Platform) -> dict[str, int]:
    """The audit service's gauges, as Prometheus would read them."""
    text = httpx.get(f"http://127.0.0.1:{platform.ports['audit']}/metrics", timeout=30).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith(("kept_audit_", "kept_gauges_"))]
    return {name: int(float(value)) for name, _, value in lines}


def test_in_step_with_the_broker(platform: Platform) -> None:
    done = platform.kept("audit", "reconcile", "--wait", "60", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["in_step"] and {"kept.customers", "kept.identity", "billing.events"} <= {x["topic"] for x in report["lines"]}
    table = platform.kept("audit", "reconcile", "--wait", "60")
    assert table.returncode == 0 and "In step." in table.stdout and "kept.customers/0" in table.stdout


def test_a_log_that_stands_still_is_behind_and_says_where(platform: Platform) -> None:
    """The audit service hangs: the command still sees what is missing. Then it goes on, and is in step again."""
    assert platform.kept("audit", "reconcile", "--wait", "60").returncode == 0
    with platform.paused("audit"):
        _publish(platform)
        done = platform.kept("audit", "reconcile", "--wait", "0", "--json")
        assert done.returncode == 1, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert sum(line["behind"] for line in report["lines"] if line["topic"] == "billing.events") >= 1
        assert not report["in_step"]
    assert platform.kept("audit", "reconcile", "--wait", "60").returncode == 0


def _publish(platform: Platform) -> None:
    import asyncio

    async def sent() -> None:
        headers = [("ce_id", new_event_id().encode()), ("ce_type", b"billing.note.written.v1")]
        async with Insider(platform.state, "billing").producer() as producer:
            await producer.send_and_wait("billing.events", b"{}", headers=headers)

    asyncio.run(sent())


def test_metrics_say_the_same(platform: Platform) -> None:
    found = wait_until(lambda: (m := metrics(platform)) and m.get("kept_gauges_up") and m)
    names = {name.partition("{")[0] for name in found}
    assert names >= {"kept_audit_log_behind_records", "kept_audit_index_behind_records", "kept_audit_log_missing_partitions",
                     "kept_audit_log_published_records", "kept_audit_log_ahead_records"}  # fmt: skip
    assert found['kept_audit_log_published_records{partition="0",topic="kept.identity"}'] >= 0
    assert "sub_" not in "".join(found)


def test_cannot_tell_is_not_the_same_as_in_step(platform: Platform) -> None:
    with platform.paused("kafka"):
        done = platform.kept("audit", "reconcile", "--wait", "0", "--json")
    assert done.returncode == 2 and json.loads(done.stderr)["code"] == "unavailable", done.stdout + done.stderr
    assert "Traceback" not in done.stderr
