"""The audit service's own keys for records that it seals: one per subject, else one per topic and month."""

from collections.abc import Collection

from services.audit.log.head import SYSTEM
from services.audit.log.pins import pin
from services.audit.log.seal import is_subjects
from services.audit.log.sequence import Ciphers, Part
from services.audit.log.shard import Shard
from shared.keys.deterministic import PlaceCipher
from shared.work import Door


class Sealer:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def ciphers(self, parts: Collection[tuple[Shard, Part]]) -> Ciphers:
        """A cipher for each name, its key made where there is none; None where the subject was erased. For this batch alone:
        the next one asks again, so that no shred is missed."""
        names = {name for _, part in parts for name in part.names}
        if not names:
            return {}
        async with self._door.begin(SYSTEM) as w:
            keys = await w.keyring.keys(w.session, names)
            for shard, part in parts:
                if subjects := [name for name in part.names if is_subjects(name) and keys[name] is not None]:
                    pin(w, shard.head.shard, part.end - shard.head.base, subjects)
        return {name: None if key is None else PlaceCipher(key) for name, key in keys.items()}
