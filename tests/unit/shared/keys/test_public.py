"""Strangers who ask for keys do not reach Vault each time."""

import asyncio
from typing import cast

import pytest

from shared.errors import UnavailableError
from shared.keys import public
from shared.keys.public import PublicKeys
from shared.keys.vault import Vault


class _Vault:
    def __init__(self) -> None:
        self.asked, self.away, self.versions = 0, False, {1: bytes(32)}

    async def public_keys(self, key: str) -> dict[int, bytes]:
        await asyncio.sleep(0)
        self.asked += 1
        if self.away:
            raise UnavailableError("vault")
        return dict(self.versions)


async def test_however_many_ask_vault_is_asked_once_and_again_when_the_answer_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    vault, now = _Vault(), [100.0]
    monkeypatch.setattr(public.time, "monotonic", lambda: now[0])
    keys = PublicKeys(cast(Vault, vault))
    assert await asyncio.gather(*(keys.of("a") for _ in range(50))) == [{1: bytes(32)}] * 50
    assert vault.asked == 1
    now[0] += public.SECONDS_MAX + 1
    vault.away = True
    with pytest.raises(UnavailableError):  # nothing is served that may have been withdrawn
        await keys.of("a")


async def test_a_new_version_is_seen_by_whoever_misses_it_and_then_by_all() -> None:
    vault = _Vault()
    keys = PublicKeys(cast(Vault, vault))
    await keys.of("a")
    vault.versions[2] = bytes(32)
    assert 2 not in await keys.of("a")
    assert 2 in await keys.of("a", fresh=True)
    assert 2 in await keys.of("a")
