"""Which records are stored as they came, and how the others are sealed (docs/log-format.md section 3).

Decided by topic and envelope alone, so that every version of this software decides alike.
"""

from datetime import UTC, datetime
from functools import lru_cache

from services.audit.log.entry import (
    Entry,
    Headers,
    Kind,
    Place,
    encode_clear,
    encode_head,
    encode_payload,
    parse_payload,
)
from shared.errors import MalformedError
from shared.ids import is_id
from shared.keys.cipher import DataKey
from shared.keys.deterministic import PlaceCipher, nonce_for

OWN_TOPICS = frozenset(
    ("kept.identity", "kept.customers", "kept.audit", "kept.backup", "kept.dsar", "kept.dsar.commands", "kept.dsar.answers")
)
_WHOLE = frozenset(("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "content-type"))
_OPTIONAL = frozenset(("ce_subject", "traceparent"))
_ENVELOPE = _WHOLE | _OPTIONAL
_ENVELOPE_MAX = len(_ENVELOPE)
_STAYS = frozenset(("ce_id", "ce_type", "ce_source", "ce_time"))  # says what and when, not who
_STAYS_BYTES_MAX = 200
_DAY_SECONDS = 86_400
_SECONDS_MAX = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second that datetime has


def is_own(topic: str, headers: Headers) -> bool:
    """Whether the record is stored as it came: one of our event topics, with a whole envelope and nothing besides."""
    if topic not in OWN_TOPICS or len(headers) > _ENVELOPE_MAX:
        return False
    names = {name for name, _ in headers}
    return len(names) == len(headers) and names >= _WHOLE and names <= _ENVELOPE


def sealing_name(topic: str, timestamp: int, headers: Headers) -> str:
    """The name of the key that seals the record: its subject's, where it names one of our pseudonyms; else the topic's and
    month's."""
    for name, value in headers:
        if name == "ce_subject" and value is not None and is_id(value.decode("ascii", "replace"), "sub"):
            return value.decode("ascii")
    # A producer may claim any time: what no calendar has must not stop the log.
    return f"{topic}/{_month(min(max(timestamp, 0) // 1000, _SECONDS_MAX) // _DAY_SECONDS)}"


@lru_cache(maxsize=1000)
def _month(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY_SECONDS, UTC).strftime("%Y-%m")


def is_subjects(sealing: str) -> bool:
    """Whether a sealing key is a subject's own, which a shred destroys: only the others have a `/` in their name."""
    return "/" not in sealing


def _clear(headers: Headers, sealing: str) -> list[tuple[str, bytes | None]]:
    kept = [one for one in headers if one[0] in _STAYS and one[1] is not None and len(one[1]) <= _STAYS_BYTES_MAX]
    if is_subjects(sealing):
        kept.append(("ce_subject", sealing.encode()))
    return kept


def encode_sealed(
    place: Place, headers: Headers, key: bytes | None, value: bytes | None, name: str, cipher: PlaceCipher
) -> bytes:
    """The SEALED entry of a record, encoded. The same record and key always give the same bytes."""
    clear = encode_in_clear(Kind.SEALED, place, headers, name)
    return clear + cipher.seal(nonce_for(encode_head(Kind.SEALED, place)), encode_payload(headers, key, value), clear)


def encode_in_clear(kind: Kind, place: Place, headers: Headers, name: str) -> bytes:
    """What stands in clear of a sealed record; as FORGOTTEN, the whole entry of a record that came after its subject was
    erased: that it was there, and nothing of what it said."""
    return encode_clear(encode_head(kind, place), _clear(headers, name), name)


def opened(entry: Entry, data_key: DataKey) -> Entry:
    """The record inside a SEALED entry. TamperError, MalformedError."""
    if entry.kind is not Kind.SEALED:
        raise MalformedError("the entry is not sealed")
    head = encode_head(entry.kind, entry.place)
    raw = PlaceCipher(data_key).open(nonce_for(head), entry.body, encode_clear(head, entry.headers, entry.sealing))
    headers, key, value = parse_payload(raw)
    return Entry(Kind.RECORD, entry.place, headers, key, value)
