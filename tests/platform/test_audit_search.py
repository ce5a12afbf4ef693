"""The search index on the real platform: what it says, to whom, in which order, and that it is the log's and nobody else's."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.index import partitions
from services.audit.index.actions import counted, rows_after
from services.audit.index.facts import Facts
from services.audit.index.model import Cursor, Filters
from shared.access.actor import Actor
from shared.ids import new_event_id
from shared.work import Door
from tests.support.insider import Insider, wait_until
from tests.support.platform import Platform
from tests.support.staff import me
from tests.support.trail import everything, fill, made_up_index

pytestmark = pytest.mark.platform
PEOPLE = [f"sub_{n:032x}" for n in range(4)]
TYPES = ["kept.a.b.created.v1", "kept.a.b.viewed.v1", "kept.c.d.viewed.v1", "billing.x", "(gap)"]
START = datetime(2026, 3, 31, 23, 0, tzinfo=UTC)
MOMENTS = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(9998, 1, 1, tzinfo=UTC),
    *(START + timedelta(minutes=30 * n) for n in range(6)),
]


def made_up(seed: int, count: int) -> list[Facts]:
    dice = random.Random(seed)
    found = []
    for n in range(count):
        about = tuple(dice.sample(PEOPLE, dice.randint(0, 3)))
        kind = dice.choice(TYPES)
        found.append(
            Facts(
                f"id-{seed}-{n}", kind, dice.choice(["", *PEOPLE[:2]]), about[0] if about else "", dice.choice(MOMENTS),
                dice.choice(["", "0" * 32, "1" * 32]), dice.choice(["", "support", "delivery"]), ".viewed.v" in kind, about, (),
                {"reason": "tab\there \\ and\nthere"} if n % 7 == 0 else {},
            )
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
async def index(platform: Platform) -> AsyncIterator[tuple[Door, list[Facts]]]:
    async with made_up_index(platform) as door:
        facts = [one for seed in range(4) for one in made_up(seed, 60)]
        for seed in range(4):
            await fill(door, facts[seed * 60 : seed * 60 + 60])
        yield door, facts


filters = st.builds(
    Filters,
    subject=st.sampled_from(["", *PEOPLE]),
    actor=st.sampled_from(["", *PEOPLE[:3]]),
    type=st.sampled_from(["", "kept.*", "kept.a.*", "kept.a.b.viewed.v1", "billing.x", "(gap)", "b*"]),
    purpose=st.sampled_from(["", "support"]),
    trace=st.sampled_from(["", "0" * 32]),
    since=st.sampled_from([None, *MOMENTS]),
    until=st.sampled_from([None, *MOMENTS]),
    looks=st.booleans(),
)


async def test_pages_joined_are_the_whole_list_and_as_the_rule_says(index: tuple[Door, list[Facts]]) -> None:
    """The database answers as `Filters.match` does, newest first, however it is cut into pages."""
    door, facts = index
    order = {f.ce_id: n for n, f in enumerate(facts)}

    async def pages(asked: Filters, size: int) -> list[str]:
        found: list[str] = []
        after: Cursor | None = None
        async with door.begin(Actor.system("audit")) as w:
            while page := await rows_after(w, asked, after, size):
                found += [one.ce_id for one in page]
                after = Cursor(page[-1].time, page[-1].shard, page[-1].index)
            assert await counted(w, asked, 1000) == len(found)
        return found

    cases: list[tuple[Filters, int]] = []

    @given(filters, st.integers(1, 50))
    @settings(max_examples=80)
    def drawn(asked: Filters, size: int) -> None:
        cases.append((asked, size))

    drawn()
    for asked, size in cases:
        wanted = [f for f in facts if asked.match(f)]
        wanted.sort(key=lambda f: (f.time, order[f.ce_id]), reverse=True)
        assert await pages(asked, size) == [f.ce_id for f in wanted], asked


async def test_new_rows_do_not_move_what_follows_a_cursor(platform: Platform) -> None:
    async with made_up_index(platform) as door:
        await fill(door, made_up(1, 40))
        async with door.begin(Actor.system("audit")) as w:
            whole = [one.ce_id for one in await rows_after(w, Filters(), None, 100)]
            first = await rows_after(w, Filters(), None, 15)
        new = [f for f in made_up(2, 40) if f.time > first[-1].time]
        await fill(door, new)
        after = Cursor(first[-1].time, first[-1].shard, first[-1].index)
        async with door.begin(Actor.system("audit")) as w:
            rest = [one.ce_id for one in await rows_after(w, Filters(), after, 100)]
        assert [one.ce_id for one in first] + rest == whole


async def test_months_get_partitions_by_need_and_impossible_times_share_one(platform: Platform) -> None:
    async with made_up_index(platform) as door:
        far = [f for f in made_up(3, 80) if f.time.year in (1970, 9998)]
        await fill(door, far)
        await fill(door, [f for f in made_up(3, 80) if f.time.year == 2026])
        schema = door.schema  # type: ignore[attr-defined]
        with Insider(platform.state, "audit").connect("audit") as connection:
            query = f"SELECT tableoid::regclass::text, count(*) FROM {schema}.events GROUP BY 1 ORDER BY 1"
            found = dict(connection.execute(query).fetchall())
        assert set(found) == {f"{schema}.events_{m}" for m in ("2026_03", "2026_04", "other")}
        assert found[f"{schema}.events_other"] == len(far)


def test_a_month_that_comes_takes_its_rows_out_of_the_default_partition(platform: Platform) -> None:
    """Events of a month to come wait in the default partition; the month's own partition takes them over."""
    with Insider(platform.state, "audit").connect("audit") as connection:
        for statement in partitions.schema_sql("trail_moved"):
            connection.execute(statement)
        row = "(time, shard, index, ce_id, type, actor, subject, trace, purpose, look, detail)"
        connection.execute(
            f"INSERT INTO trail_moved.events {row} VALUES ('2031-05-05', 's', 1, 'e', 't', '', '', '', '', false, '{{}}')"
        )
        literal = {"start": "'2031-05-01T00:00Z'", "end": "'2031-06-01T00:00Z'", "month": "trail_moved.events_2031_05"}
        connection.execute(partitions.MONTH.format(table="trail_moved.events", other="trail_moved.events_other", **literal))
        found = connection.execute("SELECT tableoid::regclass::text FROM trail_moved.events").fetchall()
        connection.rollback()
    assert found == [("trail_moved.events_2031_05",)]


