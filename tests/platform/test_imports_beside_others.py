"""A file of the largest size keeps nobody else waiting, and who may not import is told so before a byte of it is read."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from shared.sheets import CELLS_MAX, FILE_BYTES_MAX
from tests.support.made_up import HEADER, numbers, table
from tests.support.platform import Platform
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform
CHECK = "/api/customers/imports/check"
ROWS = 5_000
ROUNDS = 4  # a service that reads the file where it answers gets in one before it begins, and one at its end


@pytest.fixture
def nancy(platform: Platform) -> Iterator[httpx.Client]:
    with signed_in(platform, "nancy") as client:
        client.timeout = httpx.Timeout(300)
        yield client


def largest() -> bytes:
    """As many rows and cells as are taken, and the last row is wrong: once it is read there is nothing more to do."""
    *rows, last = table(numbers(ROWS)).decode().splitlines()
    more = CELLS_MAX // ROWS - len(HEADER) - 5
    names, cells = "".join(f",more {n}" for n in range(more)), ",something" * more
    return "\n".join([rows[0] + names, *(row + cells for row in rows[1:]), last.replace("@", " at ") + cells]).encode()


@pytest.mark.parametrize("path", ["/api/customers/imports", CHECK])
def test_who_may_not_import_is_told_so_whatever_the_file_is(platform: Platform, path: str) -> None:
    """Robert is of IT. What he sends is no table, and nobody has looked."""
    with signed_in(platform, "robert") as robert:
        robert.timeout = httpx.Timeout(120)
        for key in ({}, {"Idempotency-Key": f"{'k' * 20}"}):
            assert robert.post(path, content=b"\0" * (FILE_BYTES_MAX - 1), headers=key).status_code == 403


def test_others_are_answered_while_the_largest_file_is_read(platform: Platform, nancy: httpx.Client) -> None:
    body, sent, answers = largest(), threading.Event(), list[httpx.Response]()
    assert len(body) < FILE_BYTES_MAX

    def upload() -> Iterator[bytes]:
        yield body
        sent.set()

    def check() -> None:
        answers.append(
            nancy.post(CHECK, content=upload(), headers={"Content-Type": "text/csv", "Content-Length": str(len(body))})
        )

    with signed_in(platform, "jane") as jane:
        jane.timeout = httpx.Timeout(120)
        reading = threading.Thread(target=check)
        reading.start()
        assert sent.wait(60)
        rounds = 0
        while reading.is_alive():
            found = [
                jane.get("/api/customers", params={"limit": 1}).status_code,
                httpx.get(f"http://127.0.0.1:{platform.ports['customers']}/readyz", timeout=120).status_code,
            ]
            assert found == [200, 200]
            rounds += not answers
        reading.join()
    assert answers[0].status_code == 422 and f"row {ROWS}, column Email" in answers[0].json()["detail"]
    assert rounds >= ROUNDS, f"only {rounds} answers for others came before the one to the file"


def test_files_of_one_person_at_once_are_read_one_after_the_other(platform: Platform, nancy: httpx.Client) -> None:
    body, found = largest(), list[int]()

    def check() -> None:
        with signed_in(platform, "nancy") as client:
            client.timeout = httpx.Timeout(300)
            found.append(client.post(CHECK, content=body).status_code)

    threads = [threading.Thread(target=check) for _ in range(4)]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        assert nancy.get("/api/customers", params={"limit": 1}).status_code == 200
    assert set(found) <= {422, 429} and 422 in found
