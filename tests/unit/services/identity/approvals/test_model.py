"""Two different people who did not ask (P11), as rules and as policies; what only a service asks for; silence is no no."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.approvals.model import (
    ACTIONS,
    ASKED_BY,
    GROUNDS,
    Approval,
    ByPeople,
    ByServices,
    Level,
    State,
    after_yes,
    asked_by_a_person,
    asked_by_a_service,
    check_decider,
    check_ground,
    level_of,
    reminds,
)
from services.identity.approvals.read import Seen, rules_of
from services.identity.approvals.tables import ApprovalRow
from shared.access.actor import Actor
from shared.access.decide import Policies, Resource
from shared.errors import ConflictError, InvalidInputError, NotAllowedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = "0" * 32


def approval(*approvers: str, state: State = State.REQUESTED, about: tuple[str, ...] = (), lapses: bool = True) -> Approval:
    return Approval("asker", frozenset(about), state, NOW + timedelta(hours=1), approvers, lapses)


def test_two_people_not_two_voices() -> None:
    assert after_yes(["a"]) == State.REQUESTED
    assert after_yes(["a", "a"]) == State.REQUESTED
    assert after_yes(["a", "b"]) == State.GRANTED


def test_who_may_not_decide() -> None:
    check_decider(approval(), "a", NOW)
    check_decider(approval("b"), "a", NOW)
    for person, about in (("asker", ()), ("a", ("a",)), ("a", ("b", "a"))):
        with pytest.raises(NotAllowedError):
            check_decider(approval(about=about), person, NOW)
    with pytest.raises(ConflictError):
        check_decider(approval("a"), "a", NOW)
    with pytest.raises(ConflictError):
        check_decider(approval(), "a", NOW + timedelta(hours=1))
    for state in (State.GRANTED, State.REFUSED, State.EXPIRED, State.WITHDRAWN):
        with pytest.raises(ConflictError):
            check_decider(approval(state=state), "a", NOW)


def test_what_a_person_outside_waits_for_is_decided_late_rather_than_never() -> None:
    check_decider(approval(lapses=False), "a", NOW + timedelta(days=400))


def test_everybody_concerned_is_kept_out() -> None:
    """A person may be several subjects (a customer who works here too), and be the resource itself."""
    row = ApprovalRow(
        id=f"apr_{ID}", action="unmask", resource="sub_r", requester="sub_q", subject="sub_1",
        subjects=["sub_1", "sub_2"], staff=["sub_s"],
        state="requested", requested_at=NOW, expires_at=NOW + timedelta(hours=1), lapses=True, grounds=[], reminders=0,
    )  # fmt: skip
    rules = rules_of(Seen(row, []))
    for person in ("sub_1", "sub_2", "sub_r", "sub_q", "sub_s"):
        with pytest.raises(NotAllowedError):
            check_decider(rules, person, NOW)
    check_decider(rules, "sub_3", NOW)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dance", "customers"),
        ("erase", f"req_{ID}"),  # only a service asks for it
        ("erase", ""),
        ("export", "luis.goncalves"),
        ("export", f"bak_{ID}"),
        ("restore", f"bak_{ID}0"),
        ("restore", f"req_{ID}"),
        ("restore", "customers"),
        ("unmask", f"req_{ID}"),
        ("change_policy", "x" * 201),
    ],
)
def test_what_a_person_cannot_ask(action: str, resource: str) -> None:
    with pytest.raises(InvalidInputError):
        asked_by_a_person(action, resource)


def test_every_action_is_a_persons_or_a_services_and_a_service_is_named() -> None:
    assert not {one.value for one in ByPeople} & {one.value for one in ByServices}
    assert {*ByPeople, *ByServices} == ACTIONS and set(ASKED_BY) == set(ByServices)
    assert asked_by_a_service(ByServices.ERASE, f"req_{ID}") == "system:dsar"
    with pytest.raises(InvalidInputError):
        asked_by_a_service(ByServices.ERASE, f"bak_{ID}")
    for action, resource in (("export", "audit-trail"), ("restore", f"bak_{ID}"), ("unmask", f"sub_{ID}")):
        assert asked_by_a_person(action, resource) == action


def test_a_no_takes_a_reason_that_there_is() -> None:
    for one in GROUNDS:
        assert check_ground(GROUNDS, one.code) is one
        assert one.article and one.en and one.zh
    for wrong in ("", "because", "gdpr-17-3-b"):
        with pytest.raises(InvalidInputError) as said:
            check_ground(GROUNDS, wrong)
        assert said.value.field == "reason"
    with pytest.raises(InvalidInputError):
        check_ground([], "")


def test_how_urgent_it_is() -> None:
    month, hours = NOW + timedelta(days=30), NOW + timedelta(hours=72)
    for until, at, level in (
        (month, NOW, Level.WAITING),
        (month, month - timedelta(days=7, seconds=1), Level.WAITING),
        (month, month - timedelta(days=7), Level.DUE_SOON),
        (month, month, Level.OVERDUE),
        (month, month + timedelta(days=900), Level.OVERDUE),
        (hours, NOW + timedelta(hours=47), Level.WAITING),
        (hours, NOW + timedelta(hours=48), Level.DUE_SOON),
    ):
        assert level_of(NOW, until, at) is level, (until, at)


@given(st.lists(st.integers(1, 20), max_size=60), st.integers(1, 40))
def test_what_waits_reminds_every_day_and_at_once_when_it_gets_urgent(rounds: list[int], days: int) -> None:
    """Looked at every so many hours: never two days in silence, never twice in a day for nothing, every level told."""
    every, until, at, since, last, told = timedelta(hours=24), NOW + timedelta(days=days), NOW, NOW, None, []
    for hours in rounds:
        at += timedelta(hours=hours)
        level = level_of(NOW, until, at)
        if reminds(level, last=last, since=since, now=at, every=every):
            told.append((at, level))
            assert level != last or at - since >= every
            since, last = at, level.value
        assert at - since < every and (level is Level.WAITING or last == level)


@pytest.mark.parametrize(
    ("roles", "action", "may"),
    [
        ({"privacy_officer"}, "erase", True),
        ({"sales_manager"}, "erase", True),
        ({"security_officer", "it_manager"}, "erase", False),
        ({"security_officer", "it_manager"}, "restore", True),
        ({"agent"}, "erase", False),
        ({"it_staff"}, "restore", False),
    ],
)
def test_the_policies_say_who_decides(roles: set[str], action: str, may: bool) -> None:
    policies = Policies.load()
    thing = Resource("Approval", "apr_1", {"action": action, "requester": "asker", "subjects": ["other", "person"]})
    assert policies.decide(Actor("a", "user", frozenset(roles)), "approve", thing).allowed is may
    for own in ("asker", "person", "other"):  # whatever the role
        assert not policies.decide(Actor(own, "user", frozenset(roles)), "approve", thing).allowed
    assert not policies.decide(Actor("system:identity", "system", frozenset(roles)), "approve", thing).allowed


@pytest.mark.parametrize(
    ("role", "asks"),
    [
        ("agent", {"export"}),
        ("sales_manager", {"export", "unmask", "prove_address"}),
        ("backup_operator", {"restore"}),
        ("it_manager", {"restore", "change_policy"}),
        ("security_officer", {"export", "unmask", "restore", "change_policy"}),
        ("general_manager", {"export", "unmask", "change_policy", "prove_address"}),
        ("it_staff", set()),
    ],
)
def test_who_asks_for_what_they_can_then_do(role: str, asks: set[str]) -> None:
    policies, one = Policies.load(), Actor("a", "user", frozenset({role}))

    def may(action: str) -> bool:
        thing = Resource("Approval", "apr_1", {"action": action, "requester": "a", "subjects": []})
        return policies.decide(one, "request", thing).allowed

    assert {action.value for action in ACTIONS if may(action)} == asks


def test_nobody_over_http_asks_for_an_erasure_whatever_the_roles() -> None:
    policies = Policies.load()
    thing = Resource("Approval", "apr_1", {"action": "erase", "requester": "a", "subjects": []})
    every = frozenset(
        ("agent", "sales_manager", "general_manager", "privacy_officer", "security_officer", "it_manager", "backup_operator")
    )
    for kind in ("user", "service", "subject", "system"):
        assert not policies.decide(Actor("a", kind, every), "request", thing).allowed  # type: ignore[arg-type]  # each of them
