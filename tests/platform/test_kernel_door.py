"""The door on a PostgreSQL of its own: who waits for whom, what a look tells, and what a lost connection costs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from sqlalchemy import ARRAY, Column, MetaData, Table, Text, any_, bindparam, literal_column, select, text

from shared import trips
from shared.access.actor import Actor
from shared.access.decide import Policies, Resource
from shared.bus import outbox
from shared.bus.event import Event
from shared.clock import SystemClock
from shared.db import make_engine, make_sessions
from shared.errors import ConflictError, NotFoundError, UnavailableError
from shared.ids import new_id
from shared.look import Telling
from shared.metrics import REGISTRY
from shared.migrations import upgrade
from shared.refused import AccessRefused
from shared.work import Door
from tests.support.postgres import server

pytestmark = [pytest.mark.platform]
ME = Actor.system("customers")
REFUSED: Any = {"action": "view", "resource": "Customer", "purpose": None, "policies": []}
CHANGES = "SELECT convert_from(value, 'UTF8') FROM outbox WHERE key = :key ORDER BY id"
EVERY = "SELECT convert_from(value, 'UTF8') FROM outbox WHERE key = ANY(:keys) ORDER BY id"
REFUSES_COMMITS = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END $$",
    "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION refuse()",
)
BREAKS_ONCE = (
    "CREATE SEQUENCE tries MINVALUE -9 START 1",
    "CREATE FUNCTION broken() RETURNS bool LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN nextval('tries') < 2 AND pg_terminate_backend(pg_backend_pid()) AND pg_sleep(9) IS NULL; END $$",
)
ENDS_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
WAITS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


class Looked(Event, type="kept.customers.kernel.looked.v1", ordered=False):
    """A look, for these tests alone."""


class Changed(Event, type="kept.customers.kernel.changed.v1"):
    """A change, for these tests alone."""

    n: int


class Seen(Event, type="kept.customers.kernel.seen.v1", ordered=False):
    """A look at several, for these tests alone."""

    subjects: list[str]
    why: str = 'as "subjects":[] may stand in a text'

    def key(self) -> str:
        return self.type_


METADATA = MetaData()
PEOPLE = Table("people", METADATA, Column("id", Text, primary_key=True), Column("name", Text))
PAGE = (
    select(PEOPLE.c.id, PEOPLE.c.name)
    .where(PEOPLE.c.id == any_(bindparam("ids", type_=ARRAY(Text))), PEOPLE.c.name != "hidden")
    .order_by(PEOPLE.c.id.desc())
    .limit(bindparam("limit"))
)
ONE, SEARCH = Telling(PAGE), Telling(PAGE, also_of_nobody=True)
TOLD = "SELECT key, headers, convert_from(value, 'UTF8') FROM outbox WHERE id > :after ORDER BY id"


@pytest.fixture(scope="module")
async def door() -> AsyncIterator[Door]:
    async with server() as urls:
        engine = make_engine(urls["customers"])
        async with engine.begin() as connection:
            await connection.run_sync(lambda one: upgrade("customers", one, "kernel@head"))
            await connection.run_sync(METADATA.create_all)
        door = Door("customers", make_sessions(engine), SystemClock(), Policies.load(), cast(Any, None))
        yield door
        await door.close()


async def written(door: Door, *events: Event) -> None:
    async with door.begin(ME) as w:
        for event in events:
            w.publish(event)


@asynccontextmanager
async def uncommitted(door: Door, event: Event) -> AsyncIterator[None]:
    """A transaction that has written `event`, and commits at the end of the block."""
    async with door.begin(ME) as w:
        w.publish(event)
        await trips.together(w.session, outbox.statements(w.events))
        w._outbox.clear()
        yield


async def waiting(door: Door) -> None:
    """Until somebody waits for an advisory lock."""
    async with door._sessions() as session, asyncio.timeout(120):
        while not await session.scalar(text(WAITS)):
            await asyncio.sleep(0.01)


async def test_who_looks_at_a_person_waits_for_nobody(door: Door) -> None:
    subject = new_id("sub")
    for one in (Looked(subject=subject), Changed(subject=subject, n=1)):
        for other in (Looked(subject=subject), AccessRefused.of("customers")(subject=subject, **REFUSED)):
            async with uncommitted(door, one), asyncio.timeout(120):
                await written(door, other)


async def test_many_events_of_one_change_are_in_the_order_in_which_they_were_published(door: Door) -> None:
    """Of more than one statement takes, of many people, each of whom is locked."""
    subjects = [new_id("sub") for _ in range(40)]
    many = 2 * outbox.ROWS_MAX + 1
    await written(door, *(Changed(subject=subjects[n % 40], n=n) for n in range(many)))
    async with door._sessions() as session:
        said = await session.scalars(text(EVERY), {"keys": subjects})
        assert [json.loads(one)["n"] for one in said] == list(range(many))


async def test_two_changes_of_a_person_are_in_the_order_of_their_commits(door: Door) -> None:
    subject = new_id("sub")
    async with uncommitted(door, Changed(subject=subject, n=1)):
        second = asyncio.ensure_future(written(door, Looked(subject=subject), Changed(subject=subject, n=2)))
        await waiting(door)
        await written(door, Changed(subject=new_id("sub"), n=0))  # of another person: at once
        assert not second.done()
    await second
    async with door._sessions() as session:
        rows = (await session.execute(text(CHANGES), {"key": subject})).scalars().all()
    assert rows == ['{"n":1}', "{}", '{"n":2}'], "the id is given when the lock is held"


# -- looks ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def people(door: Door) -> list[str]:
    """Three of them, the newest first."""
    ids = sorted((new_id("sub") for _ in range(3)), reverse=True)
    async with door._engine.begin() as connection:
        await connection.execute(PEOPLE.insert(), [{"id": one, "name": f"n{n}"} for n, one in enumerate(ids)])
    return ids


@asynccontextmanager
async def telling(door: Door) -> AsyncIterator[list[tuple[str, dict[str, str], dict[str, Any]]]]:
    """What is told during the block: key, headers, body."""
    found: list[tuple[str, dict[str, str], dict[str, Any]]] = []
    async with door._sessions() as session:
        after = await session.scalar(text("SELECT coalesce(max(id), 0) FROM outbox"))
        await session.rollback()
        yield found
        for key, headers, value in (await session.execute(text(TOLD), {"after": after})).all():
            found.append((key, dict(headers), json.loads(value)))


async def looked(door: Door, which: Telling, ids: list[str], **how: int) -> list[Any]:
    async with door.look(ME) as look:
        return list(await look.told(which, {"ids": ids, "limit": 50}, Seen(subjects=[]), **how))


async def test_a_look_tells_of_those_whom_it_shows(door: Door, people: list[str]) -> None:
    async with telling(door) as told:
        assert await looked(door, ONE, people) == [(one, f"n{n}") for n, one in enumerate(people)]
        assert await looked(door, ONE, people[1:2]) == [(people[1], "n1")]
        assert len(await looked(door, ONE, people, most=2)) == 3  # the third shows that there is another page
    several, one, page = told
    assert several[0] == people[0] and several[2] == {"subjects": people, "why": Seen(subjects=[]).why}
    assert "ce_subject" not in several[1] and several[1]["ce_type"] == Seen.type_
    assert one[0] == one[1]["ce_subject"] == people[1] and one[2]["subjects"] == [people[1]]
    assert page[2]["subjects"] == people[:2]
    ids = [headers["ce_id"] for _, headers, _ in told]
    async with door._sessions() as session:
        known = await session.scalars(text("SELECT ce_id FROM outbox WHERE ce_id = ANY(:ids)"), {"ids": ids})
    assert sorted(known) == sorted(ids)


async def test_a_search_that_finds_nobody_is_told_of_and_a_person_who_is_not_there_is_not(door: Door) -> None:
    async with telling(door) as told:
        assert await looked(door, ONE, [new_id("sub")]) == [] and await looked(door, SEARCH, []) == []
    assert [(key, body["subjects"]) for key, _, body in told] == [(Seen.type_, [])]


async def test_a_look_at_one_person_needs_no_list(door: Door, people: list[str]) -> None:
    async with telling(door) as told, door.look(ME) as look:
        await look.told(ONE, {"ids": people[:1], "limit": 1}, Looked())
    assert [(key, headers["ce_subject"], body) for key, headers, body in told] == [(people[0], people[0], {})]


async def test_what_was_refused_is_told(door: Door) -> None:
    async with telling(door) as told:
        with pytest.raises(NotFoundError):
            async with door.look(ME) as look:
                raise look.unknown("view", Resource("Customer", "x"))
    assert [body["action"] for _, _, body in told] == ["view"]


async def test_nothing_is_shown_before_its_event_has_committed(door: Door, people: list[str]) -> None:
    async with door._engine.begin() as connection:  # refuses at the commit, when the rows are on their way already
        for statement in REFUSES_COMMITS:
            await connection.execute(text(statement))
    try:
        async with telling(door) as told:
            with pytest.raises(ConflictError):
                await looked(door, ONE, people)
        assert told == []
    finally:
        async with door._engine.begin() as connection:
            await connection.execute(text("DROP FUNCTION refuse CASCADE"))


async def test_a_look_whose_connection_breaks_is_run_once_more(door: Door, people: list[str]) -> None:
    async with door._engine.begin() as connection:
        for statement in BREAKS_ONCE:
            await connection.execute(text(statement))
    breaking = Telling(select(PEOPLE.c.id, literal_column("broken()")).where(PEOPLE.c.id == bindparam("id")))
    async with telling(door) as told, door.look(ME) as look:
        assert [row[0] for row in await look.told(breaking, {"id": people[0]}, Looked())] == [people[0]]
    assert [key for key, _, _ in told] == [people[0]]
    with pytest.raises(UnavailableError):  # once, and not for ever
        async with door._engine.begin() as connection:
            await connection.execute(text("ALTER SEQUENCE tries RESTART INCREMENT -1"))
        async with door.look(ME) as look:
            await look.told(breaking, {"id": people[0]}, Looked())


async def test_whoever_comes_after_the_connections_ended_notices_nothing(door: Door, people: list[str]) -> None:
    for _ in range(2):
        await asyncio.gather(*(looked(door, ONE, people) for _ in range(4)))
        await asyncio.gather(*(written(door, Changed(subject=people[0], n=n)) for n in range(4)))
        async with door._engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await connection.execute(text(ENDS_ALL))
            assert not raw.closed
        await asyncio.gather(*(looked(door, ONE, people) for _ in range(4)))
        await asyncio.gather(*(written(door, Changed(subject=people[0], n=n)) for n in range(4)))


async def test_what_is_asked_of_the_database_is_timed(door: Door, people: list[str]) -> None:
    def timed() -> float:
        return cast(Any, REGISTRY).get_sample_value("kept_statement_seconds_count") or 0.0

    before = timed()
    async with door.look(ME) as look:
        await look.told(ONE, {"ids": people[:1], "limit": 1}, Looked(subject=None))
    assert timed() > before, "a look's own connections"
    before = timed()
    async with door.begin(ME) as w:
        await w.session.execute(text("SELECT 1"))
    assert timed() > before, "a transaction's"
