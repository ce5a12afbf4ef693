"""Which records are stored as they came, and how the others are sealed (docs/log-format.md section 3).

Decided by topic and envelope alone, so that every version of this software decides alike.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.audit.log.entry import Entry, Kind, Place, encode_clear, encode_head, encode_payload, parse_payload
from shared.errors import MalformedError
from shared.ids import is_id
from shared.keys.cipher import DataKey
from shared.keys.deterministic import nonce_for, open_at, seal_at

OWN_TOPICS = frozenset(
    ("kept.identity", "kept.customers", "kept.audit", "kept.backup", "kept.dsar", "kept.dsar.commands", "kept.dsar.answers")
)
_WHOLE = frozenset(("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_actor", "content-type"))
_OPTIONAL = frozenset(("ce_subject", "traceparent"))
_STAYS = ("ce_id", "ce_type", "ce_source", "ce_time")  # says what and when, not who
_STAYS_CHARS_MAX = 200
_SECONDS_MAX = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second that datetime has
Headers = Sequence[tuple[str, bytes | None]]


def is_own(topic: str, headers: Headers) -> bool:
    """Whether the record is stored as it came: one of our event topics, with a whole envelope and nothing besides."""
    names = [name for name, _ in headers]
    known = set(names)
    return topic in OWN_TOPICS and len(names) == len(known) and known >= _WHOLE and known <= _WHOLE | _OPTIONAL


def sealing_name(place: Place, headers: Headers) -> str:
    """The name of the key that seals the record: its subject's, where it names one of our pseudonyms; else the topic's and
    month's."""
    for name, value in headers:
        if name == "ce_subject" and value is not None and is_id(value.decode("ascii", "replace"), "sub"):
            return value.decode("ascii")
    # A producer may claim any time: what no calendar has must not stop the log.
    seconds = min(max(place.timestamp, 0) // 1000, _SECONDS_MAX)
    month = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m")
    return f"{place.topic}/{month}"


def _clear(place: Place, headers: Headers, sealing: str) -> tuple[tuple[str, bytes | None], ...]:
    kept = [(n, v) for n, v in headers if n in _STAYS and v is not None and len(v) <= _STAYS_CHARS_MAX]
    if is_id(sealing, "sub"):
        kept.append(("ce_subject", sealing.encode()))
    return tuple(kept)


def sealed(place: Place, headers: Headers, key: bytes | None, value: bytes | None, name: str, data_key: DataKey) -> Entry:
    """The SEALED entry of a record. The same record and key always give the same bytes."""
    entry = Entry(Kind.SEALED, place, _clear(place, headers, name), sealing=name)
    body = seal_at(data_key, _nonce(place), encode_payload(headers, key, value), encode_clear(entry))
    return Entry(Kind.SEALED, place, entry.headers, sealing=name, body=body)


def forgotten(place: Place, headers: Headers, name: str) -> Entry:
    """The entry of a record that came after its subject was erased: that it was there, and nothing of what it said."""
    return Entry(Kind.FORGOTTEN, place, _clear(place, headers, name), sealing=name)


def opened(entry: Entry, data_key: DataKey) -> Entry:
    """The record inside a SEALED entry. TamperError, MalformedError."""
    if entry.kind is not Kind.SEALED:
        raise MalformedError("the entry is not sealed")
    raw = open_at(data_key, _nonce(entry.place), entry.body, encode_clear(entry))
    headers, key, value = parse_payload(raw)
    return Entry(Kind.RECORD, entry.place, headers, key, value)


def _nonce(place: Place) -> bytes:
    return nonce_for(encode_head(Kind.SEALED, place))
