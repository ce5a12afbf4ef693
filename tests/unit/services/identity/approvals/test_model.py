"""Two different people who did not ask (P11), as rules and as policies."""

from datetime import UTC, datetime, timedelta

import pytest

from services.identity.approvals.model import Approval, State, after_yes, check_decider, check_request
from shared.access.actor import Actor
from shared.access.decide import Policies, Resource
from shared.errors import ConflictError, InvalidInputError, NotAllowedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def approval(*approvers: str, state: State = State.REQUESTED, subject: str | None = None) -> Approval:
    return Approval("asker", subject, state, NOW + timedelta(hours=1), approvers)


def test_two_people_not_two_voices() -> None:
    assert after_yes(["a"]) == State.REQUESTED
    assert after_yes(["a", "a"]) == State.REQUESTED
    assert after_yes(["a", "b"]) == State.GRANTED


def test_who_may_not_decide() -> None:
    check_decider(approval(), "a", NOW)
    check_decider(approval("b"), "a", NOW)
    for person, subject in (("asker", None), ("a", "a")):
        with pytest.raises(NotAllowedError):
            check_decider(approval(subject=subject), person, NOW)
    with pytest.raises(ConflictError):
        check_decider(approval("a"), "a", NOW)
    with pytest.raises(ConflictError):
        check_decider(approval(), "a", NOW + timedelta(hours=1))
    for state in (State.GRANTED, State.REFUSED, State.EXPIRED):
        with pytest.raises(ConflictError):
            check_decider(approval(state=state), "a", NOW)


@pytest.mark.parametrize(
    ("action", "resource"),
    [("dance", "customers"), ("erase", ""), ("export", "luis.goncalves"), ("restore", f"bak_{'0' * 33}"), ("erase", "x" * 201)],
)
def test_what_cannot_be_asked(action: str, resource: str) -> None:
    with pytest.raises(InvalidInputError):
        check_request(action, resource)


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
    thing = Resource("Approval", "apr_1", {"action": action, "requester": "asker", "subject": "person"})
    assert policies.decide(Actor("a", "user", frozenset(roles)), "approve", thing).allowed is may
    for own in ("asker", "person"):  # whatever the role
        assert not policies.decide(Actor(own, "user", frozenset(roles)), "approve", thing).allowed
    assert not policies.decide(Actor("system:identity", "system", frozenset(roles)), "approve", thing).allowed
