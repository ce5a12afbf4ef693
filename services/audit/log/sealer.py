"""The audit service's own keys for records that it seals: one per subject, else one per topic and month."""

from collections.abc import Iterable

from services.audit.log.head import SYSTEM
from shared.errors import ConflictError, InvariantError, ShreddedError
from shared.keys.cipher import DataKey
from shared.work import Door


class Sealer:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def keys(self, names: Iterable[str]) -> dict[str, DataKey | None]:
        """A key per name, made where there is none; None where the subject was erased."""
        found: dict[str, DataKey | None] = {}
        for name in dict.fromkeys(names):
            found[name] = await self._key(name)
        return found

    async def _key(self, name: str) -> DataKey | None:
        for _ in range(3):
            try:
                async with self._door.begin(SYSTEM) as w:
                    try:
                        return await w.keyring.key(w.session, name)
                    except InvariantError:
                        await w.keyring.create(w.session, [name])
            except ShreddedError:
                return None
            except ConflictError:
                continue  # another owner made it first
        raise InvariantError("a sealing key can be neither made nor found")
