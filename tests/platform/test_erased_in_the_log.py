"""An erased subject's entries still verify, and nobody can read their personal fields any more: neither what our own services
published about them, nor what another team published in clear and audit sealed. Every key that is left anywhere is tried.

What is not shown here, because it is not built: until the key encryption key is rotated and its old version trimmed, an older
backup of a keyring and the right to use that key together still unwrap what the backup holds.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import pytest

from deploy.local.catalog import SERVICES
from services.audit.log.entry import Entry, Kind
from services.audit.log.seal import opened
from shared.errors import TamperError
from shared.ids import new_event_id
from shared.keys.cipher import DataKey, Place, open_
from tests.promises.test_p02_one_key_per_person import bring, erase
from tests.support import logbook
from tests.support.insider import Insider, wait_until
from tests.support.made_up import email
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
SHORTEST = 40  # of a sealed value in base64: 28 octets of nonce and tag, and one of text
FOREIGN, OWN = [f"billing.events/{n}" for n in range(3)], [f"kept.customers/{n}" for n in range(3)]


@dataclass(frozen=True)
class Traces:
    """What the log holds about a subject, by the leaf's place: sealed foreign records, and our own events with fields."""

    sealed: dict[tuple[str, int], Entry]
    fields: dict[tuple[str, int], dict[str, bytes]]
    late: list[Entry]


def every_shard(platform: Platform) -> list[str]:
    """All that the log has, of every topic."""
    return httpx.get(f"{platform.origin}/log/shards", timeout=30).raise_for_status().text.split()


def traces(platform: Platform, subject: str, shards: Sequence[str] = (*FOREIGN, *OWN)) -> Traces:
    found = Traces({}, {}, [])
    for shard in shards:
        for entry in logbook.entries(platform.origin, shard):
            at = (shard, entry.place.offset)
            if entry.sealing == subject and entry.kind is Kind.SEALED:
                found.sealed[at] = entry
            elif entry.sealing == subject and entry.kind is Kind.FORGOTTEN:
                found.late.append(entry)
            elif entry.header("ce_subject") == subject and (fields := _sealed_fields(entry.value)):
                found.fields[at] = fields
    return found


def _sealed_fields(value: bytes | None) -> dict[str, bytes]:
    """Those of an event of ours; none where it has none, or they are not sealed."""
    said = json.loads(value or b"{}").get("fields")
    if not isinstance(said, dict):
        return {}
    texts = {name: text for name, text in said.items() if isinstance(text, str) and len(text) >= SHORTEST}
    return {name: base64.b64decode(text, validate=True) for name, text in texts.items()}


def keys_of(platform: Platform, service: str, subject: str = "") -> dict[str, DataKey]:
    """Every key in a service's keyring (or the subject's alone), unwrapped with the service's own rights."""
    insider = Insider(platform.state, service)
    with insider.connect(service) as connection:
        query = "SELECT subject, version, wrapped FROM data_keys WHERE wrapped IS NOT NULL AND %s IN ('', subject)"
        rows = connection.execute(query, (subject,)).fetchall()
    found = {}
    for name, version, wrapped in rows:
        answer = insider.vault.write_data(f"transit/decrypt/kept-{service}", data={"ciphertext": wrapped})
        found[str(name)] = DataKey(int(version), base64.b64decode(answer["data"]["plaintext"]))
    return found


async def publish(platform: Platform, subject: str, said: bytes) -> None:
    """Another team's service says too much, in clear."""
    headers = [("ce_id", new_event_id().encode()), ("ce_type", b"billing.note.made.v1"), ("ce_subject", subject.encode())]
    async with Insider(platform.state, "billing").producer() as producer:
        await producer.send_and_wait("billing.events", said, headers=headers)


def readable(found: Traces, subject: str, keys: dict[str, DataKey]) -> list[bytes]:
    """Everything in the log about the subject that one of these keys opens."""
    texts = []
    for key in keys.values():
        for entry in found.sealed.values():
            try:
                texts.append(opened(entry, key).value or b"")
            except TamperError:
                continue
        for fields in found.fields.values():
            for column, sealed in fields.items():
                try:
                    texts.append(open_(key, Place("customers", "customers", column, subject), sealed).encode())
                except TamperError:
                    continue
    return texts


async def test_their_entries_verify_and_open_to_nobody(platform: Platform, jane: httpx.Client) -> None:
    (number, subject), (_, neighbour) = bring(platform, jane, 2)
    said = f"call {email(number)} about the invoice".encode()
    await publish(platform, subject, said)
    wait_until(lambda: traces(platform, subject).sealed and traces(platform, subject).fields)

    # Before: those whose it is can read it, so the log really holds it.
    before = traces(platform, subject)
    assert said in readable(before, subject, keys_of(platform, "audit", subject))
    assert email(number).encode() in readable(before, subject, keys_of(platform, "customers", subject))

    await erase(platform, subject)
    wait_until(lambda: not any(keys_of(platform, service, subject) for service in SERVICES))
    await publish(platform, subject, said)
    wait_until(lambda: traces(platform, subject).late)

    # After: the same entries are at the same places, and no key of any service opens one of them.
    after = traces(platform, subject)
    assert after.sealed == before.sealed
    assert {at: after.fields[at] for at in before.fields} == before.fields
    for service in SERVICES:
        assert readable(after, subject, keys_of(platform, service)) == []
    # What came later is named, and not kept.
    assert all(entry.value is None and not entry.body for entry in after.late)
    # The neighbour's can be read as ever.
    assert readable(traces(platform, neighbour), neighbour, keys_of(platform, "customers", neighbour))

    done = platform.kept("audit", "verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["faults"] == []
