"""A rolling upgrade: processes of the released version go on beside today's, on the database that today's have migrated. What
either writes the other reads, a key destroyed by one opens for neither, and what both wrote is there when the older have ended.

identity and customers. Of the other three the older processes are stopped first (CHANGELOG, "At the upgrade"), and
test_expands.py shows what the databases say to those that are not. dsar's are refused: their mails and codes are not there any
more. audit's find all that they know; but the log's rule has versions, so one may seal what the other stores as it came, and
the store refuses the second one's bytes (`put_same`). backup's find all that they know; but what one of them was asked for,
today's begins as well, as it goes by the rows: the set or drill may fail, and only a set that passed a drill counts.
"""

import asyncio
import csv
import io
import json
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.state import REPOSITORY, State
from shared.clock import SystemClock, rfc3339
from shared.ids import new_event_id
from tests.support.insider import Insider, wait_until
from tests.support.platform import CHINOOK
from tests.upgrade.installation import notes
from tests.upgrade.side import Side, servers, side

pytestmark = pytest.mark.platform
API = "/api/customers"
MADE = ("then@example.com", "now@example.com")
ERASED = {"hholy@gmail.com": 1, "astrid.gruber@apple.at": 2}  # by the version of the command: which side knows it


@pytest.fixture(scope="module")
def state() -> Iterator[State]:
    with servers() as found:
        yield found


def people(http: httpx.Client) -> set[str]:
    return {one["id"] for one in http.get(API, params={"limit": 200}).raise_for_status().json()["items"]}


def named(http: httpx.Client, email: str) -> dict[str, object]:
    """Whom the address finds; whom the older version brings is given to their representative within some seconds."""

    def found() -> list[dict[str, object]]:
        items: list[dict[str, object]] = http.post(f"{API}/search", json={"email": email}).raise_for_status().json()["items"]
        return items

    (one,) = wait_until(found)
    return dict(one)


def bring(http: httpx.Client, number: int, email: str) -> None:
    """A file with one new customer, Jane's."""
    first = next(csv.DictReader((CHINOOK / "customer.csv").open(encoding="utf-8")))
    row = {**dict.fromkeys(first, ""), "CustomerId": number, "FirstName": "Ada", "LastName": "Byron", "Email": email}
    out = io.StringIO()
    table = csv.DictWriter(out, list(first))
    table.writeheader()
    table.writerow(row | {"SupportRepId": "3", "Country": "Ireland"})
    answer = http.post(
        f"{API}/imports",
        content=out.getvalue().encode(),
        headers={"Content-Type": "text/csv", "X-Purpose": "import"},
        timeout=60,
    )
    assert answer.raise_for_status().json()["created"] == 1


def correct(http: httpx.Client, email: str, city: str) -> None:
    one = named(http, email)
    answer = http.patch(f"{API}/{one['id']}", json={"fields": {"city": city}}, headers={"If-Match": f'"{one["version"]}"'})
    assert answer.status_code == httpx.codes.OK, answer.text


def city(http: httpx.Client, email: str) -> object:
    return named(http, email)["fields"]["city"]["value"]  # type: ignore[index]


def test_a_rolling_upgrade(state: State) -> None:
    with side(state, state.root / "code") as then:
        nancy = then.signed_in("nancy")
        before = people(then.customers(nancy))
        assert before == set().union(*notes()["owned"].values())
        with side(state, REPOSITORY) as now:
            jane = now.signed_in("jane")
            old, new = then.customers(nancy), now.customers(nancy)
            assert people(old) == people(new) == before, "a session of then's identity counts for both"
            assert people(then.customers(jane)) == people(now.customers(jane)) == set(notes()["owned"]["jane"])
            either_writes(then, now, nancy, jane)
            gone = {asyncio.run(erased(state, email, version)) for email, version in ERASED.items()}
            assert not gone & people(old) and not gone & people(new), "each by one, and for both"
            then.end()
            made = {named(new, email)["id"] for email in MADE}
            assert people(new) == before - gone | made and len(made) == 2
            wait_until(lambda: waiting(state) == 0)


def either_writes(then: Side, now: Side, nancy: str, jane: str) -> None:
    old, new = then.customers(nancy), now.customers(nancy)
    for number, (email, one) in enumerate(zip(MADE, (old, new), strict=True), 70):
        bring(one, number, email)
    for email in MADE:
        ids = {str(named(one.customers(jane), email)["id"]) for one in (then, now)}
        assert len(ids) == 1, "found at both, and Jane's at both"
    correct(then.customers(jane), "ftremblay@gmail.com", "Laval")
    assert city(now.customers(jane), "ftremblay@gmail.com") == "Laval"
    correct(now.customers(jane), "ftremblay@gmail.com", "Montréal")
    assert city(then.customers(jane), "ftremblay@gmail.com") == "Montréal"
    correct(now.customers(jane), "then@example.com", "Cork")
    correct(then.customers(jane), "now@example.com", "Kerry")
    assert (city(old, "then@example.com"), city(new, "now@example.com")) == ("Cork", "Kerry")


async def erased(state: State, email: str, version: int) -> str:
    """dsar's command, on every partition, for whoever reads it; until the key is destroyed. The subject."""
    subject: str = notes()["addresses"][email]
    insider = Insider(state, "dsar")
    body = {"request_id": f"req_{version}", "approval_id": "apr_side"} | ({"holders": ["customers"]} if version == 2 else {})
    headers = {
        "ce_specversion": "1.0", "ce_type": f"kept.dsar.command.erase.v{version}", "ce_source": "/services/dsar",
        "ce_time": rfc3339(SystemClock().now()), "ce_subject": subject, "ce_actor": "system:dsar",
        "content-type": "application/json",
    }  # fmt: skip
    producer = insider.producer()
    await producer.start()
    for partition in range(3):
        pairs = [(name, value.encode()) for name, value in (headers | {"ce_id": new_event_id()}).items()]
        value = json.dumps(body).encode()
        await producer.send_and_wait("kept.dsar.commands", value, key=b"req", partition=partition, headers=pairs)
    await producer.stop()
    with Insider(state, "customers").connect("customers") as database:
        database.autocommit = True
        for query in (
            "SELECT FROM shredded WHERE subject = %s",
            "SELECT FROM data_keys WHERE subject = %s AND wrapped IS NULL",
        ):
            wait_until(lambda query=query: database.execute(query, (subject,)).rowcount == 1)  # type: ignore[misc]
        assert database.execute("SELECT FROM keyring WHERE subject = %s", (subject,)).rowcount == 0
    return subject


def waiting(state: State) -> int:
    """Events that nobody has sent."""
    found = 0
    for name in ("identity", "customers"):
        with Insider(state, name).connect(name) as database:
            (count,) = database.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone() or (0,)
            found += int(count)
    return found
