"""What an older version has written is taken over by a newer one's migrations, row by row: an approval that was waiting stays
somebody's to decide, a link into the portal goes on opening it."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, MetaData, create_engine

from shared.db import kernel_tables
from shared.migrations import migrate
from tests.support.postgres import WORD, server

pytestmark = pytest.mark.platform
NOW = dt.datetime.now(dt.UTC)
LATER = NOW + dt.timedelta(days=3)


@pytest.fixture
async def databases() -> AsyncIterator[dict[str, URL]]:
    async with server() as found:
        yield found


def at(url: URL) -> "psycopg.Connection[Any]":
    return psycopg.connect(host=url.host, port=url.port, user=url.username, password=WORD, dbname=url.database, autocommit=True)


def put(connection: "psycopg.Connection[Any]", table: str, **row: object) -> None:
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


async def test_an_approval_stays_its_requesters_and_a_colleagues_in_dsars_place_ends(databases: dict[str, URL]) -> None:
    url = databases["identity"]
    await asyncio.to_thread(migrate, "identity", url, "0003")
    with at(url) as old:
        for name, action, requester, state in (
            ("apr_dsar", "erase", "system:identity", "requested"),
            ("apr_done", "erase", "system:identity", "granted"),
            ("apr_staff", "erase", "sub_jane", "requested"),
            ("apr_theirs", "erase", "sub_jane", "granted"),
            ("apr_other", "restore", "sub_michael", "requested"),
        ):
            put(
                old, "approvals", id=name, action=action, resource=f"req_{name}", requester=requester, subject=f"sub_{name}",
                state=state, requested_at=NOW, expires_at=LATER,
            )  # fmt: skip
    await asyncio.to_thread(migrate, "identity", url)
    with at(url) as new:
        rows = new.execute("SELECT id, requester, lapses, subjects, expires_at FROM approvals").fetchall()
        found = {str(row[0]): row[1:] for row in rows}
        for name in ("apr_dsar", "apr_done"):
            assert found[name] == ("system:dsar", False, [f"sub_{name}"], LATER)
        assert found["apr_staff"][0] == "sub_jane" and found["apr_staff"][3] <= dt.datetime.now(dt.UTC)
        assert found["apr_theirs"][3] == LATER, "what was decided is history"
        assert found["apr_other"] == ("sub_michael", True, [], LATER)
        with pytest.raises(psycopg.errors.CheckViolation):
            put(
                new, "approvals", id="apr_new", action="erase", resource="req_new", requester="sub_jane", state="requested",
                requested_at=NOW, expires_at=LATER,
            )  # fmt: skip
        # The round that ends what is late must be able to: the rule lets an ended one stand.
        new.execute("UPDATE approvals SET state = 'expired' WHERE id = 'apr_staff'")


async def test_a_link_into_the_portal_goes_on_opening_it_and_unsigned_answers_are_asked_for_again(
    databases: dict[str, URL],
) -> None:
    url = databases["dsar"]
    await asyncio.to_thread(migrate, "dsar", url, "0002")
    with at(url) as old:
        for name, state, right in (
            ("req_looking", "verified", "access"),
            ("req_collecting", "dispatched", "access"),
            ("req_erasing", "dispatched", "erasure"),
            ("req_ready", "answered", "access"),
        ):
            put(
                old, "requests", id=name, right=right, state=state, language="en", law="gdpr", article="15", received_at=NOW,
                due_at=LATER, verified_at=NOW, approvers=[], subjects=["sub_1"], capability=name.encode(), chosen="sub_1",
            )  # fmt: skip
            put(
                old,
                "asks",
                request_id=name,
                holder="audit",
                command="locate",
                subject="",
                asked_at=NOW,
                tries=2,
                answered_at=NOW,
            )
            put(old, "parts", request_id=name, holder="audit", subject="sub_1", part=0, parts=1, sealed="x")
            put(old, "codes", request_id=name, hash="h", expires_at=LATER, tries=0)
    await asyncio.to_thread(migrate, "dsar", url)
    with at(url) as new:
        opened = {str(row[0]): bytes(row[1]) for row in new.execute("SELECT request_id, hash FROM capabilities")}
        assert opened == {name: name.encode() for name in ("req_looking", "req_collecting", "req_erasing", "req_ready")}
        states = dict(new.execute("SELECT id, state FROM requests").fetchall())
        assert states["req_collecting"] == states["req_looking"] == "verified"  # from the beginning, with signed answers
        assert (states["req_erasing"], states["req_ready"]) == ("dispatched", "answered")
        asked = dict(new.execute("SELECT request_id, answered_at IS NULL FROM asks WHERE command = 'locate'").fetchall())
        assert asked == {"req_looking": True, "req_collecting": True, "req_erasing": False, "req_ready": False}
        parts = {str(row[0]) for row in new.execute("SELECT request_id FROM parts")}
        assert parts == {"req_erasing", "req_ready"}


async def test_keys_and_shreds_of_before_are_in_one_table(databases: dict[str, URL]) -> None:
    url = databases["customers"]
    await asyncio.to_thread(migrate, "customers", url, "kernel_0002")
    with at(url) as old:
        put(old, "keyring", subject="sub_alive", version=1, wrapped="vault:v12:x", created_at=NOW)
        put(old, "shredded", subject="sub_gone", shredded_at=NOW)
    await asyncio.to_thread(migrate, "customers", url)
    with at(url) as new:
        columns = "subject, version, wrapped, kek_version, created_at, shredded_at, current"
        found = new.execute(f"SELECT {columns} FROM data_keys ORDER BY subject").fetchall()
        assert found == [
            ("sub_alive", 1, "vault:v12:x", 12, NOW, None, True),
            ("sub_gone", 0, None, None, NOW, NOW, True),
        ]


async def test_a_process_of_the_version_before_goes_on_with_the_keyring_as_it_knows_it(databases: dict[str, URL]) -> None:
    """Its statements, word for word; what it does there is what a process of today finds, and the other way round."""
    url = databases["customers"]
    await asyncio.to_thread(migrate, "customers", url)
    gone = "SELECT shredded.subject FROM shredded WHERE shredded.subject = ANY (%s::TEXT[])"
    make = "INSERT INTO keyring (subject, version, wrapped) VALUES (%s, 1, %s)"
    note = "INSERT INTO shredded (subject, shredded_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"
    destroy = "DELETE FROM keyring WHERE keyring.subject = %s RETURNING keyring.version"
    with at(url) as old:

        def shred(subject: str) -> tuple[Any, ...] | None:
            with old.transaction():
                old.execute(note, (subject, NOW))
                return old.execute(destroy, (subject,)).fetchone()

        for subject in ("sub_a", "sub_b"):
            old.execute(make, (subject, "vault:v1:x"))
        with pytest.raises(psycopg.errors.UniqueViolation):
            old.execute(make, ("sub_a", "vault:v1:y"))
        assert shred("sub_a") == (1,)
        assert shred("sub_a") is None and shred("sub_c") is None
        again = f"{make} ON CONFLICT DO NOTHING RETURNING keyring.subject"
        assert [old.execute(again, (one, "vault:v1:y")).fetchone() for one in ("sub_a", "sub_b", "sub_c")] == [None] * 3
        assert old.execute(again, ("sub_d", "vault:v2:z")).fetchone() == ("sub_d",)
        told = old.execute(gone, (["sub_a", "sub_b", "sub_c"],)).fetchall()
        assert sorted(told) == [("sub_a",), ("sub_c",)]
        keys = "SELECT subject, version, wrapped FROM keyring ORDER BY subject"
        assert old.execute(keys).fetchall() == [("sub_b", 1, "vault:v1:x"), ("sub_d", 1, "vault:v2:z")]
        today = old.execute("SELECT subject, wrapped, shredded_at IS NOT NULL FROM data_keys ORDER BY subject").fetchall()
        assert today == [
            ("sub_a", None, True), ("sub_b", "vault:v1:x", False), ("sub_c", None, True), ("sub_d", "vault:v2:z", False),
        ]  # fmt: skip


async def test_a_record_is_its_representatives_by_their_id_and_who_is_not_there_yet_is_waited_for(
    databases: dict[str, URL],
) -> None:
    url = databases["customers"]
    await asyncio.to_thread(migrate, "customers", url, "0006")
    with at(url) as old:
        put(old, "staff_locators", locator="loc_1_jane", user_id="sub_jane")
        put(old, "staff_locators", locator="loc_1_janes_address", user_id="sub_jane")
        for name, owner, erased in (
            ("sub_1", "loc_1_jane", None), ("sub_2", "loc_1_nobody", None), ("sub_3", None, NOW), ("sub_4", "loc_1_jane", None),
        ):  # fmt: skip
            put(old, "customers", id=name, version=1, owner_locator=owner, created_at=NOW, updated_at=NOW, erased_at=erased)
    await asyncio.to_thread(migrate, "customers", url)
    with at(url) as new:
        found = new.execute("SELECT id, owner_id, owner_number IS NULL, owner_locator FROM customers ORDER BY id").fetchall()
        assert found == [
            ("sub_1", "sub_jane", True, "loc_1_jane"),
            ("sub_2", None, True, "loc_1_nobody"),
            ("sub_3", None, True, None),
            ("sub_4", "sub_jane", True, "loc_1_jane"),
        ]
        # The version before goes on beside the new one: it writes locators alone, and finds its records by them.
        put(new, "customers", id="sub_5", version=1, owner_locator="loc_1_jane", created_at=NOW, updated_at=NOW)
        by_locator = "SELECT count(*) FROM customers JOIN staff_locators ON locator = owner_locator WHERE user_id = 'sub_jane'"
        assert new.execute(by_locator).fetchone() == (3,)


async def test_what_a_newer_version_has_migrated_is_left_as_it_is(databases: dict[str, URL]) -> None:
    url = databases["customers"]
    await asyncio.to_thread(migrate, "customers", url, "0004")
    with at(url) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9001' WHERE version_num = '0004'")
        found = newer.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
        await asyncio.to_thread(migrate, "customers", url)
        assert newer.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall() == found


@pytest.mark.parametrize("service", ["identity", "customers", "audit", "backup", "dsar"])
async def test_a_migration_done_twice_and_by_two_at_once_is_done(databases: dict[str, URL], service: str) -> None:
    both = [asyncio.to_thread(migrate, service, databases[service]) for _ in range(2)]
    await asyncio.gather(*both)
    await asyncio.to_thread(migrate, service, databases[service])
    with at(databases[service]) as found:
        known = [row[0] for row in found.execute("SELECT version_num FROM alembic_version").fetchall()]
        assert known and len(known) == len(set(known)), "done twice"


@pytest.mark.parametrize("service", ["identity", "customers", "audit", "backup", "dsar"])
async def test_the_kernels_revisions_make_what_it_declares(databases: dict[str, URL], service: str) -> None:
    await asyncio.to_thread(migrate, service, databases[service])
    kernel_tables(declared := MetaData())

    def of_the_kernel(one: Any, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name in declared.tables

    engine = create_engine(databases[service].set(password=WORD))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": of_the_kernel})
        assert compare_metadata(context, declared) == []
    engine.dispose()
