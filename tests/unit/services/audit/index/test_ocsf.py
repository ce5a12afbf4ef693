"""Every event of ours, and anything else, is a valid event of the official OCSF schema."""

import importlib
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from services.audit.index.model import Row
from services.audit.index.ocsf import book, event_of
from shared.bus.event import REGISTRY
from shared.holder.contract import Collected, Erased, Located, SubjectShredded
from shared.holder.past import CollectedV1, ErasedV1, LocatedV1
from shared.refused import AccessRefused

ONE, TWO = "sub_" + "1" * 32, "sub_" + "2" * 32
for service in ("identity", "customers", "audit", "backup", "dsar"):
    importlib.import_module(f"services.{service}.events")
    for answer in (AccessRefused, Located, Collected, Erased, SubjectShredded, LocatedV1, CollectedV1, ErasedV1):
        answer.of(service)
OURS = sorted(
    kind for kind, event in REGISTRY.items() if not event.__module__.startswith("tests.")
)  # others' tests declare some


@cache
def schemas() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=book().version))


@cache
def validator(class_uid: int) -> jsonschema.Draft202012Validator:
    name = schemas().lookup_class_name_from_uid(class_uid)
    return jsonschema.Draft202012Validator(schemas().get_class_schema(class_name=name))


def row(kind: str, **other: Any) -> Row:
    values: dict[str, Any] = {
        "id": "e", "type": kind, "actor": ONE, "subject": TWO, "time": "2026-01-31T12:00:00.123456+00:00", "trace": "0" * 32,
        "purpose": "support", "shard": f"{'.'.join(kind.split('.')[:2])}/0", "index": 7, "detail": {"reason": "code"},
    }  # fmt: skip
    return Row(**values | other)


def valid(event: dict[str, Any]) -> dict[str, Any]:
    faults = [f"{e.json_path}: {e.message}" for e in validator(event["class_uid"]).iter_errors(event)]
    assert not faults, faults
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    return event


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("bare", [False, True])
def test_every_event_of_ours_has_a_class_of_its_own_and_is_valid(kind: str, bare: bool) -> None:
    without = {"actor": "", "subject": None, "trace": None, "purpose": "", "detail": {}, "id": ""} if bare else {}
    event = valid(event_of(row(kind, **without)))
    assert event["class_uid"] != 0, f"no rule of ocsf.toml fits {kind}"
    assert event["time"] == 1769860800123 and event["metadata"]["event_code"] == kind


def test_every_rule_is_needed() -> None:
    used = {book().rule_of(kind).type for kind in OURS}
    assert {rule.type for rule in book().rules} - used <= {"kept.backup.*"}, "kept for what the service will publish next"


@pytest.mark.parametrize("kind", ["(gap)", "", "billing.invoice.issued", "org.example.thing"])
def test_what_we_do_not_know_is_a_base_event(kind: str) -> None:
    assert valid(event_of(row(kind, shard="billing.events/0")))["class_uid"] == 0


def test_the_classes_a_siem_looks_for() -> None:
    refused = valid(event_of(row("kept.identity.session.refused.v1")))
    assert (refused["class_uid"], refused["activity_id"], refused["status_id"]) == (3002, 1, 2)
    assert refused["user"] == {"uid": TWO} and refused["status_detail"] == "code"
    look = valid(event_of(row("kept.customers.records.viewed.v1", subject=None, detail={"subjects": [ONE, TWO]})))
    assert (look["class_uid"], look["activity_id"]) == (6005, 1)
    assert [one["value"] for one in look["observables"]] == [ONE, TWO] and look["actor"] == {"user": {"uid": ONE}}
    alarm = valid(event_of(row("kept.audit.alarm.raised.v1", detail={"kind": "tampered", "shard": "kept.dsar/0"})))
    assert (alarm["class_uid"], alarm["severity_id"], alarm["finding_info"]["title"]) == (2004, 5, "tampered: kept.dsar/0")


values = st.one_of(st.text(max_size=20), st.integers(-(2**63), 2**63), st.booleans(), st.lists(st.text(max_size=9), max_size=3))


@given(st.sampled_from([*OURS, "x"]), st.dictionaries(st.text(max_size=12), values, max_size=5), st.text(max_size=30))
@settings(max_examples=50)
def test_nothing_that_an_event_says_makes_it_invalid(kind: str, detail: dict[str, Any], actor: str) -> None:
    valid(event_of(row(kind, detail=detail, actor=actor)))
