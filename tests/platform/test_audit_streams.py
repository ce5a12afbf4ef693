"""What leaves the trail: exports in every format, with proofs; the live tail, that loses nothing and repeats nothing."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from deploy.local.state import REPOSITORY
from services.audit.index import export
from services.audit.index.facts import Facts
from services.audit.index.model import Filters
from services.audit.index.ocsf import book
from shared.access.actor import Actor
from shared.access.grants import Grant
from shared.blobs.posix import PosixStore
from shared.errors import ConflictError, NotAllowedError
from shared.notes.tlogproof import verify_receipt
from tests.support.insider import wait_until
from tests.support.pages import every
from tests.support.platform import Platform
from tests.support.staff import token
from tests.support.trail import fill, made_up_index, told_by

pytestmark = pytest.mark.platform


START = datetime(2026, 1, 1, tzinfo=UTC)
BOSS = Actor("sub_" + "b" * 32, "user", frozenset({"privacy_officer"}))


def made_up(seconds: Iterable[int]) -> list[Facts]:
    """An event for each second after START."""
    return [Facts(f"e{n}", "a.b", "", "", START + timedelta(seconds=n), "", "", False, (), (), {}) for n in seconds]


def items(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    """All pages of a search."""
    return every(client, "/api/audit/events", **dict(parse_qsl(query)))


def place(one: dict[str, Any]) -> tuple[str, int]:
    """Where in the log an entry is: the one thing no two share."""
    return one["shard"], one["index"]


def test_an_export_is_what_search_finds_with_proofs_that_verify(platform: Platform, officer: httpx.Client) -> None:
    query = "type=kept.identity.*"
    found = wait_until(lambda: items(officer, query))
    answer = officer.get(f"/api/audit/export?{query}&receipts=true")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    known = {place(one) for one in found}  # not by id: another team's record may have none, or somebody else's
    assert int(answer.headers["x-rows"]) == len(lines) >= len(found) == len(known)
    assert [{n: v for n, v in one.items() if n != "receipt"} for one in lines if place(one) in known] == found
    vkeys = httpx.get(f"{platform.origin}/log/keys").text.split()
    for one in lines[:5]:
        proven = verify_receipt(one["receipt"], vkeys)
        assert (proven.index, proven.origin.endswith(one["shard"])) == (one["index"], True)
        assert one["id"].encode() in proven.entry
    told = {"rows": len(lines), "filters": {"type": "kept.identity.*"}, "format": "jsonl"}
    wait_until(lambda: [i for i in items(officer, "type=kept.audit.trail.exported.v1") if i["detail"].items() >= told.items()])


def test_csv_and_ocsf(officer: httpx.Client) -> None:
    as_csv = officer.get("/api/audit/export?type=kept.identity.*&format=csv")
    assert as_csv.headers["content-disposition"] == 'attachment; filename="audit-trail.csv"'
    rows = list(csv.DictReader(io.StringIO(as_csv.text, newline="")))
    assert len(rows) == int(as_csv.headers["x-rows"]) and rows[0]["type"].startswith("kept.identity.")
    events = [json.loads(line) for line in officer.get("/api/audit/export?type=kept.identity.*&format=ocsf").text.splitlines()]
    assert {one["metadata"]["version"] for one in events} == {book().version} and 3002 in {one["class_uid"] for one in events}
    assert officer.get("/api/audit/export?format=xml").status_code == 422


def test_who_may_not_read_may_not_export_or_follow(officer: httpx.Client, jane: httpx.Client) -> None:
    who = jane.get("/api/identity/me").json()["id"]
    assert jane.get("/api/audit/export").status_code == 403 and jane.get("/api/audit/tail").status_code == 403
    query = f"type=kept.audit.access.refused.v1&actor={who}"
    wait_until(lambda: {i["detail"]["action"] for i in items(officer, query)} >= {"export", "tail"})


async def test_many_rows_take_two_others(platform: Platform) -> None:
    """P11: one person alone takes so many and no more; a grant is used once."""
    async with made_up_index(platform) as door:
        facts = made_up(range(export.ALONE_ROWS_MAX + 1))
        for n in range(0, len(facts), 4000):
            await fill(door, facts[n : n + 4000])
        jti = f"test-{datetime.now(UTC).timestamp()}"
        grant = Grant(jti, "apr_1", "export", export.RESOURCE, frozenset({"sub_1", "sub_2"}), START)
        with pytest.raises(NotAllowedError, match="two others"):
            async with door.begin(BOSS) as w:
                await export.begin(w, Filters(), "csv", False, None)
        async with door.begin(BOSS) as w:
            alone = await export.begin(w, Filters(until=facts[-1].time), "csv", False, None)
        async with door.begin(BOSS) as w:
            granted = await export.begin(w, Filters(), "csv", False, grant)
        assert (alone.rows, granted.rows) == (export.ALONE_ROWS_MAX, len(facts))
        with pytest.raises(ConflictError):
            async with door.begin(BOSS) as w:
                await export.begin(w, Filters(), "csv", False, grant)
        told = told_by(platform, door, "kept.audit.trail.exported.v1")
        assert [(one["rows"], one["approvers"]) for one in told] == [(10_000, []), (10_001, ["sub_1", "sub_2"])]


async def test_what_comes_meanwhile_neither_joins_an_export_nor_pushes_rows_out(platform: Platform, tmp_path: Path) -> None:
    async with made_up_index(platform) as door:
        await fill(door, made_up(range(0, 3_000, 2)))
        async with door.begin(BOSS) as w:
            leaving = await export.begin(w, Filters(type="a.b"), "csv", False, None)
        pieces = export.lines(door, BOSS, PosixStore(tmp_path), leaving)
        seen = [await anext(pieces), await anext(pieces)]
        await fill(door, made_up(range(1, 4_000, 2)))  # among the rows of the next page, and newer than all
        seen += [piece async for piece in pieces]
        rows = [one["id"] for one in csv.DictReader(io.StringIO(b"".join(seen).decode(), newline=""))]
        assert rows == [f"e{n}" for n in range(2_998, -1, -2)] and leaving.rows == len(rows)


def test_a_grant_for_something_else_is_none(officer: httpx.Client) -> None:
    assert officer.get("/api/audit/export", headers={"X-Kept-Grant": "made.up.grant"}).status_code == 403


class Watcher:
    """A client of the tail: reads events until told to stop, and knows the last id."""

    def __init__(self, client: httpx.Client, query: str = "", last: str = "") -> None:
        self._client, self._query, self.last = client, query, last

    def until(self, wanted: int, cause: Any = None) -> list[dict[str, Any]]:
        """The next `wanted` entries. `cause` is called when the stream has begun."""
        headers = {"Last-Event-ID": self.last} if self.last else {}
        found: list[dict[str, Any]] = []
        with self._client.stream("GET", f"/api/audit/tail?{self._query}", headers=headers, timeout=30) as answer:
            assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == "retry: 3000"
            if cause:
                cause()
            for line in lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last = value
                elif name == "data":
                    found.append(json.loads(value))
                    if len(found) == wanted:
                        break
        return found


def test_the_tail_shows_what_is_published_and_goes_on_where_it_was(officer: httpx.Client, jane: httpx.Client) -> None:
    """Through the gateway. What happens while nobody is connected comes at the next connection: all of it, once, in order."""
    who = jane.get("/api/identity/me").json()["id"]

    def look() -> None:
        jane.get("/api/customers", params={"limit": 1}).raise_for_status()

    watcher = Watcher(officer, f"actor={who}&type=kept.customers.*&looks=true")
    first = watcher.until(1, look)
    assert first[0]["type"] == "kept.customers.records.viewed.v1" and first[0]["actor"] == who
    for _ in range(5):
        look()
    rest = watcher.until(5)
    ids = [one["id"] for one in [*first, *rest]]
    query = f"actor={who}&type=kept.customers.*&looks=true"
    wait_until(lambda: {i["id"] for i in items(officer, query)} >= set(ids))
    assert len(set(ids)) == 6
    assert ids == sorted(ids), "ids are made in time order"
    begun = wait_until(lambda: [i for i in items(officer, "type=kept.audit.trail.viewed.v1") if i["detail"]["how"] == "tail"])
    ended = wait_until(lambda: items(officer, "type=kept.audit.tail.ended.v1"))
    assert begun and ended[0]["detail"]["rows"] in range(1, 7)  # the first may have had more on its way when it was left


@pytest.mark.parametrize("last", ["zzz", "eJyrVspOLSjQS04tLslMzi9W0lEyqAUAVb0HPg==", "%00", "x" * 200_000])
def test_a_made_up_position_is_refused(officer: httpx.Client, last: str) -> None:
    answer = officer.get("/api/audit/tail", headers={"Last-Event-ID": last})
    assert answer.status_code in (400, 413, 422, 431), answer.text


def kept(platform: Platform, name: str, *words: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "KEPT_STATE": str(platform.state.root), "KEPT_TOKEN": token(platform, name)}
    command = [sys.executable, "-m", "deploy.cli", "audit", *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=seconds, env=env)


def test_the_command_line_reads_as_the_person_who_is_signed_in(
    platform: Platform, officer: httpx.Client, tmp_path: Path
) -> None:
    found = kept(platform, "andrew", "search", "--type", "kept.identity.*", "--limit", "2", "--json")
    page = json.loads(found.stdout)
    assert len(page["items"]) == 2 and page["next"]
    table = kept(platform, "andrew", "search", "--type", "kept.identity.*", "--limit", "2")
    assert "when (UTC)" in table.stdout and "--cursor" in table.stderr
    me = officer.get("/api/identity/me").json()["id"]
    assert wait_until(lambda: items(officer, f"actor={me}&type=kept.audit.trail.viewed.v1"))
    refused = kept(platform, "jane", "search", "--json")
    assert refused.returncode == 1 and json.loads(refused.stderr)["code"] == "not-allowed"
    wrong = kept(platform, "andrew", "search", "--subject", "luis")
    assert wrong.returncode == 1 and wrong.stderr.startswith("invalid-input: subject")
    away = kept(platform, "andrew", "search", "--origin", "http://localhost:9")
    assert away.returncode == 3 and "does not answer" in away.stderr and "Traceback" not in away.stderr
    file = tmp_path / "trail.csv"
    done = kept(platform, "andrew", "export", str(file), "--format", "csv", "--type", "kept.identity.*", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == len(list(csv.DictReader(file.open(newline="", encoding="utf-8"))))
    assert kept(platform, "andrew", "export", str(file)).returncode == 1
