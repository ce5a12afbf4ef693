"""Decisions: what no policy permits is forbidden, and the answer names the policy that decided."""

from pathlib import Path
from typing import Any

import pytest

from shared.access.actor import Actor
from shared.access.decide import Decision, Policies, Resource
from shared.errors import InvariantError

TEXT = """
// A comment that says permit ( must not shift the names.
@id("see_own")
permit (principal, action == Action::"view", resource is Record) when { resource.owner == principal.id };
permit (principal, action == Action::"view", resource is Record) when { principal.team.contains(resource.owner) };
@id("never_secret")
forbid (principal, action, resource is Record) when { resource has secret && resource.secret };
@id("purpose")
permit (principal, action == Action::"read", resource is Record) when { context.purpose == "support" };
"""
JANE = Actor("sub_jane", "user", frozenset({"agent"}), frozenset({"sub_jane"}))
NANCY = Actor("sub_nancy", "user", frozenset({"sales_manager"}), frozenset({"sub_nancy", "sub_jane"}))


@pytest.fixture(scope="module")
def policies() -> Policies:
    return Policies(TEXT)


def record(owner: str = "sub_jane", **more: object) -> Resource:
    return Resource("Record", "rec_1", {"owner": owner, **more})


def test_what_a_policy_permits_is_allowed_under_its_name(policies: Policies) -> None:
    found = policies.decide(JANE, "view", record())
    assert found.allowed
    assert "see_own" in found.policy_ids


def test_what_no_policy_permits_is_forbidden(policies: Policies) -> None:
    assert not policies.decide(JANE, "delete", record()).allowed
    assert not policies.decide(JANE, "view", record("sub_other")).allowed
    assert not policies.decide(JANE, "view", Resource("Else", "rec_1", {"owner": "sub_jane"})).allowed


def test_a_manager_sees_the_team_of_the_token(policies: Policies) -> None:
    found = policies.decide(NANCY, "view", record())
    assert found.allowed and found.policy_ids == ("policy1",)


def test_forbid_wins(policies: Policies) -> None:
    found = policies.decide(JANE, "view", record(secret=True))
    assert (found.allowed, found.policy_ids) == (False, ("never_secret",))


def test_a_policy_that_fails_forbids(policies: Policies) -> None:
    assert not policies.decide(JANE, "read", record()).allowed  # no purpose in the context
    assert policies.decide(JANE, "read", record(), {"purpose": "support"}).allowed


@pytest.mark.parametrize("strange", ['a"b', "a\\b", 'x"; permit(principal,action,resource);//', "", "é漢"])
def test_ids_are_data(policies: Policies, strange: str) -> None:
    actor = Actor(strange, "user")
    assert policies.decide(actor, "view", Resource("Record", strange, {"owner": strange})).allowed
    assert not policies.decide(actor, strange, record(strange)).allowed


def test_policies_that_do_not_parse_stop_the_start() -> None:
    with pytest.raises(InvariantError):
        Policies("permit (principal, action")


def test_two_policies_of_one_name_stop_the_start() -> None:
    with pytest.raises(InvariantError):
        Policies('@id("a") permit (principal, action, resource);\n@id("a") forbid (principal, action, resource);')


def test_the_installed_policies_load_and_each_has_a_name(tmp_path: Path) -> None:
    loaded = Policies.load()
    stranger = Actor("sub_nobody", "user")
    for kind in ("Customer", "Backups", "Account", "Approval", "RequestDesk", "Log"):
        thing = Resource(kind, "x", {"owner": "sub_y", "requester": "", "subject": ""})
        assert not loaded.decide(stranger, "view", thing).allowed
    assert not any(name.startswith("policy") for name in loaded._names.values())
    assert not Policies.load(tmp_path).decide(JANE, "view", record()).allowed  # no policies: nothing is allowed


def test_the_same_question_is_decided_once_and_no_other_one_gets_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = Policies(TEXT)
    asked: list[tuple[object, ...]] = []
    decided = Policies._decided

    def counted(self: Policies, *question: Any) -> Decision:
        asked.append(question)
        return decided(self, *question)

    monkeypatch.setattr(Policies, "_decided", counted)
    mine, theirs = Resource("Record", "r1", {"owner": JANE.id}), Resource("Record", "r1", {"owner": "sub_y"})
    for _ in range(2):
        assert policies.decide(JANE, "view", mine).allowed
        assert not policies.decide(JANE, "view", theirs).allowed
        assert policies.decide(Actor(JANE.id, "service"), "view", mine).allowed
        assert not policies.decide(Actor("sub_y", "user"), "view", mine).allowed
    assert len(asked) == 4
    assert policies.decide(JANE, "view", Resource("Record", "r2", mine.attrs)).allowed
    assert len(asked) == 4, "no policy asks which record it is"
    for other in (mine, Resource("Account", "r1", mine.attrs)):
        for context in ({"purpose": "a"}, {"purpose": "b"}, {"n": 1}, {"n": True}):
            policies.decide(JANE, "view", other, context)
    assert len(asked) == 12, "every other part of a question counts"


@pytest.mark.parametrize(
    "policy",
    [
        'permit (principal, action, resource == Record::"r1");',
        'permit (principal, action, resource in Team::"t1");',
        'permit (principal, action, resource is Record in Team::"t1");',
        'permit (principal, action, resource) when { resource == Record::"r1" };',
        'permit (principal, action, resource) when { resource is Record in Record::"r1" };',
        "permit (principal, action, resource) unless { principal == resource };",
        "permit (principal, action, resource) when { context.those.contains(resource) };",
        "permit (principal, action, resource) when { [resource] == principal.those };",
        'permit (principal, action, resource) when { (if resource has a then resource else principal) == Record::"r1" };',
        "permit (principal, action, resource) when { principal.of has a && principal.of.a == {it: resource} };",
    ],
)
def test_a_policy_that_asks_which_thing_it_is_stops_the_start(policy: str) -> None:
    """Its answer would be remembered for the next thing that is like it."""
    with pytest.raises(InvariantError, match="not which one"):
        Policies(policy)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = Policies(TEXT)
    monkeypatch.setattr("shared.access.decide.ANSWERS_MAX", 3)
    for n in range(5):
        policies.decide(JANE, "view", Resource("Record", "r1", {"owner": f"sub_{n}"}))
    assert len(policies._answers) == 3
