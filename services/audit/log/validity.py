"""How long each version of the log's key signs: `/log/keys.json`, beside the plain list of vkeys. Pure.

A version signs from its making until the next one is made: Vault signs with the newest. What it signed stays valid for ever;
`valid_until` says that nothing newer should carry its signature alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from shared.errors import MalformedError
from shared.keys.vault import KeyVersion
from shared.notes.note import parse_vkey, vkey


@dataclass(frozen=True)
class Valid:
    """One version of the key under the name of one shard's origin. Times are RFC 3339; None: it signs now."""

    name: str
    vkey: str
    valid_from: str
    valid_until: str | None


_KEYS = TypeAdapter(list[Valid])


def of(name: str, versions: Mapping[int, KeyVersion]) -> list[Valid]:
    """The versions of a key, oldest first, under `name`."""
    order = [versions[number] for number in sorted(versions)]
    ends = [one.created for one in order[1:]] + [None]
    return [Valid(name, vkey(name, one.public), one.created, end) for one, end in zip(order, ends, strict=True)]


def parse(raw: bytes) -> list[Valid]:
    """The keys of the file. MalformedError where it is another's: a vkey that is none, or of another name."""
    try:
        found = _KEYS.validate_json(raw)
    except ValueError:
        raise MalformedError("keys.json is not a list of keys with their times") from None
    if any(parse_vkey(one.vkey).name != one.name for one in found):
        raise MalformedError("keys.json has a key under another name")
    return found


def encode(keys: Sequence[Valid]) -> bytes:
    """The file: one object a key, in the order of `/log/keys`."""
    return json.dumps([asdict(one) for one in keys], indent=1).encode() + b"\n"
