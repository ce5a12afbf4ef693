"""What a released version wrote is read by today's code, without its servers: events, the log, a certificate, a backup set.

The set is drilled as the service does it, with a PostgreSQL of the drill's own; what Vault would answer is in the vectors."""

import csv
import importlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from deploy.local.postgres_programs import programs
from services.audit.log import seal
from services.audit.log.entry import Entry, Kind
from services.audit.log.run import verify_log
from services.audit.log.trust import Trust
from services.backup.drills.drill import examine
from services.backup.formats import label, layout
from services.backup.settings import BackupSettings
from services.customers.events import CustomerCreated
from services.dsar.certificates.verify import verify
from shared.bus.envelope import Envelope, Record, parse
from shared.bus.event import Event
from shared.clock import SystemClock
from shared.handlers import _event
from shared.holder.past import CollectedV1, ErasedV1, LocatedV1
from shared.keys.cipher import Place, open_
from tests.contracts.built import SERVICES
from tests.contracts.documents import published, schema_of
from tests.support.platform import CHINOOK
from tests.upgrade.vectors import Vectors

TYPES_MIN = 25  # of events that the story of then tells
FORGOTTEN = "luisg@embraer.com.br"


@pytest.fixture(scope="module")
def then() -> Iterator[Vectors]:
    root = Path(tempfile.mkdtemp(prefix="kept-then-")).resolve()
    root.chmod(0o711)  # the drill's server is another user's
    yield Vectors.unpacked(root)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def entries(then: Vectors) -> Sequence[Entry]:
    return list(then.entries())


def events(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Envelope]]:
    """What came whole on a topic of ours."""
    for one in entries:
        if one.kind is Kind.RECORD and one.place.topic in seal.OWN_TOPICS:
            headers = tuple((name, value or b"") for name, value in one.headers)
            yield one, parse(Record(one.place.topic, one.key, headers, one.value))


def test_every_event_of_then_is_one_of_todays_contracts(entries: Sequence[Entry]) -> None:
    for service in SERVICES:  # whose event types are declared when they are imported
        importlib.import_module(f"services.{service}.app")
    foreign: list[type[Event]] = [kind.of("billing") for kind in (LocatedV1, CollectedV1, ErasedV1)]
    declared, seen = published() | {one.type_: one for one in foreign}, set[str]()
    for entry, envelope in events(entries):
        kind = declared[envelope.type]
        event = _event(kind, envelope)
        assert event.key().encode() == entry.key, f"{envelope.type} goes by another key"
        if envelope.type not in seen:
            Draft202012Validator(schema_of(kind)).validate(json.loads(entry.value or b""))
        seen.add(envelope.type)
    assert len(seen) >= TYPES_MIN, sorted(seen)


def test_the_log_of_then_verifies(then: Vectors, entries: Sequence[Entry]) -> None:
    report = verify_log(str(then.log), Trust.of(then.keys.log))
    assert report.whole and report.entries == len(entries) > 0, report.faults[:5]


def test_what_the_log_has_sealed_opens(then: Vectors, entries: Sequence[Entry]) -> None:
    """And what came after its person was erased says nothing of it."""
    for one in entries:
        if one.kind is Kind.SEALED:
            key = then.keys.key("audit", one.sealing)
            assert key is not None and seal.opened(one, key).value
    assert {Kind.SEALED, Kind.FORGOTTEN} <= {one.kind for one in entries}
    gone = {one.sealing for one in entries if one.kind is Kind.FORGOTTEN}
    assert gone <= {one.name for one in (then.root / "store/erasures/audit").iterdir()} - then.keys.data["audit"].keys()


def test_who_lives_is_read_in_the_events_of_then_and_who_was_forgotten_is_not(then: Vectors, entries: Sequence[Entry]) -> None:
    with (CHINOOK / "customer.csv").open(encoding="utf-8-sig") as file:
        emails = {row["Email"] for row in csv.DictReader(file)}
    read, unread = set(), set[str]()
    for _, envelope in events(entries):
        if envelope.type != CustomerCreated.type_ or envelope.subject is None:
            continue
        event = _event(CustomerCreated, envelope)
        key = then.keys.key("customers", envelope.subject)
        if key is None:
            unread.add(envelope.subject)
        else:
            place = Place("customers", "customers", "email", envelope.subject)
            read.add(open_(key, place, cast(bytes, event.fields["email"])))
    assert read and read <= emails - {FORGOTTEN} and len(read) + len(unread) == len(emails)
    assert unread <= {one.name for one in (then.root / "store/erasures/customers").iterdir()}


def test_the_certificate_of_then_is_proven(then: Vectors) -> None:
    checked = verify((then.root / "certificate").read_text(), then.keys.holders, then.keys.log)
    assert checked.proofs and checked.certificate.answers


@pytest.mark.platform
async def test_the_backup_of_then_passes_its_drill(then: Vectors) -> None:
    """With everybody who was erased since erased again."""
    assert label.parse(then.store.get(layout.label(then.keys.set_id)).decode()).backup_id == then.keys.set_id
    found = await examine(cast(Any, tools(then)), "drl_" + "0" * 32, then.keys.set_id, as_trimmed=False)
    checks = {one.name: one for one in found.checks}
    assert [one for one in found.checks if not one.passed] == []
    assert {"manifest", "parts", "files", "structure", "everyone/customers", "keys/customers", "opens/dsar"} <= checks.keys()
    assert found.erasures == 2 and checks["erased/customers"].says == "2 erased, 0 of them with a key, 2 noted as shredded"
    assert checks["everyone/customers"].says.startswith("59 people with sealed rows, 57 keys, 2 shredded, 0 lost")


def tools(then: Vectors) -> SimpleNamespace:
    """What a drill takes. Vault is who has the answers of then."""

    async def decrypt(key: str, values: Sequence[str]) -> list[bytes]:
        return [then.keys.identity.encode() for _ in values]

    async def vkeys() -> list[str]:
        return [one for one in then.keys.holders if one.partition("+")[0].endswith("/backup")]

    settings = BackupSettings(service="backup", state_dir=then.root, pg_bin=programs())
    return SimpleNamespace(
        store=then.store,
        vault=SimpleNamespace(decrypt=decrypt),
        signer=SimpleNamespace(vkeys=vkeys),
        settings=settings,
        door=SimpleNamespace(clock=SystemClock()),
    )
