"""P5. Fail closed: without Vault no plaintext is served and nothing is written unencrypted; work resumes by itself.
Without Kafka writes still commit, and are published later.

The processes of the services must live through all of it: their ids are compared before and after.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest

from tests.support.insider import Insider, sealed, wait_until
from tests.support.people import customers, personal_values
from tests.support.platform import Platform
from tests.support.staff import credentials, signed_in

pytestmark = pytest.mark.platform
SERVICES = ("identity", "customers", "audit", "backup", "dsar")
PARTS = ("vault", "postgres", "kafka", "gateway", *SERVICES)
ANSWER_SECONDS_MAX = 20.0  # a refusal may take as long as a timeout, not for ever
CLEAR = {value for value in personal_values().values() if len(value) > 5}


@pytest.fixture(autouse=True)
def same_processes(platform: Platform) -> Iterator[None]:
    """Nothing is restarted: what resumes, resumes by itself."""
    platform.wait_ready(*PARTS)
    before = pids(platform)
    yield
    platform.wait_ready(*PARTS)
    assert pids(platform) == before


def pids(platform: Platform) -> dict[str, int]:
    return {name: process.pid for name in SERVICES if (process := platform.process(name))}


class Record:
    """A customer whose city is corrected, and put back."""

    row = customers()[40]

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        page = client.post("/api/customers/search", json={"email": self.row["Email"]}).raise_for_status().json()
        self.path = f"/api/customers/{page['items'][0]['id']}"

    def etag(self) -> str:
        return str(self.client.get(self.path).raise_for_status().headers["etag"])

    def move(self, city: str, etag: str) -> httpx.Response:
        return self.client.patch(self.path, json={"fields": {"city": city}}, headers={"If-Match": etag})


def sign_in_at(platform: Platform) -> httpx.Response:
    secret = credentials(platform.state, "robert")
    body = {"email": secret["email"], "password": secret["password"], "code": "000000"}
    return httpx.post(f"{platform.origin}/api/identity/sessions", json=body, timeout=30)


def refused(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The 503 that `ask` gets, in time, with Retry-After and without a single personal value."""
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < ANSWER_SECONDS_MAX
    assert answer.status_code == 503, (answer.status_code, answer.text[:300])
    assert int(answer.headers["retry-after"]) > 0
    assert not [value for value in CLEAR if value in answer.text]
    return answer


def away(platform: Platform, how: str) -> AbstractContextManager[None]:
    return sealed(platform.state) if how == "sealed" else platform.paused("vault")


@pytest.mark.parametrize("how", ["sealed", "hanging"])
def test_without_vault_nothing_is_served_and_nothing_written(platform: Platform, how: str) -> None:
    nancy, robert = signed_in(platform, "nancy"), credentials(platform.state, "robert")
    record = Record(nancy)
    before = record.etag()  # its key is in memory now
    assert nancy.get("/account").status_code == 200
    with away(platform, how):
        time.sleep(2.5)  # a yes about Vault may be a second old
        refused(lambda: nancy.get("/api/customers"))
        refused(lambda: nancy.get(record.path))
        refused(lambda: nancy.get("/account"))
        refused(lambda: record.move("Elsewhere", before))
        guess = {"email": robert["email"], "password": "x", "code": "000000"}
        refused(lambda: nancy.post("/api/identity/sessions", json=guess))
        ready = httpx.get(f"http://127.0.0.1:{platform.ports['identity']}/readyz", timeout=30)
        assert ready.status_code == 503 and "vault" in ready.json()["waits_for"]
    wait_until(lambda: nancy.get("/api/customers").status_code == 200)
    wait_until(lambda: nancy.get("/account").status_code == 200)
    assert record.etag() == before, "what was refused must not be there"
    assert wait_until(lambda: sign_in_at(platform).status_code in (401, 429))


def test_what_is_sent_again_after_the_absence_is_written_once(platform: Platform) -> None:
    record = Record(signed_in(platform, "nancy"))
    before = record.etag()
    with sealed(platform.state):
        time.sleep(1.5)
        refused(lambda: record.move("Elsewhere", before))
    moved = wait_until(lambda: (answer := record.move("Elsewhere", before)).status_code != 503 and answer)
    assert moved.status_code == 200, moved.text
    assert record.move("Nowhere", before).status_code == 412, "the version before is gone: written, and once"
    assert record.move(Record.row["City"], moved.headers["etag"]).status_code == 200


def ask_for_two(platform: Platform, resource: str) -> httpx.Response:
    return signed_in(platform, "michael").post("/api/identity/approvals", json={"action": "restore", "resource": resource})


def unpublished(platform: Platform, resource: str) -> bool:
    """Whether the outbox holds the event of `resource` and does not believe it published."""
    with Insider(platform.state, "identity").connect("identity") as database:
        row = database.execute(
            "SELECT published_at IS NULL FROM outbox WHERE convert_from(value, 'UTF8')::json->>'resource' = %s", [resource]
        ).fetchone()
    assert row is not None, "the event must be in the outbox as soon as the write is there"
    return bool(row[0])


async def on_the_bus(platform: Platform, resource: str, seconds: float) -> int:
    """How often the event of `resource` stands in the topic; waits until it stands there at all."""
    consumer = Insider(platform.state, "audit").consumer("kept.identity")
    await consumer.start()
    seen, until = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            records = [one for part in (await consumer.getmany(timeout_ms=1000)).values() for one in part]
            seen += sum(resource.encode() in (one.value or b"") for one in records)
            if seen and not records:
                return seen
    finally:
        await consumer.stop()
    return seen


@pytest.mark.parametrize("how", ["hanging", "killed"])
async def test_without_kafka_writes_commit_and_are_published_later_once(platform: Platform, how: str) -> None:
    resource = f"bak_{uuid.uuid4().hex}"
    signed_in(platform, "michael")
    if how == "hanging":
        with platform.paused("kafka"):
            assert ask_for_two(platform, resource).status_code == 201
            time.sleep(3)
            assert unpublished(platform, resource)
            listed = signed_in(platform, "michael").get("/api/identity/approvals").json()["items"]
            assert resource in [one["resource"] for one in listed]
    else:
        platform.kill("kafka")
        assert ask_for_two(platform, resource).status_code == 201
    wait_until(lambda: not unpublished(platform, resource), seconds=120)
    assert await on_the_bus(platform, resource, seconds=60) == 1
