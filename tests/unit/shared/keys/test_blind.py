"""Blind indexes and what else is made of their keys, while one rotates."""

import base64
import hmac
from datetime import UTC, datetime

import pytest

from shared.errors import InvariantError
from shared.keys import versions
from shared.keys.blind import BlindIndex, Index
from shared.keys.devices import known_device, new_device
from shared.keys.vault import Versions
from shared.values.mailbox import mailbox
from tests.support.stand_in import StandIn

ANNA = mailbox("anna@t.example")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Before(StandIn):
    """Of an installation of before: keys of its own for version 1."""

    async def kv(self, path: str) -> dict[str, str]:
        assert path == "customers/blind"
        return {"email": "01" * 32, "phone": "02" * 32}


@pytest.fixture(autouse=True)
def _asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "REFRESH_SECONDS", 0.0)


def _blind(vault: StandIn) -> BlindIndex:
    return BlindIndex("customers", vault)  # type: ignore[arg-type]


async def test_a_new_version_is_looked_for_at_once_and_written_when_everybody_looks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault = StandIn()
    blind = _blind(vault)
    first = await blind.of("email", ANNA)
    assert first.version == 1 and await blind.every("email", ANNA) == [first.value]
    vault.live = Versions(2, 1)
    newer, older = await blind.every("email", ANNA)
    assert older == first.value != newer
    assert await blind.of("email", ANNA) == first, "somebody may not look for the new one yet"
    monkeypatch.setattr(versions, "SETTLE_SECONDS", 0.0)
    assert await blind.of("email", ANNA) == Index(newer, 2)
    vault.live = Versions(2, 2)
    assert await blind.every("email", ANNA) == [newer]


async def test_who_begins_while_a_key_rotates_writes_the_old_version_until_the_new_one_has_settled() -> None:
    vault = StandIn()
    vault.live = Versions(2, 1)
    assert (await _blind(vault).of("email", ANNA)).version == 1
    vault.live = Versions(2, 2)
    assert (await _blind(vault).of("email", ANNA)).version == 2, "there is no other"


async def test_the_keys_of_an_installation_of_before_are_its_version_1_and_no_other() -> None:
    vault = _Before()
    before = await _blind(vault).of("email", ANNA)
    assert before.value == hmac.digest(bytes.fromhex("01" * 32), b"email\0anna@t.example", "sha256")
    vault.live = Versions(2, 1)
    newer, older = await _blind(vault).every("email", ANNA)
    assert older == before.value
    plain = StandIn()
    plain.live = Versions(2, 2)
    assert [newer] == await _blind(plain).every("email", ANNA)


async def test_a_fields_key_is_what_vault_makes_of_its_name() -> None:
    """What is stored is found again by another process, and by the next version of this one."""
    vault = StandIn()
    (made,) = await vault.hmac("kept-customers-blind", [b"blind index email"], 1)
    key = base64.b64decode(made.rpartition(":")[2])
    assert (await _blind(vault).of("email", ANNA)).value == hmac.digest(key, b"email\0anna@t.example", "sha256")


async def test_fields_and_services_have_keys_of_their_own() -> None:
    vault = StandIn()
    blind = _blind(vault)
    other = BlindIndex("identity", vault)  # type: ignore[arg-type]
    found = [*await blind.every("email", ANNA), *await blind.every("phone", ANNA), *await other.every("email", ANNA)]  # type: ignore[arg-type]
    assert len({*found, await blind.tag("email", ANNA, "x")}) == 4
    with pytest.raises(InvariantError):
        await blind.of("name", ANNA)


async def test_a_known_device_is_known_across_a_rotation_until_the_trim() -> None:
    vault = StandIn()
    blind = _blind(vault)
    token = await new_device(blind, ANNA, NOW)
    vault.live = Versions(2, 1)
    assert await known_device(blind, [ANNA], token, NOW)
    assert await known_device(blind, ["another", ANNA], token, NOW), "by any of the addresses that one mailbox has"
    assert not await known_device(blind, ["another"], token, NOW)
    vault.live = Versions(2, 2)
    assert not await known_device(blind, [ANNA], token, NOW)
