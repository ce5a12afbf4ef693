"""Data keys that Vault wrapped before somebody needs one: who makes one key has some more wrapped in the same call, and the
next ones need none.

A key encryption key may be rotated meanwhile, and its old version trimmed once every living key stands under the new one
(`keyring.settled`). A key that was wrapped before and stored after would be lost for good. So a prepared key is stored only
beside a living one under the same version: where all are settled under a newer one, there is none (docs/decisions/0051).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from shared import trips
from shared.keys.cipher import DataKey, new_data_key
from shared.keys.vault import Vault
from shared.locks import Lock
from shared.trips import Statement

READY_MAX = 32  # wrapped more than are needed, and unused until then
AT_ONCE_MAX = 4  # whoever makes more keys than these has them all wrapped
MAKING = Statement(f"SELECT pg_advisory_xact_lock_shared({Lock.KEYS:d})")
_STORE = """
INSERT INTO data_keys (subject, version, wrapped)
SELECT one.subject, %(version)s, one.wrapped
FROM unnest(%(subjects)s::text[], %(wrapped)s::text[]) AS one (subject, wrapped){beside}
ON CONFLICT DO NOTHING RETURNING subject"""
_BESIDE = """
JOIN data_keys AS beside ON beside.subject = %(beside)s AND beside.current AND beside.kek_version = %(kek)s"""


@dataclass(frozen=True)
class CoveredKey:
    """A data key, in clear and wrapped."""

    key: DataKey
    cover: str

    @property
    def kek(self) -> int:
        """The version of the key that wraps it."""
        return int(self.cover.split(":", 2)[1][1:])


class Prepared:
    """Of one service's process. A key is given away once."""

    def __init__(self, vault: Vault, kek: str) -> None:
        self._vault = vault
        self._kek = kek
        self._ready: list[CoveredKey] = []
        self._beside = ""  # whose key was made with these

    async def stored(self, session: AsyncSession, subjects: Sequence[str]) -> dict[str, CoveredKey]:
        """Of these people, who have a prepared key now; none where there is none that may be stored. UnavailableError without
        Vault (P5)."""
        if not 0 < len(subjects) <= len(self._ready):
            return {}
        await self._vault.require()
        if len(subjects) > len(self._ready):
            return {}
        keys = [self._ready.pop() for _ in subjects]
        beside = {"beside": self._beside, "kek": keys[0].kek}
        text = _STORE.format(beside=_BESIDE)
        _, rows = await trips.together(session, [MAKING, Statement(text, _values(subjects, keys) | beside)])
        if not rows:
            self._ready.clear()
        return _ours(rows, subjects, keys)

    async def make(self, session: AsyncSession, subjects: Sequence[str]) -> dict[str, CoveredKey]:
        """Of these people, who have a fresh key now: not who had one already."""
        await trips.together(session, [MAKING])  # before anything is wrapped
        spare = READY_MAX if len(subjects) <= AT_ONCE_MAX else 0
        fresh = [new_data_key() for _ in range(len(subjects) + spare)]
        covers = await self._vault.encrypt(self._kek, [one.secret for one in fresh])
        keys = [CoveredKey(key, cover) for key, cover in zip(fresh, covers, strict=True)]
        mine = keys[: len(subjects)]
        (rows,) = await trips.together(session, [Statement(_STORE.format(beside=""), _values(subjects, mine))])
        if spare and rows:
            self._ready, self._beside = keys[len(subjects) :], rows[0][0]
        return _ours(rows, subjects, mine)


def _values(subjects: Sequence[str], keys: Sequence[CoveredKey]) -> dict[str, object]:
    return {"subjects": list(subjects), "wrapped": [one.cover for one in keys], "version": keys[0].key.version}


def _ours(rows: Sequence[trips.Row], subjects: Sequence[str], keys: Sequence[CoveredKey]) -> dict[str, CoveredKey]:
    ours = {subject for (subject,) in rows}
    return {subject: key for subject, key in zip(subjects, keys, strict=True) if subject in ours}
