"""The operator's Vault: it makes versions of keys and takes old ones away. It can neither open nor sign anything."""

import json
from collections.abc import Mapping, Sequence

from services.backup.rotation.model import BLIND, Key
from shared.errors import NotFoundError
from shared.keys.blind import key_name, stored
from shared.keys.vault import Vault

MARK = "rotation/current"


async def look(vault: Vault, names: Sequence[str]) -> list[Key]:
    """Each key as it is now. NotFoundError for one that is not there."""
    before = {key_name(one) for one in BLIND if await vault.kv_there(stored(one))}
    found = [(name, await vault.versions(name)) for name in names]
    return [Key(name, versions.newest, versions.oldest, name in before) for name, versions in found]


async def trim(vault: Vault, key: Key) -> None:
    """1. The older versions of a key go. 2. What an installation of before has of the first one beside it: then nobody asks for
    it any more."""
    if key.oldest < key.newest:
        await vault.trim(key.name, key.newest)
    if key.before:
        (service,) = [one for one in BLIND if key_name(one) == key.name]
        await vault.kv_destroy(stored(service))


async def before(vault: Vault) -> Mapping[str, int] | None:
    """The versions that the rotation under way began with; None where none is."""
    try:
        mark = await vault.kv(MARK)
    except NotFoundError:
        return None
    found: dict[str, int] = json.loads(mark["before"])
    return found or None


async def begin(vault: Vault, keys: Sequence[Key]) -> Mapping[str, int]:
    """Written before the first key is rotated."""
    found = {key.name: key.newest for key in keys}
    await vault.kv_put(MARK, {"before": json.dumps(found)})
    return found


async def end(vault: Vault) -> None:
    """It is over."""
    await vault.kv_put(MARK, {"before": "{}"})
