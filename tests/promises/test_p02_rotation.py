"""P2 with backups: after a rotation no keyring of an older set opens anything, and everybody alive is there as before."""

import json
from typing import Any

import httpx
import psycopg
import pytest

from deploy.local.postgres_programs import programs
from services.backup.base import TABLES
from services.backup.postgres import Postgres
from services.backup.restore import scratch
from services.backup.rotation.cli import ROTATED
from services.backup.rotation.model import HOLDERS, Step, kek
from services.backup.rotation.rotate import Rotation
from services.customers.records.forgotten import KEY, PREFIX
from shared.blobs import PosixStore
from shared.commands.keys import all_settled, unmarked
from shared.errors import InvariantError
from shared.ids import new_id
from shared.installed import ground_now, operator, settings_of
from shared.keys.cipher import DataKey, Place, open_
from shared.keys.marks import Marks
from shared.keys.vault import Vault
from shared.values.identifiers import Identifier, external
from shared.values.typed import Number
from tests.promises.test_p09_no_resurrection import restored
from tests.support import backups, findable
from tests.support.insider import Insider, wait_until
from tests.support.left import locators_of
from tests.support.made_up import email, numbers, table
from tests.support.platform import Platform
from tests.support.portal import Person, wait_for
from tests.support.staff import approve, signed_in
from tests.support.topic import told

pytestmark = pytest.mark.platform
AWAY = 3
GIVE_UP = ("--leave-unmarked",)  # what no old file had


def rotate(platform: Platform, *words: str) -> tuple[int, dict[str, Any]]:
    """`kept keys rotate`, as typed: its exit code, and what it says."""
    done = platform.kept("keys", "rotate", *words, "--json")
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def waits(platform: Platform, what: str, *words: str) -> None:
    """`kept keys rotate` trims nothing and waits for this; whose key was made meanwhile is rewrapped first."""

    def said() -> bool:
        code, found = rotate(platform, *words)
        return code == AWAY and str(found["waits_for"]).startswith(what)

    wait_until(said)


def status(platform: Platform) -> dict[str, dict[str, Any]]:
    done = platform.kept("keys", "status", "--json")
    assert done.returncode == 0, done.stderr
    return {one["service"]: one for one in json.loads(done.stdout)}


