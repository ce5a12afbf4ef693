"""How long each version of the log's key signs: `/log/keys.json`, beside the plain list of vkeys. Pure.

A version signs from its making until the next one is made: Vault signs with the newest. What it signed stays valid for ever;
`valid_until` says that nothing newer should carry its signature alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from shared.keys.vault import KeyVersion
from shared.notes.note import vkey


@dataclass(frozen=True)
class Valid:
    """One version of the key under the name of one shard's origin. Times are RFC 3339; None: it signs now."""

    name: str
    vkey: str
    valid_from: str
    valid_until: str | None


def of(name: str, versions: Mapping[int, KeyVersion]) -> list[Valid]:
    """The versions of a key, oldest first, under `name`."""
    order = [versions[number] for number in sorted(versions)]
    ends = [one.created for one in order[1:]] + [None]
    return [Valid(name, vkey(name, one.public), one.created, end) for one, end in zip(order, ends, strict=True)]


def encode(keys: Sequence[Valid]) -> bytes:
    """The file: one object a key, in the order of `/log/keys`."""
    return json.dumps([asdict(one) for one in keys], indent=1).encode() + b"\n"
