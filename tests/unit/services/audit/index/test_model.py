"""What the index takes from an entry; nothing that a publisher writes can stop it."""

import json

import pytest

from services.audit.index.model import facts_of
from services.audit.log.entry import Entry, Kind, Place

ONE, TWO = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f", "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e2f"
VIEWED = b"kept.customers.records.viewed.v1"


def test_a_look_names_all_whom_it_concerns() -> None:
    headers = (("ce_id", b"e"), ("ce_type", VIEWED), ("ce_actor", TWO.encode()))
    value = json.dumps({"subjects": [ONE, TWO, "luis"], "purpose": "support", "fields": {"email": "masked"}, "x": 1})
    facts = facts_of(Entry(Kind.RECORD, Place("kept.customers", 0, 0, 0), headers, None, value.encode()))
    assert (facts.about, facts.actor) == ((ONE, TWO), TWO)
    assert facts.detail == {"purpose": "support", "fields": {"email": "masked"}}


def test_of_a_sealed_entry_only_what_is_in_clear() -> None:
    entry = Entry(Kind.SEALED, Place("billing.events", 0, 0, 0), (("ce_id", b"e"),), sealing="n", body=b"{}")
    assert (facts_of(entry).ce_id, facts_of(entry).detail) == ("e", {})


@pytest.mark.parametrize("when", [-(2**63), -1, 0, 253_402_300_800_000, 2**63 - 1])
@pytest.mark.parametrize("purpose", [b'"a\\u0000b"', b'"\\ud800"', b"NaN", b"-Infinity", b'{"\\u0000": ["\\u0000"]}', b"1e999"])
def test_every_entry_has_facts_that_the_database_takes(when: int, purpose: bytes) -> None:
    headers = (("ce_id", b"a\x00\xff"), ("ce_type", VIEWED + b"\x00"), ("ce_actor", b"\x00"), ("ce_time", b"999999"))
    facts = facts_of(Entry(Kind.RECORD, Place("t", 0, 0, when), headers, None, b'{"purpose": ' + purpose + b"}"))
    text = json.dumps([facts.ce_id, facts.type, facts.actor, facts.detail], allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text
