"""What an alarm says and asks for, and what counts as an answer to it."""

import json
from typing import get_args

import pytest

from services.audit.events import AlarmAcknowledged, AlarmRaised
from services.audit.index import acknowledge
from services.audit.index.alarms import (
    ACKNOWLEDGED,
    ALARMS,
    RAISED,
    REASONS,
    REFUSED,
    Reason,
    acknowledged_by,
    checked,
    is_own,
    reasons_in,
    said_of,
)
from services.audit.index.facts import Facts, facts_from
from services.audit.log.entry import Kind
from services.dsar.events import AnswerRefused
from shared.access.actor import Actor
from shared.access.decide import Policies, Resource
from shared.errors import InvalidInputError

ALARM = "0192f0c4-b1a2-7c3e-8d5f-6a7b8c9d0e1f"


def facts(**said: object) -> Facts:
    body = {"alarm": ALARM, "kind": "tampered", "shard": "kept.dsar/0", "reason": "repaired", "reference": "OPS-1", **said}
    headers = {"ce_id": b"e", "ce_type": ACKNOWLEDGED.encode(), "ce_actor": b"sub_1", "ce_time": b"2026-01-31T12:00:00Z"}
    return facts_from(Kind.RECORD, 0, headers, json.dumps(body).encode())


def test_every_kind_says_what_happened_and_what_to_do_in_both_languages() -> None:
    kinds = get_args(AlarmRaised.model_fields["kind"].annotation)
    reasons = get_args(AnswerRefused.model_fields["reason"].annotation)
    assert set(ALARMS) == {*kinds, *reasons} and not set(kinds) & set(reasons)
    for kind in (*kinds, *reasons, "of a later version"):
        assert said_of(kind, "en") != said_of(kind, "zh")
        for lang in ("en", "zh"):
            assert said_of(kind, lang).says and said_of(kind, lang).do
    assert (AlarmRaised.type_, AlarmAcknowledged.type_, AnswerRefused.type_) == (RAISED, ACKNOWLEDGED, REFUSED)
    assert set(REASONS) == set(get_args(Reason)) == set(get_args(AlarmAcknowledged.model_fields["reason"].annotation))
    assert reasons_in("en").keys() == reasons_in("zh").keys() == REASONS.keys()


@pytest.mark.parametrize("reference", ["", "OPS-1", "INC2026-123456789"])
def test_a_reason_and_a_ticket(reference: str) -> None:
    assert checked("planned", reference) == ("planned", reference)


@pytest.mark.parametrize(
    ("reason", "reference", "field"),
    [
        ("", "", "reason"),
        ("because luis asked", "", "reason"),
        ("planned", "luis@example.org", "reference"),
        ("planned", "ops-1", "reference"),
        ("planned", "OPS-1\n", "reference"),
        ("planned", "OPS", "reference"),
    ],
)
def test_no_other_word_gets_into_the_event(reason: str, reference: str, field: str) -> None:
    with pytest.raises(InvalidInputError) as said:
        checked(reason, reference)
    assert said.value.field == field


def test_only_what_audit_itself_says_counts() -> None:
    assert all(is_own(shard) for shard in ("kept.audit/0", "kept.audit/12", "kept.audit~2/0"))
    for shard in ("billing.events/0", "kept.audits/0", "kept.dsar/0", "kept.audit.dlq/0", "x.kept.audit/0", "kept.audit/0\n"):
        assert not is_own(shard)
    (told,) = json.loads(acknowledge.said("kept.audit~2/1", [facts()]))
    assert told == [ALARM, "2026-01-31T12:00:00+00:00", "sub_1", "repaired", "OPS-1"]
    assert acknowledge.said("billing.events/0", [facts()]) == ""
    assert acknowledged_by(facts(alarm=7)) is None


@pytest.mark.parametrize(
    ("roles", "sees", "puts_aside"),
    [
        ({"security_officer"}, True, True),
        ({"privacy_officer"}, True, True),
        ({"general_manager"}, True, True),
        ({"it_manager"}, True, False),
        ({"security_officer", "it_manager"}, True, False),  # whoever could tamper does not say that it was nothing
        ({"agent"}, False, False),
        (set(), False, False),
    ],
)
def test_who_sees_alarms_and_who_puts_one_aside(roles: set[str], sees: bool, puts_aside: bool) -> None:
    policies, who = Policies.load(), Actor("a", "user", frozenset(roles))
    trail = Resource("AuditTrail", "trail", {})
    assert policies.decide(who, "alarms", trail).allowed is sees
    assert policies.decide(who, "acknowledge", trail).allowed is puts_aside
