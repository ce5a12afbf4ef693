"""The audit service's own keys for records that it seals: one per subject, else one per topic and month."""

from collections.abc import Collection

from services.audit.log.head import SYSTEM
from services.audit.log.sequence import Ciphers
from shared.keys.deterministic import PlaceCipher
from shared.work import Door


class Sealer:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def ciphers(self, names: Collection[str]) -> Ciphers:
        """A cipher per name, its key made where there is none; None where the subject was erased. For one batch: the next
        one asks again, so that no shred is missed."""
        if not names:
            return {}
        async with self._door.begin(SYSTEM) as w:
            keys = await w.keyring.keys(w.session, names)
        return {name: None if key is None else PlaceCipher(key) for name, key in keys.items()}
