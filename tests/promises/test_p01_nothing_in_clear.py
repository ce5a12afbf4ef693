"""P1. Nothing personal in clear outside the process that owns it: every file under the state directory is searched."""

from pathlib import Path

import pytest

from tests.support.people import personal_values
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.scan import scan
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform


def test_no_customer_is_readable_on_disk(platform: Platform) -> None:
    """After an import, looks, an access request and a package: tables, WAL, Kafka, log, backups and service logs hold no e-mail
    address, phone number, street or last name of anybody, in any encoding."""
    with signed_in(platform, "jane") as jane:
        assert jane.get("/api/customers").raise_for_status().json()
    person = Person(platform.origin, personal_values()["customer 2 Email"])
    person.ask("access")
    person.prove()
    hits = [f"{hit.path} {hit.where}: {hit.label} as {hit.encoding}" for hit in scan(platform.state.root, personal_values())]
    assert not hits, "\n".join(hits[:20])


def test_the_search_would_find_one(platform: Platform, tmp_path: Path) -> None:
    """The control: one address planted in the middle of a real segment of the running broker's files is found."""
    segment = max((platform.state.root / "kafka").rglob("*.log"), key=lambda path: path.stat().st_size)
    raw = segment.read_bytes()
    planted = personal_values()["customer 1 Email"].encode("utf-16-le")
    (tmp_path / segment.name).write_bytes(raw[: len(raw) // 2] + planted + raw[len(raw) // 2 :])
    assert [hit.label for hit in scan(tmp_path, personal_values())] == ["customer 1 Email"]
