"""Which records are stored as they came, and how the others are sealed (docs/log-format.md section 3).

Decided by topic and envelope alone, so that every version of this software decides alike.
"""

from datetime import UTC, datetime
from functools import lru_cache

from services.audit.log.entry import Entry, Kind, encode_clear, encode_head, parse_payload
from services.audit.log.headers import Ending, Outlined, encode_payload, encode_staying
from shared.errors import MalformedError
from shared.ids import is_id
from shared.keys.cipher import DataKey
from shared.keys.deterministic import PlaceCipher, nonce_for

_SERVICES = ("identity", "customers", "audit", "backup", "dsar")
# Since version 2 of the rule each holder answers on a topic of its own: ours as they come, another team's sealed like all
# of its.
OWN_TOPICS = frozenset(
    (
        *(f"kept.{service}" for service in _SERVICES), "kept.dsar.commands", "kept.dsar.answers",
        *(f"kept.dsar.answers.{service}" for service in _SERVICES),
    )
)  # fmt: skip
_SUBJECTS = 10_000  # whose names are remembered as such
_DAY_SECONDS = 86_400
_DAY_MAX = 253_402_300_799 // _DAY_SECONDS  # 9999-12-31, the last that datetime has


def is_own(topic: str, headers: Outlined) -> bool:
    """Whether the record is stored as it came: one of our event topics, with a whole envelope and nothing besides."""
    return headers[0].is_envelope and topic in OWN_TOPICS


def sealing_name(topic: str, timestamp: int, headers: Outlined) -> str:
    """The name of the key that seals the record: its subject's, where it names one of our pseudonyms; else the topic's and
    month's."""
    outline, contents = headers
    for at in outline.subjects:
        if name := _subject(contents[at]):
            return name
    return _monthly(topic, timestamp // 1000 // _DAY_SECONDS)


@lru_cache(maxsize=_SUBJECTS)
def _subject(raw: bytes) -> str | None:
    text = raw.decode("ascii", "replace")
    return text if is_id(text, "sub") else None


@lru_cache(maxsize=1000)
def _monthly(topic: str, day: int) -> str:
    day = min(max(day, 0), _DAY_MAX)  # a producer may claim any time: what no calendar has must not stop the log
    return f"{topic}/{datetime.fromtimestamp(day * _DAY_SECONDS, UTC):%Y-%m}"


def is_subjects(sealing: str) -> bool:
    """Whether a sealing key is a subject's own, which a shred destroys: only the others have a `/` in their name."""
    return "/" not in sealing


def encode_sealed(
    head: bytes, headers: Outlined, key: bytes | None, value: bytes | None, name: str, cipher: PlaceCipher
) -> bytes:
    """The SEALED entry of a record, encoded; `head` is its encoded head. The same record and key always give the same bytes."""
    clear = encode_in_clear(head, headers, name)
    return clear + cipher.seal(nonce_for(head), encode_payload(headers, key, value), clear)


def encode_in_clear(head: bytes, headers: Outlined, name: str) -> bytes:
    """What stands in clear of a sealed record; after the head of a FORGOTTEN one, the whole entry of a record that came after
    its subject was erased: that it was there, and nothing of what it said."""
    return encode_staying(head, headers, _ending(name))


@lru_cache(maxsize=_SUBJECTS)
def _ending(name: str) -> Ending:
    return Ending.of(name.encode("utf-8", "surrogateescape"), about=is_subjects(name))


def opened(entry: Entry, data_key: DataKey) -> Entry:
    """The record inside a SEALED entry. TamperError, MalformedError."""
    if entry.kind is not Kind.SEALED:
        raise MalformedError("the entry is not sealed")
    head = encode_head(entry.kind, entry.place)
    raw = PlaceCipher(data_key).open(nonce_for(head), entry.body, encode_clear(head, entry.headers, entry.sealing))
    headers, key, value = parse_payload(raw)
    return Entry(Kind.RECORD, entry.place, headers, key, value)