def test_who_looked_and_what_they_saw_in_one_call_each(officer: httpx.Client, jane: httpx.Client) -> None:
    one = jane.get("/api/customers", params={"limit": 1}, headers={"X-Purpose": "delivery"}).json()["items"][0]["id"]
    who = me(jane)
    looks = wait_until(
        lambda: [i for i in _items(officer, f"/api/audit/subjects/{one}/looks?purpose=delivery") if i["actor"] == who]
    )
    assert looks[0]["type"] == "kept.customers.records.viewed.v1" and looks[0]["detail"]["fields"]["email"] == "hidden"
    assert looks[0]["id"] in {i["id"] for i in _items(officer, f"/api/audit/actors/{who}/looks?limit=500")}
    trace = _items(officer, f"/api/audit/events?trace={looks[0]['trace']}")
    assert looks[0]["id"] in {i["id"] for i in trace}


def _items(client: httpx.Client, path: str) -> list[dict]:  # type: ignore[type-arg]
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    items: list[dict] = answer.json()["items"]  # type: ignore[type-arg]
    return items


def test_reading_the_trail_is_an_event_and_so_is_being_refused(officer: httpx.Client, jane: httpx.Client) -> None:
    subject, who = PEOPLE[3], me(jane)
    _items(officer, f"/api/audit/events?subject={subject}")
    seen = wait_until(lambda: _items(officer, f"/api/audit/events?subject={subject}&type=kept.audit.trail.viewed.v1"))
    assert seen[0]["actor"] == me(officer) and seen[0]["detail"]["filters"]["subject"] == subject
    some = _items(officer, "/api/audit/events?type=kept.identity.*")[0]["id"]
    ways = {"search": "/api/audit/events", "proof": f"/api/audit/events/{some}/proof", "entry": f"/api/audit/events/{some}"}
    for path in [*ways.values(), f"/api/audit/subjects/{subject}/looks", f"{ways['entry']}?opened=true", "/audit"]:
        assert jane.get(path).status_code == 403, path
    refused = f"/api/audit/events?type=kept.audit.access.refused.v1&actor={who}&limit=500"
    wait_until(lambda: {i["detail"]["action"] for i in _items(officer, refused)} >= {"search", "open"})
    assert all(i["detail"]["resource"] == "AuditTrail:trail" for i in _items(officer, refused))


