"""Decisions: what no policy permits is forbidden, and the answer names the policy that decided."""

from pathlib import Path

import pytest

from shared.access.actor import Actor
from shared.access.decide import Policies, Resource
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
