"""Packages over real HTTP: whoever lets many be locked at once keeps nobody from the portal, and gets one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from pyrage import passphrase

from tests.support.platform import Platform
from tests.support.portal import Person

pytestmark = pytest.mark.platform


def test_many_locked_downloads_at_once_hold_no_connection(platform: Platform) -> None:
    person = Person(platform.origin, "nobody.whom.kept.knows@example.org")
    person.ask("access")
    person.prove()
    person.until("Download my data")
    request, cookies = person.request_id, dict(person.http.cookies)

    def download(number: int) -> tuple[int, bytes, str]:
        mine = Person(platform.origin, person.email)
        mine.http.cookies.update(cookies)
        form = {"passphrase": f"correct horse {number % 2}"}
        answer = mine.http.post(f"/requests/{request}/package", data=form, timeout=120)
        return answer.status_code, answer.content, answer.headers.get("retry-after", "")

    def other(_: int) -> int:
        return Person(platform.origin, person.email).http.get("/requests/req_" + "0" * 32, timeout=120).status_code

    with ThreadPoolExecutor(60) as pool:
        found, others = list(pool.map(download, range(40))), list(pool.map(other, range(20)))
    assert {status for status, _, _ in found} == {200, 429}, "one lock is made, the other is told to come again"
    assert set(others) == {200}
    assert all(again for status, _, again in found if status == 429)
    for number, (status, content, _) in enumerate(found):
        if status == 200:
            assert passphrase.decrypt(content, f"correct horse {number % 2}")[:2] == b"PK"
            break
    assert "delivered" in person.page()
    person.http.post(f"/requests/{request}/close")
