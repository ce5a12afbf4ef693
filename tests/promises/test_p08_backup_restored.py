"""P8. A backup counts only after it was restored: a drill restores it elsewhere, checks it, and says so in an event."""

import shutil
from typing import Any

import httpx
import pytest

from services.backup.formats import report
from shared.notes.note import verify_note
from tests.support import backups
from tests.support.insider import Insider
from tests.support.platform import Platform
from tests.support.staff import signed_in
from tests.support.topic import of_type, told

pytestmark = pytest.mark.platform
PASSED, FAILED = "kept.backup.drill.passed.v1", "kept.backup.drill.failed.v1"


@pytest.fixture(scope="module")
def operator(platform: Platform) -> httpx.Client:
    return signed_in(platform, "michael")


@pytest.fixture(scope="module")
def taken(operator: httpx.Client) -> dict[str, Any]:
    return backups.take(operator)


def test_a_set_that_was_not_restored_does_not_count(platform: Platform, operator: httpx.Client, taken: dict[str, Any]) -> None:
    assert taken["state"] == "taken", taken
    grant = backups.granted(platform, "restore", taken["id"])
    refused = operator.post("/api/backup/restores", json={"backup_id": taken["id"], "grant": grant})
    assert refused.status_code == 409, refused.text


async def test_a_drill_makes_it_count_and_signs_what_it_saw(
    platform: Platform, operator: httpx.Client, taken: dict[str, Any]
) -> None:
    drilled = backups.drill(operator, taken["id"])
    assert drilled["state"] == "passed", drilled["checks"]
    assert {"manifest", "parts", "files", "structure", "opens/customers", "everyone/customers"} <= {
        one["name"] for one in drilled["checks"]
    }
    note = operator.get(f"/api/backup/drills/{drilled['id']}/report").text
    said = report.parse(verify_note(note, operator.get("/api/backup/keys").text.split()))
    assert said.passed and said.manifest_sha256 == taken["manifest_sha256"]
    assert operator.get(f"/api/backup/sets/{taken['id']}").json()["state"] == "drilled"
    (event,) = await told(platform.state, PASSED, "kept.backup", lambda e: e.data["drill_id"] == drilled["id"])
    assert event.data["backup_id"] == taken["id"] and all(event.data["checks"].values())


async def test_one_flipped_bit_fails_the_drill(platform: Platform, operator: httpx.Client) -> None:
    damaged = backups.take(operator)
    part = platform.state.root / "blobs/backup/store/sets" / damaged["id"] / "parts/00000000"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.chmod(0o600)
    part.write_bytes(data)
    drilled = backups.drill(operator, damaged["id"])
    assert drilled["state"] == "failed"
    assert backups.check(drilled, "restores") == {"name": "restores", "passed": False, "says": "tampered"}
    await does_not_count(platform, operator, damaged, drilled)


async def does_not_count(platform: Platform, operator: httpx.Client, damaged: dict[str, Any], drilled: dict[str, Any]) -> None:
    """A failed drill leaves the set as it was, nobody can restore it, and the event says so."""
    assert operator.get(f"/api/backup/sets/{damaged['id']}").json()["state"] == "taken"
    grant = backups.granted(platform, "restore", damaged["id"])
    refused = operator.post("/api/backup/restores", json={"backup_id": damaged["id"], "grant": grant})
    assert refused.status_code == 409, refused.text
    await told(platform.state, FAILED, "kept.backup", lambda e: e.data["drill_id"] == drilled["id"])
    passed = await of_type(platform.state, PASSED, "kept.backup")
    assert damaged["id"] not in [one.data["backup_id"] for one in passed]


async def test_a_person_whose_key_was_lost_fails_the_drill(platform: Platform, operator: httpx.Client) -> None:
    """Every file is whole and every bit as it was; only that one person could never be read again."""
    with Insider(platform.state, "customers").connect("customers") as connection:
        row = connection.execute("DELETE FROM data_keys WHERE subject IN (SELECT min(id) FROM customers"
                                 " WHERE erased_at IS NULL) RETURNING subject, version, wrapped").fetchone()  # fmt: skip
        connection.commit()
        assert row is not None
        try:
            damaged = backups.take(operator)
        finally:
            connection.execute("INSERT INTO data_keys (subject, version, wrapped) VALUES (%s, %s, %s)", row)
            connection.commit()
    drilled = backups.drill(operator, damaged["id"])
    assert drilled["state"] == "failed", "a set in which a key is missing passed its drill"
    assert backups.check(drilled, "everyone/customers")["says"].endswith("1 lost")
    await does_not_count(platform, operator, damaged, drilled)


def test_a_drill_leaves_nothing_behind(platform: Platform, operator: httpx.Client, taken: dict[str, Any]) -> None:
    backups.drill(operator, taken["id"])
    scratch = platform.state.root / "blobs/backup/scratch"
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_a_restore_takes_two_people_and_happens_once(platform: Platform, operator: httpx.Client) -> None:
    whole = backups.take(operator)
    assert backups.drill(operator, whole["id"])["state"] == "passed"
    alone = operator.post("/api/backup/restores", json={"backup_id": whole["id"], "grant": "x.y.z"})
    assert alone.status_code == 403
    grant = backups.granted(platform, "restore", whole["id"])
    done = backups.restore(operator, whole["id"], grant)
    try:
        assert done["state"] == "finished", done
        assert (platform.state.root / "blobs/backup" / done["directory"] / "PG_VERSION").read_text().startswith("18")
        again = operator.post("/api/backup/restores", json={"backup_id": whole["id"], "grant": grant})
        assert again.status_code == 409, "a grant is used once"
    finally:
        shutil.rmtree(platform.state.root / "blobs/backup" / done["directory"].split("/data")[0], ignore_errors=True)


@pytest.mark.parametrize("name", ["jane", "nancy"])
def test_others_may_not(platform: Platform, name: str) -> None:
    somebody = signed_in(platform, name)
    assert somebody.post("/api/backup/sets").status_code == 403
