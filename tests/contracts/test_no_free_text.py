"""What stands in an event in clear is in the log for ever, under nobody's key: ids, numbers, words of ours, ciphertext. Never
what somebody typed, nor what a file of theirs calls its columns (P1)."""

import importlib
from collections.abc import Iterator
from typing import Any

from shared.bus.event import Event
from tests.contracts.built import SERVICES
from tests.contracts.documents import published, schema_of

# Every member that is a text with room in it, and who says what stands there. Who adds one answers here for why no person's
# value can stand in it; a count, an enum, an id with its pattern or a ciphertext needs no line.
OURS = {
    "id that a service of ours made": (
        "alarm", "answer_id", "approval_id", "backup_id", "change_id", "drill_id", "event_ids[]", "export_id", "import_id",
        "request_id", "restore_id", "sessions[]",
    ),
    "pseudonym, or a service's name": (
        "approvers[]", "changed_by", "holder", "holders[]", "manager", "missing[]", "owner", "requester", "staff[]",
        "subjects[]",
    ),
    "keyed hash, of which nobody learns a value": ("locators[]", "found{}[]", "several{}[]"),
    "hash of a file of ours": ("certificate_sha256", "manifest_sha256", "shards[].root"),
    "shard and place of the log": ("entry", "shard", "shards[].shard"),
    "signed note or receipt, whose lines take no blanks": ("note", "receipts{}"),
    "ciphertext, or the public key for it": ("recipient", "sealed"),
    "date": ("at", "due", "expires", "reply_by"),
    "name of a policy, a purpose, an action, a role, a law, a field or a way to sign in, as our own files and code have it": (
        "action", "amr[]", "decision[]", "fields{}", "ground", "kind", "law", "policies[]", "purpose", "roles[]", "searched[]",
    ),
    "id of one of our things, by its action's pattern (identity/approvals/model.py, shared/refused.py)": ("resource",),
    "filters of a search, each by its pattern (audit/index/model.py)": ("filters{}",),
    "the law's words, from our files": ("grounds[].article", "grounds[].code", "grounds[].en", "grounds[].zh"),
    "one of the kinds of evidence (dsar/saga/model.py)": ("evidence",),
    "a ticket, by its pattern (audit/index/alarms.py)": ("reference",),
    "a holder's words on what it keeps (shared/holder/contract.py)": ("kept[].what", "kept[].reason"),
}  # fmt: skip
PAST = {("kept.customers.import.completed.v1", "refused_columns[]")}  # in logs of before; nobody writes it any more


def test_no_event_has_room_for_what_somebody_typed() -> None:
    known = {name for names in OURS.values() for name in names}
    found = {(event.type_, name) for event in events() for name in texts(schema_of(event))}
    assert found - PAST - {(type_, name) for type_, name in found if name in known} == set(), "say above what stands there"
    assert found >= PAST


def events() -> list[type[Event]]:
    for service in SERVICES:
        importlib.import_module(f"services.{service}.app")
    return list(published().values())


def texts(schema: Any) -> set[str]:
    """Each member with room for any text: `name`, `name[]` of a list, `name{}` of a mapping. One with a pattern of its own has
    none, but where that is no more than "no blanks"."""
    return {at for at, one in _leaves(schema, schema, "") if _has_room(one)}


def _has_room(schema: Any) -> bool:
    if not schema:
        return True  # anything at all
    if schema.get("type") != "string" or "enum" in schema or "const" in schema:
        return False
    return "ciphertext" not in schema.get("description", "") and schema.get("pattern", "^[!-~]{1,200}$") == "^[!-~]{1,200}$"


def _leaves(schema: Any, root: Any, at: str) -> Iterator[tuple[str, Any]]:
    while "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    inner = [one for word in ("anyOf", "oneOf", "allOf") for one in schema.get(word, ())]
    for one in inner:
        yield from _leaves(one, root, at)
    for name, one in schema.get("properties", {}).items():
        yield from _leaves(one, root, f"{at}.{name}" if at else name)
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(word), dict):
            yield from _leaves(schema[word], root, at + mark)
    if schema.get("additionalProperties") is True:
        yield f"{at}{{}}", {}
    if not inner and schema.get("type") not in ("object", "array"):
        yield at, {name: one for name, one in schema.items() if name not in ("title", "default", "description")} and schema
