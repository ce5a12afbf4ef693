"""What every service's HTTP does alike, over the wire: done once, conditions, pages."""

from uuid import uuid4

import pytest

from tests.support.made_up import numbers, table
from tests.support.platform import Platform
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform


def test_an_import_sent_again_is_answered_as_the_first_time(platform: Platform) -> None:
    with signed_in(platform, "nancy") as nancy:
        body = table(numbers(2))
        headers = {"Content-Type": "text/csv", "Idempotency-Key": f'"{uuid4()}"'}
        first, again = (nancy.post("/api/customers/imports", content=body, headers=headers) for _ in range(2))
        assert (first.status_code, first.json()["created"]) == (201, 2)
        kept = {**first.json(), "refused_columns": ["column 4", "column 11"]}  # what somebody called them is kept nowhere
        assert (again.status_code, again.json()) == (201, kept)
        assert again.headers["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first.headers
        other = nancy.post("/api/customers/imports", content=table(numbers(1)), headers=headers)
        assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    with signed_in(platform, "andrew") as andrew:  # the key is nancy's: for anybody else it is a new one
        assert andrew.post("/api/customers/imports", content=body, headers=headers).json()["already_there"] == 2


def test_an_approval_is_asked_for_once(platform: Platform) -> None:
    with signed_in(platform, "michael") as michael:
        asked = {"action": "restore", "resource": f"bak_{uuid4().hex}"}
        key = {"Idempotency-Key": str(uuid4())}
        first, again = (michael.post("/api/identity/approvals", json=asked, headers=key) for _ in range(2))
        assert first.status_code == again.status_code == 201 and first.json() == again.json()
        assert first.headers["Location"] == again.headers["Location"]
        assert michael.get(first.headers["Location"]).json() == first.json()
        assert michael.post("/api/identity/approvals", json=asked).status_code == 409, "without the key it is another request"


def test_lists_are_paged_alike(platform: Platform) -> None:
    with signed_in(platform, "nancy") as nancy, signed_in(platform, "andrew") as andrew:
        for who, path in ((nancy, "/api/customers"), (andrew, "/api/identity/approvals"), (andrew, "/api/dsar/requests")):
            whole = who.get(path, params={"limit": 200}).raise_for_status().json()["items"][:5]
            seen: list[object] = []
            cursor: str | None = ""
            while cursor is not None and len(seen) < len(whole):
                page = who.get(path, params={"limit": 2, "cursor": cursor}).raise_for_status().json()
                assert len(page["items"]) <= 2
                seen += page["items"]
                cursor = page["next"]
            assert seen[: len(whole)] == whole, path
            assert who.get(path, params={"cursor": "'; DROP"}).status_code == 422
            assert who.get(path, params={"limit": 0}).json()["field"] == "limit"


def test_an_update_says_what_it_has_seen(platform: Platform) -> None:
    with signed_in(platform, "jane") as jane:
        path = f"/api/customers/{jane.get('/api/customers', params={'limit': 1}).json()['items'][0]['id']}"
        change = {"fields": {"city": "Porto Alegre"}}
        assert jane.patch(path, json=change).status_code == 428
        assert jane.patch(path, json=change, headers={"If-Match": '"999999"'}).status_code == 412
        assert jane.patch(path, json=change, headers={"If-Match": "1"}).json()["field"] == "If-Match"