async def test_an_entry_is_shown_whole_and_a_sealed_one_opened_for_few(platform: Platform, officer: httpx.Client) -> None:
    ce_id = new_event_id()
    headers = [("ce_id", ce_id.encode()), ("ce_type", b"billing.note.written.v1"), ("x-note", b"\xff")]
    async with Insider(platform.state, "billing").producer() as producer:
        await producer.send_and_wait("billing.events", b'{"note": "call back"}', headers=headers)
    path = f"/api/audit/events/{ce_id}"
    wait_until(lambda: officer.get(path).status_code == 200)
    closed, opened = officer.get(path).json(), officer.get(path, params={"opened": "true"}).json()
    assert (closed["kind"], closed["value"], closed["opened"]) == ("sealed", None, False)
    assert opened["opened"] and opened["value"] == {"text": '{"note": "call back"}'}
    assert ["x-note", {"base64": "/w=="}] in opened["headers"] and "call back" not in str(closed)
    seen = wait_until(lambda: [i for i in _items(officer, "/api/audit/events?type=kept.audit.entry.viewed.v1")
                               if i["detail"]["fields"] == {"entry": "opened"}])  # fmt: skip
    assert seen[0]["actor"] == me(officer)


@pytest.mark.parametrize(
    ("query", "status"),
    [("cursor=zzz", 400), ("cursor=bnVsbA==", 400), ("subject=luis", 422), ("from=tomorrow", 422), ("limit=0", 422),
     ("limit=501", 422), ("trace=%00", 400), ("type=%27;drop", 422), ("to=9999-12-31", 422), ("looks=maybe", 200)],
)  # fmt: skip
def test_bad_questions_get_a_clear_answer(officer: httpx.Client, query: str, status: int) -> None:
    answer = officer.get(f"/api/audit/events?{query}")
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()["code"] in ("malformed", "invalid-input")


def found_by(platform: Platform) -> set[tuple[Any, ...]]:
    with Insider(platform.state, "audit").connect("audit") as connection:
        return set(connection.execute("SELECT locator, subject FROM trail.known_locators").fetchall())


def test_a_rebuilt_index_is_the_one_that_grew(platform: Platform, officer: httpx.Client) -> None:
    wait_until(lambda: officer.get("/api/audit/status").json()["index"]["behind"] == {})
    at, grown = everything(platform)
    known = found_by(platform)
    done = platform.kept("audit", "reindex", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _items(officer, "/api/audit/events"), "search goes on"
    assert everything(platform, at)[1] == grown and len(grown["events"]) == sum(at.values())
    assert known and known <= found_by(platform), "whoever was found by their address still is"
    wait_until(lambda: _items(officer, "/api/audit/events?type=kept.audit.index.rebuilt.v1"))
    with Insider(platform.state, "audit").connect("audit") as connection:
        left = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname IN ('trail_next', 'trail_old')").fetchall()
    assert left == []


def test_a_rebuild_that_was_stopped_goes_on_and_one_goes_at_a_time(platform: Platform) -> None:
    with Insider(platform.state, "audit").connect("audit") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [0x6B657074])
        done = platform.kept("audit", "reindex", "--json")
        assert done.returncode == 1 and "another rebuild" in done.stderr
        connection.execute("SELECT pg_advisory_unlock(%s)", [0x6B657074])
        # What a killed one leaves: the schema, with some of the rows.
        for statement in partitions.schema_sql("trail_next"):
            connection.execute(statement)
        connection.commit()
    done = platform.kept("audit", "reindex", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
