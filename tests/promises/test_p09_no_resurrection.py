"""P9. A restore never brings an erased person back: a set from before is restored, and everyone is there but him."""

import re
from typing import Any

import pytest

from tests.support import backups
from tests.support.people import customers
from tests.support.platform import Platform
from tests.support.portal import Person, wait_for
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform


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

    approval = wait_for(asked, "identity to open the approval")
    for name in ("andrew", "nancy"):
        signed_in(platform, name).post(f"/api/identity/approvals/{approval}/approve").raise_for_status()


def test_everyone_is_there_but_him(platform: Platform) -> None:
    operator = signed_in(platform, "michael")
    before = backups.take(operator)
    first = backups.drill(operator, before["id"])
    assert first["state"] == "passed", first["checks"]

    erase(platform, customers()[-1]["Email"])

    def heard() -> dict[str, Any] | None:
        """Backup hears of it over the bus, a moment after customers erased him."""
        drilled = backups.drill(operator, before["id"])
        return drilled if counts(drilled)[2] > counts(first)[2] else None

    second = wait_for(heard, "backup to hear of the erasure", 120)
    assert second["state"] == "passed", second["checks"]
    people, keys, shredded, lost = counts(first)
    assert counts(second) == (people, keys - 1, shredded + 1, lost), "everyone is there but him"
    assert lost == 0
    assert " 0 of them with a key" in backups.check(second, "erased/customers")["says"]