def following(platform: Platform) -> str:
    """What the next `kept keys rotate` does."""
    done = platform.kept("keys", "rotation", "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["step"])


def drills(michael: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = michael.get("/api/backup/drills").raise_for_status().json()["items"]
    return items


def imported(nancy: httpx.Client, *those: str) -> dict[str, Any]:
    content = table(those)
    answer = nancy.post("/api/customers/imports", content=content, headers={"Content-Type": "text/csv"}, timeout=60)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def found(jane: httpx.Client, number: str) -> list[dict[str, Any]]:
    page = jane.post("/api/customers/search", json={"email": email(number)}, headers={"X-Purpose": "support"})
    items: list[dict[str, Any]] = page.raise_for_status().json()["items"]
    return items


def wrapped(platform: Platform, subject: str) -> str:
    """A person's key as it stands in the keyring, and so in every set that is taken now."""
    with Insider(platform.state, "customers").connect("customers") as connection:
        row = connection.execute("SELECT wrapped FROM data_keys WHERE subject = %s", (subject,)).fetchone()
    assert row is not None
    return str(row[0])


async def test_after_a_rotation_old_keyrings_open_nothing_and_the_living_are_there(platform: Platform) -> None:
    michael, nancy, jane = (signed_in(platform, name) for name in ("michael", "nancy", "jane"))
    gone, alive, later = numbers(3)
    imported(nancy, gone, alive, later)
    people = {one: found(jane, one)[0]["id"] for one in (gone, alive, later)}
    old_keys = {one: wrapped(platform, subject) for one, subject in people.items()}
    hashes = findable.found(platform, alive, people[alive])
    stranger = new_id("sub")
    keyed(platform, stranger, old_keys[alive])
    before = backups.take(michael)
    keyed(platform, stranger, None)
    erased(platform, gone)

    older, left = numbers(2), status(platform)["customers"]["unmarked"]
    await forgotten_by_older_software(platform, *older)
    code, said = rotate(platform)
    assert (code, said["done"]) == (AWAY, False) and "drill" in said["waits_for"]
    assert {one["kek"] for one in status(platform).values()} == {2}
    platform.kill("customers")  # wherever it is with its keys and hashes: it goes on
    platform.wait_ready("customers")
    hashes.found_as_before(jane, nancy)
    wait_until(lambda: not any(one["behind"] + one["old_hashes"] for one in status(platform).values()))
    assert hashes.left(), "what is known of before is good until the trim"
    hashes.found_as_before(jane, nancy)
    waits(platform, f"marks of {left + 2} identifiers")
    assert following(platform) == Step.MARK
    assert status(platform)["customers"]["unmarked"] == left + 2
    checked = nancy.post("/api/customers/imports/check", content=table(older[:1]), headers={"Content-Type": "text/csv"})
    assert checked.raise_for_status().json()["forgotten"] == 1
    waits(platform, f"marks of {left + 1} identifiers")  # nobody decided to give the other up
    waits(platform, "a set taken now", *GIVE_UP)  # without a drill nothing is trimmed
    assert backups.drill(michael, before["id"])["state"] == "passed"
    waits(platform, "a set taken now", *GIVE_UP)  # and a set from before proves nothing
    assert {one["opens"] for one in status(platform).values()} == {1} and old_keys[alive] != wrapped(platform, people[alive])

    now = backups.take(michael)
    drilled = backups.drill(michael, now["id"])
    assert all(backups.check(drilled, f"keys/{one}")["says"].endswith("lowest version 2") for one in ("customers", "identity"))
    assert await beginning(platform) == Step.REHEARSE
    assert following(platform) == Step.MARK, "it is said each time"
    code, said = rotate(platform, *GIVE_UP)
    assert code == AWAY and "oldest" in said["waits_for"] and {one["opens"] for one in status(platform).values()} == {1}
    wait_until(lambda: any(check["name"].startswith("carried/") for one in drills(michael) for check in one["checks"]), 300)
    (oldest,) = [one for one in drills(michael) if any(check["name"].startswith("carried/") for check in one["checks"])]
    assert oldest["backup_id"] < now["id"] and oldest["state"] == "passed", "the oldest, with the keys of the newest"
    assert await beginning(platform) == Step.TRIM, "killed here, it goes on here"
    assert rotate(platform)[0] == AWAY and {one["opens"] for one in status(platform).values()} == {1}
    assert rotate(platform, *GIVE_UP) == (0, {"done": True, "waits_for": None})
    kept = status(platform)
    assert {kept[holder]["opens"] for holder in HOLDERS} == {2} and kept["backup"]["opens"] == 1
    (event,) = await told(platform.state, "kept.backup.horizon.moved.v1", "kept.backup", lambda e: True)
    assert event.data == {"keys": {kek(one): 2 for one in HOLDERS}, "drill_id": drilled["id"]}

    # Everybody is found as before, and whoever has an old locator or index in hand finds nobody.
    wait_until(lambda: not hashes.left())
    computed = await hashes.computed()
    wait_until(lambda: hashes.known_to_audit(computed))
    assert findable.versions(findable.found(platform, alive, people[alive]).locators) == {2}
    hashes.found_as_before(jane, nancy)

    wait_until(lambda: not old_locators_of_the_forgotten(platform))
    assert status(platform)["customers"]["unmarked"] <= left
    assert imported(nancy, older[0])["forgotten"] == 1, "an old file brought them back, though a file had been checked"

    # With every old keyring in hand, and the services' own rights in Vault, nobody of it is opened.
    vault = Vault.of(settings_of("customers"))
    for key in old_keys.values():
        with pytest.raises(InvariantError):
            await vault.decrypt("kept-customers", [key])

    assert found(jane, alive)[0]["fields"]["first_name"]["value"] and found(jane, gone) == []
    assert imported(nancy, gone)["forgotten"] == 1 and found(jane, gone) == [], "the old file brought them back"
    # A set from before: its own keyring opens nothing, the living have their keys of the newest set, and nobody erased has one.
    # Whoever was erased after the newest drilled set, and whom it never knew, is named.
    erased(platform, later)
    left_out = {(people[later], "erased_since"), (stranger, "unlisted")}

    def drilled_again() -> dict[str, Any] | None:
        done = backups.drill(michael, before["id"])  # backup hears of an erasure over the bus, a moment after it
        return done if left_out <= {(one["subject"], one["why"]) for one in done["left_out"]["people"]} else None

    drilled = wait_for(drilled_again, f"backup to hear of {people[later]}", 120)
    assert drilled["state"] == "passed" and backups.check(drilled, "carried/customers")["passed"], drilled
    assert not {people[gone], people[alive]} & {one["subject"] for one in drilled["left_out"]["people"]}
    assert backups.check(drilled, "left-out")["says"].startswith(f"{drilled['left_out']['erased_since']} erased after")
    with restored(platform, before["id"]) as root:
        async with scratch.serving(scratch.Scratch(root), Postgres(programs())) as place:
            rows = {subject: (key, name) for subject, key, name in people_in(place, list(people.values()))}
            remembered = marks_in(place)
    restore = michael.get("/api/backup/restores").raise_for_status().json()["items"][0]
    assert left_out <= {(one["subject"], one["why"]) for one in restore["left_out"]["people"]}
    assert rows[people[gone]][0] is None and rows[people[later]][0] is None
    (mark,) = await Marks(vault, KEY, PREFIX).of([external_number(gone)])
    assert mark in remembered, "an old file would bring them back into what was restored"
    (secret,) = await vault.decrypt("kept-customers", [str(rows[people[alive]][0])])
    where = Place("customers", "customers", "first_name", people[alive])
    assert open_(DataKey(1, secret), where, rows[people[alive]][1]) == "Made"
    assert platform.kept("audit", "verify").returncode == 0


def erased(platform: Platform, number: str) -> None:
    """The person asks, two people agree, every holder has erased."""
    person = Person(platform.origin, email(number))
    person.ask("erasure")
    person.prove()
    person.until("it waits for two people to decide")
    approve(platform, person.request_id, "nancy", "andrew")
    person.until("Download the certificate")


def keyed(platform: Platform, subject: str, wrapped: str | None) -> None:
    """A key in customers' keyring of somebody who has nothing else there; or none."""
    with Insider(platform.state, "customers").connect("customers") as connection:
        if wrapped is None:
            connection.execute("DELETE FROM data_keys WHERE subject = %s", (subject,))
        else:
            connection.execute("INSERT INTO data_keys (subject, version, wrapped) VALUES (%s, 1, %s)", (subject, wrapped))


async def forgotten_by_older_software(platform: Platform, *those: str) -> None:
    """Of each customer number a locator is left, and no mark."""
    made = await locators_of(platform, *(external_number(one) for one in those))
    with Insider(platform.state, "customers").connect("customers") as connection:
        for one in made:
            connection.execute("INSERT INTO forgotten_numbers (locator, forgotten_at) VALUES (%s, now())", (one,))


def external_number(one: str) -> Identifier:
    return "external", external("customer", Number(one))


def old_locators_of_the_forgotten(platform: Platform) -> int:
    with Insider(platform.state, "customers").connect("customers") as connection:
        query = "SELECT count(*) FROM forgotten_numbers WHERE locator LIKE 'loc_1_%'"
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def people_in(place: scratch.Scratch, subjects: list[str]) -> list[tuple[str, str | None, bytes]]:
    """(subject, wrapped key, sealed first name) in a restored database."""
    query = """SELECT c.id, k.wrapped, c.first_name FROM customers c JOIN data_keys k ON k.subject = c.id AND k.current
        WHERE c.id = ANY(%s)"""
    with psycopg.connect(place.conninfo("customers")) as connection:
        return [(str(one), key, bytes(name)) for one, key, name in connection.execute(query, (subjects,)).fetchall()]


def marks_in(place: scratch.Scratch) -> set[str]:
    """Who was forgotten, as a restored database knows it."""
    with psycopg.connect(place.conninfo("customers")) as connection:
        return {str(one) for (one,) in connection.execute("SELECT mark FROM forgotten").fetchall()}


async def beginning(platform: Platform) -> Step:
    """What the next `kept keys rotate` begins with."""
    settings = settings_of("backup")
    base = await ground_now(settings, TABLES)
    try:
        store = PosixStore(settings.state_dir / "store")
        return await Rotation(
            operator("rotation"), base.door, store, base.signer(), ROTATED, all_settled, unmarked, leave_unmarked=True
        ).look()
    finally:
        await base.engine.dispose()
