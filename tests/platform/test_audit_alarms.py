"""An alarm says what to do, is put aside by somebody with the right, with a reason, and stays so in an index built anew."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from services.audit.index.alarms import RAISED, said_of
from shared.clock import SystemClock, rfc3339
from shared.ids import new_event_id, new_id
from tests.support.insider import Insider, wait_until
from tests.support.platform import REPOSITORY, Platform
from tests.support.staff import signed_in, token

pytestmark = pytest.mark.platform
API = "/api/audit/alarms"
NOTICE, NOTE = "kept.billing.subject.shredded.v1", "billing.note.made.v1"


async def raise_alarm(platform: Platform, shard: str, *, writer: str = "audit", topic: str = "kept.audit") -> str:
    """The event of an alarm, by somebody who may write to that topic; its id."""
    ce_id = new_event_id()
    headers = {
        "ce_specversion": "1.0", "ce_id": ce_id, "ce_type": RAISED, "ce_source": f"/services/{writer}",
        "ce_time": rfc3339(SystemClock().now()), "ce_actor": f"system:{writer}", "content-type": "application/json",
    }  # fmt: skip
    body = json.dumps({"kind": "damaged", "shard": shard, "first": 3, "last": 9}).encode()
    async with Insider(platform.state, writer).producer() as producer:
        await producer.send_and_wait(topic, body, key=shard.encode(), headers=[(n, v.encode()) for n, v in headers.items()])
    return ce_id


def listed(client: httpx.Client, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(API, params={"limit": "500", **asked}).raise_for_status().json()["items"]
    return found


def ids(client: httpx.Client, **asked: str) -> set[str]:
    return {one["id"] for one in listed(client, **asked)}


def said(client: httpx.Client, alarm: str, **body: str) -> int:
    return client.post(f"{API}/{alarm}/acknowledge", json=body).status_code


async def test_an_alarm_says_what_to_do_and_is_put_aside_once_with_a_reason(
    platform: Platform, officer: httpx.Client, jane: httpx.Client
) -> None:
    forged = await raise_alarm(platform, "kept.dsar/0", writer="billing", topic="billing.events")
    alarm = await raise_alarm(platform, "kept.dsar/0")
    await asyncio.to_thread(wait_until, lambda: alarm in ids(officer))
    (one,) = [one for one in listed(officer) if one["id"] == alarm]
    assert (one["kind"], one["where"]) == ("damaged", "kept.dsar/0 3–9")
    assert one["what_to_do"] == said_of("damaged", "en").do and one["acknowledged"] is None
    assert listed(officer, lang="zh")[0]["says"] != listed(officer, lang="en")[0]["says"]
    assert forged not in ids(officer, all="true"), "another team's word is no alarm of ours"
    page = officer.get("/audit", headers={"Accept": "text/html"}).text
    assert said_of("damaged", "en").says in page and 'href="/audit/alarms?lang=en"' in page

    assert jane.get(API).status_code == 403 and said(jane, alarm, reason="planned") == 403
    michael = signed_in(platform, "michael")  # looks after the machines
    assert alarm in ids(michael) and said(michael, alarm, reason="harmless") == 403
    for body in ({"reason": ""}, {"reason": "because"}, {"reason": "planned", "reference": "luis@example.org"}):
        assert said(officer, alarm, **body) == 422
    assert said(officer, "0192f0c4-b1a2-7c3e-8d5f-6a7b8c9d0e1f", reason="planned") == 404
    assert alarm in ids(officer), "an attempt put it aside"
    assert said(officer, alarm, reason="repaired", reference="OPS-7") == 200
    assert said(officer, alarm, reason="planned") == 409

    assert alarm not in ids(officer)
    (one,) = [one for one in listed(officer, all="true") if one["id"] == alarm]
    me = officer.get("/api/identity/me").json()["id"]
    done = one["acknowledged"]
    assert (done["by"], done["reason"], done["reference"]) == (me, "repaired", "OPS-7")
    query = {"type": "kept.audit.alarm.acknowledged.v1", "actor": me}

    def event() -> list[dict[str, Any]]:
        found = officer.get("/api/audit/events", params=query).raise_for_status().json()["items"]
        return [one for one in found if one["detail"]["alarm"] == alarm]

    (told,) = await asyncio.to_thread(wait_until, event)
    assert told["detail"]["reason"] == "repaired" and told["detail"]["reference"] == "OPS-7"

    platform.kept("audit", "reindex")  # from the log alone
    assert alarm not in ids(officer) and alarm in ids(officer, all="true")


async def test_the_page_and_the_command_line_do_the_same(platform: Platform, officer: httpx.Client) -> None:
    first, second = await raise_alarm(platform, "kept.dsar/1"), await raise_alarm(platform, "kept.dsar/2")
    await asyncio.to_thread(wait_until, lambda: {first, second} <= ids(officer))
    page = officer.get("/audit/alarms", params={"lang": "en"}, headers={"Accept": "text/html"}).text
    assert f'action="/audit/alarms/{first}"' in page and said_of("damaged", "en").do.replace("'", "&#39;") in page
    form = {"reason": "planned", "reference": ""}
    for _ in range(2):  # a second click shows what the first one did
        answer = officer.post(f"/audit/alarms/{first}", data=form, headers={"Origin": platform.origin, "Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/audit/alarms")
    assert first not in officer.get("/audit/alarms", headers={"Accept": "text/html"}).text

    def kept(*words: str) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, "KEPT_STATE": str(platform.state.root), "KEPT_TOKEN": token(platform, "andrew")}
        env["KEPT_ORIGIN"] = platform.origin
        command = [sys.executable, "-m", "deploy.cli", "audit", "alarms", *words]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, env=env)

    assert second in kept("list").stdout
    assert kept("ack", second, "--reason", "none").returncode == 1
    done = kept("ack", second, "--reason", "incident", "--reference", "INC-9")
    assert done.returncode == 0, done.stderr
    assert second not in kept("list").stdout and second in kept("list", "--all").stdout


async def test_a_holders_own_notice_of_an_erasure_is_no_alarm(platform: Platform, officer: httpx.Client) -> None:
    """billing tells on its own topic that it has erased somebody, after audit has; and then says more about them."""
    subject = new_id("sub")
    with Insider(platform.state, "audit").connect("audit") as database:
        database.execute("INSERT INTO data_keys (subject, version, shredded_at) VALUES (%s, 0, now())", [subject])

    async def publish(type_: str) -> dict[str, Any]:
        headers = [("ce_id", new_event_id().encode()), ("ce_type", type_.encode()), ("ce_subject", subject.encode())]
        async with Insider(platform.state, "billing").producer() as producer:
            sent = await producer.send_and_wait("billing.events", b"{}", headers=headers, partition=0)
        return {"shard": "billing.events/0", "at": sent.offset}

    notice, note = await publish(NOTICE), await publish(NOTE)

    def told(of: dict[str, Any]) -> bool:
        late = [one["where"].split(" ") for one in listed(officer, all="true") if one["kind"] == "late-record"]
        spans = [span.split("–") for shard, span in late if shard == of["shard"]]
        return any(int(first) <= of["at"] <= int(last) for first, last in spans)

    await asyncio.to_thread(wait_until, lambda: told(note))
    assert not told(notice)
