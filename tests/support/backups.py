"""What the promise tests do with backups: over HTTP, as the people whose task it is."""

from typing import Any

import httpx

from tests.support.platform import Platform
from tests.support.portal import wait_for
from tests.support.staff import signed_in


def take(operator: httpx.Client) -> dict[str, Any]:
    """A whole set."""
    return _ended(operator, "sets", operator.post("/api/backup/sets"), "taking")


def drill(operator: httpx.Client, backup_id: str) -> dict[str, Any]:
    """A drill with its verdict."""
    return _ended(operator, "drills", operator.post("/api/backup/drills", json={"backup_id": backup_id}), "running")


def restore(operator: httpx.Client, backup_id: str, grant: str) -> dict[str, Any]:
    asked = {"backup_id": backup_id, "grant": grant}
    return _ended(operator, "restores", operator.post("/api/backup/restores", json=asked), "running")


def granted(platform: Platform, action: str, resource: str) -> str:
    """Michael asks, Andrew and Nancy agree, Michael fetches the grant."""
    return granted_to(platform, "michael", action, resource)


def granted_to(platform: Platform, who: str, action: str, resource: str) -> str:
    """`who` asks, Andrew and Nancy agree, `who` fetches the grant."""
    operator = signed_in(platform, who)
    asked = operator.post("/api/identity/approvals", json={"action": action, "resource": resource})
    asked.raise_for_status()
    approval = f"/api/identity/approvals/{asked.json()['id']}"
    for name in ("andrew", "nancy"):
        signed_in(platform, name).post(f"{approval}/approve").raise_for_status()
    answer = operator.get(f"{approval}/grant")
    answer.raise_for_status()
    return str(answer.json()["grant"])


def check(drilled: dict[str, Any], name: str) -> dict[str, Any]:
    """One check of a drill."""
    (found,) = [one for one in drilled["checks"] if one["name"] == name]
    return dict(found)


def _ended(operator: httpx.Client, kind: str, begun: httpx.Response, busy: str) -> dict[str, Any]:
    assert begun.status_code == 202, begun.text
    path = f"/api/backup/{kind}/{begun.json()['id']}"

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = operator.get(path).raise_for_status().json()
        return None if found["state"] == busy else found

    return dict(wait_for(look, f"{path} to end", 120))
