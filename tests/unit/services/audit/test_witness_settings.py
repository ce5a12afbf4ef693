"""From settings to what asks witnesses, and from processes to what is told of them."""

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from services.audit.ingestion.process import OwnProcess, opener_of
from services.audit.ingestion.said import Said
from services.audit.ingestion.workers import Workers
from services.audit.log.slots import WHOLE
from services.audit.log.witnesses import NOT_ASKED, SIGNS, gauges
from services.audit.settings import AuditSettings
from shared.keys import ed25519
from shared.notes.cosignature import COSIGNATURE
from shared.notes.note import vkey

VKEYS = [vkey(f"w.test/{n}", ed25519.public_of(bytes([n]) * 32), COSIGNATURE) for n in (1, 2, 3)]
BASE: Any = SimpleNamespace(door=None, vault=None, engine=None)
NOTHING: Any = None


def test_without_witnesses_nothing_is_deferred() -> None:
    settings = AuditSettings()
    assert settings.witness_policy is None
    assert not opener_of(settings, BASE, NOTHING)._deferred
    ingest = OwnProcess(settings, BASE, NOTHING, NOTHING, lambda: None, WHOLE)
    assert (ingest.said.witnesses, ingest.said.unwitnessed) == ({}, {})


def test_as_they_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "\n".join(f"{one} https://{n}.example/w/" for n, one in enumerate(VKEYS))
    for name, text in {"WITNESSES": said, "WITNESS_FAIL": "closed", "WITNESS_SECONDS": "3"}.items():
        monkeypatch.setenv(f"KEPT_{name}", text)
    settings = AuditSettings()
    policy = settings.witness_policy
    assert policy is not None
    assert (policy.closed, policy.seconds, policy.quorum.needed) == (True, 3, 2)
    assert next((key.name, url) for key, url in policy.urls.items()) == ("w.test/1", "https://0.example/w")
    assert opener_of(settings, BASE, NOTHING)._deferred
    ingest = OwnProcess(settings, BASE, NOTHING, NOTHING, lambda: None, WHOLE)
    assert ingest.said.witnesses == {"w.test/1": NOT_ASKED, "w.test/2": NOT_ASKED, "w.test/3": NOT_ASKED}


@pytest.mark.parametrize(
    ("witnesses", "quorum"), [("x", "0"), (VKEYS[0], "0"), (f"{VKEYS[0]} https://a", "2"), (f"{VKEYS[0]} gopher://a", "1")]
)
def test_what_makes_no_sense_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, witnesses: str, quorum: str) -> None:
    monkeypatch.setenv("KEPT_WITNESSES", witnesses)
    monkeypatch.setenv("KEPT_WITNESS_QUORUM", quorum)
    with pytest.raises(ValidationError, match="witness"):
        AuditSettings()


def test_of_several_processes_the_one_with_the_most_to_say_is_heard() -> None:
    workers = Workers(3, lambda: None)
    workers._said = [
        Said(unwitnessed={"t/0": 5}, witnesses={"a": SIGNS, "b": NOT_ASKED}),
        Said(witnesses={"a": "away", "b": SIGNS}),
        Said(unwitnessed={"t/1": 2}, witnesses={"a": SIGNS, "b": NOT_ASKED}),
    ]
    said = workers.said
    assert (said.witnesses, said.unwitnessed) == ({"a": "away", "b": SIGNS}, {"t/0": 5, "t/1": 2})
    shown = {one.name + one.labels.get("witness", ""): one.value for one in gauges(said.witnesses, said.unwitnessed)}
    assert shown == {
        "kept_audit_log_unwitnessed_records": 7,
        "kept_audit_witness_signsa": 0,
        "kept_audit_witness_signsb": 1,
    }
    assert gauges({}, {}) == []
