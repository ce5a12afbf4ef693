"""The judge of the chaos tests. It looks from outside only: at the tables, the topics and the published log, which must tell
one story."""

from collections import Counter
from collections.abc import Sequence

import httpx

from deploy.local.catalog import ANSWERING
from services.audit.log.entry import Kind
from tests.support import logbook
from tests.support.chaos import SERVICES, Importer
from tests.support.insider import Insider, wait_until
from tests.support.made_up import STEVE, table
from tests.support.platform import Platform
from tests.support.staff import token
from tests.support.topic import Seen, whole

TOPICS = (
    *(f"kept.{service}" for service in SERVICES),
    "kept.dsar.commands",
    *(f"kept.dsar.answers.{one}" for one in ANSWERING),
)
CREATED, UPDATED = "kept.customers.customer.created.v1", "kept.customers.customer.updated.v1"
OTHERS = ("kept.customers.kernel.",)  # written by tests of the kernel, from outboxes of their own
SETTLE_SECONDS_MAX = 120.0
ROWS_MAX = 2_000  # of one file


def ask(platform: Platform, service: str, query: str) -> list[tuple[object, ...]]:
    with Insider(platform.state, service).connect(service) as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]  # type: ignore[call-overload]  # fixed texts


def waiting(platform: Platform, service: str) -> int:
    """Events of a service that wait in its outbox."""
    return int(str(ask(platform, service, "SELECT count(*) FROM outbox WHERE published_at IS NULL")[0][0]))


async def judge(platform: Platform, importer: Importer) -> None:
    """Tables, topics and log must tell one story, once everything has come to rest."""
    _answered_for(platform, importer)
    for service in SERVICES:
        wait_until(lambda s=service: waiting(platform, s) == 0, seconds=SETTLE_SECONDS_MAX)  # type: ignore[misc]
    # Audit goes on telling of its own log, so: what was published before the topics are read must be on them.
    before = _written(platform, "WHERE published_at IS NOT NULL")
    topics = {topic: await _read(platform, topic) for topic in TOPICS}
    _state_and_events(platform, topics["kept.customers"])
    _outboxes_and_topics(topics, before, _written(platform))
    for topic, records in topics.items():
        _order(topic, records)
        _leaves(platform, topic, records)
    checked = platform.kept("audit", "verify")
    assert checked.returncode == 0, checked.stdout[-2000:] + checked.stderr[-2000:]


def _answered_for(platform: Platform, importer: Importer) -> None:
    """Who was imported is there: the same files again make nobody."""
    headers = {"Authorization": f"Bearer {token(platform, 'nancy')}"}
    with httpx.Client(base_url=platform.origin, headers=headers, timeout=30) as http:
        for start in range(0, len(importer.made), ROWS_MAX):
            people = importer.made[start : start + ROWS_MAX]
            again = http.post("/api/customers/imports", content=table(people, STEVE)).raise_for_status().json()
            assert (again["created"], again["already_there"]) == (0, len(people))


async def _read(platform: Platform, topic: str) -> list[Seen]:
    return [one for one in await whole(platform.state, topic) if not one.envelope.type.startswith(OTHERS)]


def _state_and_events(platform: Platform, records: Sequence[Seen]) -> None:
    """Every customer has one `created`, and no event is without its customer."""
    told = Counter(one.envelope.subject for one in records if one.envelope.type == CREATED)
    there = {str(row[0]) for row in ask(platform, "customers", "SELECT id FROM customers")}
    gone = {str(row[0]) for row in ask(platform, "customers", "SELECT subject FROM data_keys WHERE shredded_at IS NOT NULL")}
    assert there <= set(told), f"{len(there - set(told))} customers without their event"
    assert set(told) <= there | gone, f"{len(set(told) - there - gone)} events without their customer"
    assert set(told.values()) <= {1}, "somebody was created twice"


def _written(platform: Platform, where: str = "") -> set[tuple[str, str]]:
    """(topic, ce_id) of what the services committed."""
    rows = [row for service in SERVICES for row in ask(platform, service, f"SELECT topic, ce_id FROM outbox {where}")]
    return {(str(topic), str(ce_id)) for topic, ce_id in rows}


def _outboxes_and_topics(topics: dict[str, list[Seen]], before: set[tuple[str, str]], after: set[tuple[str, str]]) -> None:
    """What any service committed lies on its topic, and once."""
    lies = Counter((topic, one.envelope.id) for topic, records in topics.items() for one in records)
    twice = [key for key, times in lies.items() if times > 1]
    assert not twice, f"{len(twice)} events lie on their topic twice: {twice[:3]}"
    missing = before - set(lies)
    assert not missing, f"{len(missing)} committed events are on no topic: {sorted(missing)[:3]}"
    alien = {key for key in lies if key[0] == "kept.customers"} - after
    assert not alien, f"{len(alien)} events were never committed: {sorted(alien)[:3]}"


def _order(topic: str, records: Sequence[Seen]) -> None:
    """One key, one partition; a customer is created first, then changed, version by version."""
    for key, mine in _by_key(records).items():
        assert len({one.partition for one in mine}) == 1, f"{topic}: {key} lies on several partitions"
        mine.sort(key=lambda one: one.offset)
        changes = [one.envelope for one in mine if one.envelope.type in (CREATED, UPDATED)]
        if changes:
            assert changes[0].type == CREATED, f"{topic}: {key} was changed before it was there"
            versions = [one.data["version"] for one in changes[1:]]
            assert versions == list(range(2, 2 + len(versions))), f"{topic}: {key} changed in the order {versions}"


def _by_key(records: Sequence[Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for one in records:
        found.setdefault(one.key, []).append(one)
    return found


def _leaves(platform: Platform, topic: str, records: Sequence[Seen]) -> None:
    """Every event is one leaf, at the index that its offset gives; no leaf is a gap."""
    for partition in sorted({one.partition for one in records}):
        shard, mine = f"{topic}/{partition}", [one for one in records if one.partition == partition]
        last = max(one.offset for one in mine)
        wait_until(lambda s=shard, n=last: logbook.size(platform.origin, s) > n, seconds=SETTLE_SECONDS_MAX)  # type: ignore[misc]
        leaves = list(logbook.entries(platform.origin, shard))
        assert all(leaf.kind is not Kind.GAP for leaf in leaves), f"{shard}: a gap"
        assert [leaf.place.offset for leaf in leaves] == list(
            range(leaves[0].place.offset, leaves[0].place.offset + len(leaves))
        )
        found = {leaf.place.offset: leaf.header("ce_id") for leaf in leaves}
        stored_beside = {leaf.place.offset for leaf in leaves if leaf.kind is Kind.LARGE}  # `kept audit verify` opens those
        other = [
            o for o, ce_id in ((m.offset, m.envelope.id) for m in mine) if found.get(o) != ce_id and o not in stored_beside
        ]
        assert not other, f"{shard}: {len(other)} leaves are not the record of their offset: {other[:3]}"
