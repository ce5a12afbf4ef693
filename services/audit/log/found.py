"""What verification says of a log: faults, and the claims of the ledger. Pure."""

import base64
import binascii
import json
from dataclasses import dataclass

from services.audit.log.entry import Entry, Kind
from shared.errors import MalformedError

LEDGER_TOPIC = "kept.audit"
LEDGER_TYPE = b"kept.audit.ledger.recorded.v1"


@dataclass(frozen=True)
class Fault:
    """`kind`: checkpoint, entries, tile, large, missing, ledger, seen, witness, overlaid. `index`: of the first leaf concerned,
    or -1 for the whole file. `about`: the shard that a ledger entry speaks of."""

    file: str
    kind: str
    index: int
    detail: str
    about: str = ""


@dataclass(frozen=True)
class Claim:
    """What a ledger entry says of a shard: its tree of `size` leaves had `root`."""

    shard: str
    size: int
    root: bytes


def claims(entry: Entry) -> list[Claim]:
    """The claims of an entry, none if it is not one of the ledger's. MalformedError where the ledger can't be read."""
    ours = entry.kind is Kind.RECORD and entry.place.topic == LEDGER_TOPIC
    if not ours or entry.header("ce_type").encode() != LEDGER_TYPE:
        return []
    try:
        found = [_claim(one) for one in json.loads(entry.value or b"")["shards"]]
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise MalformedError("a ledger entry that cannot be read") from None
    return found


def _claim(one: dict[str, object]) -> Claim:
    shard, size, root = str(one["shard"]), one["size"], base64.b64decode(str(one["root"]), validate=True)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or len(root) != 32:
        raise ValueError
    return Claim(shard, size, root)
