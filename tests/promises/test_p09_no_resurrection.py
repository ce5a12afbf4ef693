"""P9. A restore never brings an erased person back: a set from before is restored, and everyone is there but him."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.local.postgres_programs import programs
from services.backup.restore import scratch
from shared.ids import new_event_id
from tests.support import backups
from tests.support.insider import Insider, wait_until
from tests.support.people import customers
from tests.support.platform import Platform
from tests.support.portal import Person, wait_for
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform
KEYED = ("customers", "audit")  # the holders that have a key of his: his record, and what a foreign service said of him


def counts(drilled: dict[str, Any]) -> tuple[int, int, int, int]:
    """(people, keys, shredded, lost) of the customers, as the drill counted them."""
    people, keys, shredded, lost = re.findall(r"\d+", backups.check(drilled, "everyone/customers")["says"])
    return int(people), int(keys), int(shredded), int(lost)


def erase(platform: Platform, email: str) -> None:
    """The person asks and proves the address; two people agree; dsar sends the command to every holder."""
    person = Person(platform.origin, email)
    person.ask("erasure")
    person.prove()

    def asked() -> str | None:
        items = signed_in(platform, "andrew").get("/api/identity/approvals").raise_for_status().json()["items"]
        return next((one["id"] for one in items if one["resource"] == person.request_id), None)

    try:
        approval = wait_for(asked, "identity to open the approval", 120)  # dsar has asked a third time who answered late
    except AssertionError as late:
        late.add_note(f"where it stands: {standing(platform, person.request_id)}")
        raise
    for name in ("andrew", "nancy"):
        signed_in(platform, name).post(f"/api/identity/approvals/{approval}/approve").raise_for_status()


def standing(platform: Platform, request_id: str) -> list[tuple[Any, ...]]:
    """How far the request is, how many records share its address, and which holders owe an answer since when."""
    with Insider(platform.state, "dsar").connect("dsar") as connection:
        query = """SELECT r.state, array_length(ARRAY(SELECT json_object_keys(r.candidates::json)), 1), r.approval_asked_at,
            a.command, a.holder, a.tries, a.asked_at FROM requests r
            LEFT JOIN asks a ON a.request_id = r.id AND a.answered_at IS NULL WHERE r.id = %s"""
        return connection.execute(query, (request_id,)).fetchall()


async def known_to_audit(platform: Platform, subject: str) -> None:
    """A foreign service says something about him, so that audit seals it under a key of his."""
    headers = [("ce_id", new_event_id().encode()), ("ce_type", b"billing.note.made.v1"), ("ce_subject", subject.encode())]
    async with Insider(platform.state, "billing").producer() as producer:
        await producer.send_and_wait("billing.events", b"a note", headers=headers)
    wait_until(lambda: has_key(platform, "audit", subject))


def has_key(platform: Platform, holder: str, subject: str) -> bool:
    with Insider(platform.state, holder).connect(holder) as connection:
        return (
            connection.execute("SELECT 1 FROM data_keys WHERE wrapped IS NOT NULL AND subject = %s", (subject,)).fetchone()
            is not None
        )


@contextmanager
def restored(platform: Platform, backup_id: str) -> Iterator[Path]:
    """The set, really restored after two people agreed: where its cluster lies."""
    grant = backups.granted(platform, "restore", backup_id)
    done = backups.restore(signed_in(platform, "michael"), backup_id, grant)
    assert done["state"] == "finished", done
    root = (platform.state.root / "blobs/backup" / done["directory"]).parent
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def test_everyone_is_there_but_him(platform: Platform) -> None:
    operator = signed_in(platform, "michael")
    him = customers()[-1]["Email"]
    page = signed_in(platform, "nancy").post("/api/customers/search", json={"email": him}).json()
    subject = page["items"][0]["id"]
    await known_to_audit(platform, subject)
    before = backups.take(operator)
    first = backups.drill(operator, before["id"])
    assert first["state"] == "passed", failing(first)

    erase(platform, him)
    wait_until(lambda: not any(has_key(platform, holder, subject) for holder in KEYED))

    def heard() -> dict[str, Any] | None:
        """Backup hears of it over the bus, a moment after each holder erased him."""
        drilled = backups.drill(operator, before["id"])
        return drilled if all(erased_in(drilled, one) > erased_in(first, one) for one in KEYED) else None

    second = wait_for(heard, f"backup to hear of the erasure from each of {KEYED}", 120)
    assert second["state"] == "passed", failing(second)
    people, keys, shredded, lost = counts(first)
    assert counts(second) == (people, keys - 1, shredded + 1, lost), "everyone is there but him"
    assert lost == 0
    for holder in KEYED:
        assert " 0 of them with a key" in backups.check(second, f"erased/{holder}")["says"]

    # The drill is a rehearsal; what is really restored has no key of his either, and remembers that he was erased.
    with restored(platform, before["id"]) as root:
        async with scratch.serving(scratch.Scratch(root), scratch.Postgres(programs())) as place:
            for holder in KEYED:
                with psycopg.connect(place.conninfo(holder)) as connection:
                    keyed = connection.execute(
                        "SELECT 1 FROM data_keys WHERE wrapped IS NOT NULL AND subject = %s", (subject,)
                    ).fetchone()
                    noted = connection.execute(
                        "SELECT 1 FROM data_keys WHERE shredded_at IS NOT NULL AND subject = %s", (subject,)
                    ).fetchone()
                assert keyed is None, f"the restore brought his key back to {holder}"
                assert noted is not None, f"the restored {holder} would make him a new key"


def failing(drilled: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in drilled["checks"] if not one["passed"]]


def erased_in(drilled: dict[str, Any], holder: str) -> int:
    """How many erased people of `holder` the drill knew of."""
    found = [one for one in drilled["checks"] if one["name"] == f"erased/{holder}"]
    return int(found[0]["says"].split()[0]) if found else 0
