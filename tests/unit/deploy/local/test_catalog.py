"""Promise P6 in the data: who may write what, and sign with what."""

import re
from pathlib import Path

import pytest

from deploy.local import catalog
from deploy.local.kafka_rights import Kind, Operation, rights
from services.audit.log.seal import OWN_TOPICS
from services.backup.rotation.cli import ROTATED

POLICIES = Path(catalog.__file__).resolve().parents[1] / "vault"


def test_each_topic_of_events_has_one_writer() -> None:
    shared = {catalog.ANSWERS}  # of before: nothing there has an effect any more
    for topic in catalog.topics():
        writers = [user for user, access in catalog.ACCESS.items() if topic.name in access.writes]
        assert len(writers) == 1 or topic.name in shared, (topic.name, writers)


@pytest.mark.parametrize("holder", catalog.ANSWERING)
def test_nobody_answers_in_anothers_name(holder: str) -> None:
    topic = catalog.answers_of(holder)
    assert [user for user, access in catalog.ACCESS.items() if topic in access.writes] == [holder]
    assert topic in {*catalog.ACCESS["dsar"].reads, *catalog.ACCESS["dsar"].writes}  # who writes reads


def test_another_teams_service_writes_nothing_that_the_log_would_not_seal() -> None:
    for user in catalog.FOREIGN:
        assert not OWN_TOPICS & {*catalog.ACCESS[user].writes}


def test_only_dsar_commands() -> None:
    assert [user for user, access in catalog.ACCESS.items() if catalog.COMMANDS in access.writes] == ["dsar"]


def test_every_topic_named_is_made() -> None:
    made = {topic.name for topic in catalog.topics()}
    for access in catalog.ACCESS.values():
        assert {*access.writes, *access.reads} <= made


def test_groups_are_its_own() -> None:
    for user, kind, name, _, operation in rights():
        if kind is Kind.GROUP:
            assert user in name
            assert operation is Operation.READ


def _policy(name: str) -> dict[str, list[str]]:
    lines = [line for line in (POLICIES / f"{name}.hcl").read_text().splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r'path "([^"]+)" \{ capabilities = \[([^\]]*)\] \}', line) for line in lines]
    assert all(found), f"{name}: a line that this test cannot judge"
    return {one[1]: re.findall(r'"(\w+)"', one[2]) for one in found if one}


def _paths(role: str) -> dict[str, list[str]]:
    """All that a role may; nothing is said twice."""
    every = [item for name in catalog.policies(role) for item in _policy(name).items()]
    assert len(dict(every)) == len(every)
    return dict(every)


@pytest.mark.parametrize("role", catalog.HOLDERS)
def test_a_policy_reaches_no_key_of_another(role: str) -> None:
    own = {f"kept-{role}", f"kept-{role}-notes"} | {"identity": {"kept-tokens"}, "audit": {"kept-log"}}.get(role, set())
    for path, capabilities in _paths(role).items():
        if match := re.fullmatch(r"transit/(encrypt|decrypt|rewrap|sign)/([\w-]+)(/.*)?", path):
            assert match[2] in own, path
        if match := re.fullmatch(r"transit/hmac/([\w-]+)", path):
            assert match[1] in {catalog.LOCATOR_KEY, f"kept-{role}-blind", f"kept-{role}-forgotten"}, path
        if path.startswith("kept/data/"):
            assert path.startswith(f"kept/data/{role}/") or (path == "kept/data/demo/*" and "read" not in capabilities)
        assert "sudo" not in capabilities
        assert "*" not in path.removesuffix("/*")


def test_who_provisions_can_neither_decrypt_nor_sign() -> None:
    for role in catalog.OPERATORS:
        if role != "rotation":
            assert not [path for path in _paths(role) if path.startswith(("transit/", "sys/"))]


def test_who_rotates_keys_can_use_none() -> None:
    lives = {f"transit/keys/+{what}": ["update"] for what in ("/rotate", "/config", "/trim")} | {"transit/keys/+": ["read"]}
    lives["transit/keys/kept-customers-forgotten/+"] = ["deny"]
    lives |= {"kept/metadata/+/blind": ["read", "delete"]}  # that there is one, and never what it says
    assert {path: may for path, may in _policy("rotation").items() if not path.startswith("kept/data/rotation/")} == lives


def test_public_keys_are_those_of_what_is_signed_and_can_only_be_read() -> None:
    assert _policy("public-keys") == {f"transit/keys/{key}": ["read"] for key in catalog.SIGNING_KEYS}


def test_nobody_reads_anothers_wrapping_key() -> None:
    for role in catalog.HOLDERS:
        read = {path.removeprefix("transit/keys/") for path in _paths(role) if path.startswith("transit/keys/")}
        assert read <= {*catalog.SIGNING_KEYS, f"kept-{role}", f"kept-{role}-blind", catalog.LOCATOR_KEY}, role


def test_every_role_has_its_policies_and_every_policy_a_role() -> None:
    roles = (*catalog.HOLDERS, *catalog.OPERATORS)
    assert {path.stem for path in POLICIES.glob("*.hcl")} == {name for role in roles for name in catalog.policies(role)}
    assert all(role in catalog.policies(role) for role in roles)


def test_every_key_of_ours_is_rotated() -> None:
    theirs = {f"kept-{one}-notes" for one in catalog.FOREIGN}  # another team's: they rotate it
    assert set(ROTATED) == {*catalog.KEKS, *catalog.SIGNING_KEYS, catalog.LOCATOR_KEY, *catalog.BLIND_KEYS} - theirs
