"""Locators: keyed hashes of normal forms, under every version of their key that is live."""

import pytest

from shared.errors import InvariantError
from shared.keys.locators import Locators
from shared.keys.vault import Versions
from shared.values.identifiers import Identifier, external, identifier, version_of
from shared.values.mailbox import mailbox
from shared.values.typed import number
from tests.support.stand_in import StandIn

KNOWN: list[Identifier] = [("email", mailbox("A@example.org")), ("external", external("customer", number("17")))]


class _Vault(StandIn):
    def __init__(self) -> None:
        self.asked: list[tuple[int, list[bytes]]] = []

    async def hmac(self, key: str, values: list[bytes], version: int) -> list[str]:  # type: ignore[override]  # as it is asked here
        assert key == "kept-locator"
        self.asked.append((version, values))
        return await super().hmac(key, values, version)


def _locators(vault: StandIn) -> Locators:
    return Locators(vault)  # type: ignore[arg-type]


async def test_a_locator_names_its_key_version() -> None:
    vault = _Vault()
    vault.live = Versions(3, 3)
    found = await _locators(vault).of(KNOWN)
    assert [version_of(one) for every in found for one in every] == [3, 3]
    assert vault.asked == [(3, [b"email:a@example.org", b"external:customer:17"])]


async def test_while_two_versions_are_live_there_is_one_of_each_the_newest_first() -> None:
    vault = StandIn()
    vault.live = Versions(2, 1)
    both = await _locators(vault).of(KNOWN)
    assert [[version_of(one) for one in every] for every in both] == [[2, 1], [2, 1]]
    assert len({one for every in both for one in every}) == 4
    assert await _locators(vault).of(KNOWN, since=2) == [every[:1] for every in both]
    vault.live = Versions(2, 2)
    assert await _locators(vault).of(KNOWN) == [every[:1] for every in both], "a trim changes none that stays"


async def test_a_version_that_is_trimmed_meanwhile_is_not_asked_for_twice() -> None:
    vault = StandIn()
    vault.live = Versions(2, 1)
    locators = _locators(vault)
    await locators.of(KNOWN)
    vault.live = Versions(2, 2)
    assert [len(every) for every in await locators.of(KNOWN)] == [1, 1]
    assert await locators.oldest() == 2
    vault.live = Versions(4, 4)
    with pytest.raises(InvariantError):
        await vault.hmac("kept-locator", [b""], 2)


def test_what_another_service_knows_is_brought_into_the_same_form() -> None:
    assert identifier("email", " Anna@T.example ") == ("email", "anna@t.example")
    assert identifier("phone", "0049 30 901820") == ("phone", "+4930901820")
    assert identifier("external", "invoice:00-17") == ("external", "invoice:00-17")


def test_what_is_no_locator_is_of_no_version() -> None:
    assert [version_of(one) for one in ("loc_12_ab", "loc_x_ab", "", "x_1_ab", "loc")] == [12, 0, 0, 0, 0]
