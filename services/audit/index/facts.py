"""What the index remembers of an entry: pure. Nothing that a publisher writes can stop it, or make it remember much."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json

from services.audit.log.entry import Entry, Kind
from shared.ids import is_id

VIEWED = ".viewed.v"
LOCATOR = "loc_"
SUBJECTS_MAX = 1_000  # of one look: a page is far smaller
LOCATORS_MAX, LOCATOR_CHARS_MAX = 100, 100  # of one person; ours have 70
ID_CHARS_MAX, TYPE_CHARS_MAX, ACTOR_CHARS_MAX, TRACE_CHARS_MAX = 64, 200, 100, 35
DETAIL_CHARS_MAX, DETAIL_ITEMS_MAX = 200, 50  # of one member of an event that search shows
INTEGERS = range(-(2**63) + 1, 2**63)
YEARS = range(2, 9999)  # a database in another time zone than UTC must be able to read them back
CACHED_MAX = 4_096  # types and actors that are remembered, of a few hundred bytes each
# Members of our own events that search shows: rights, reasons, counts, ids. Never `fields` of a change: that is ciphertext.
SHOWN = frozenset(
    (
        "action", "amr", "approval_id", "approvers", "backup_id", "checks", "created", "decision", "drill_id", "due", "filters",
        "first", "format", "holder", "how", "import_id", "kind", "last", "law", "outcome", "owner", "reason", "refused_columns",
        "request_id", "resource", "restore_id", "right", "roles", "rows", "searched", "shard",
        "alarm", "ground", "level", "reference", "requester",
    )
)  # fmt: skip
HEADERS = frozenset(("ce_id", "ce_type", "ce_subject", "ce_actor", "ce_session", "ce_time", "traceparent"))


class Facts(NamedTuple):
    """`look`: a reading of personal data. `about`: everybody whom the event concerns. `detail`: what SHOWN allows,
    and the session."""

    ce_id: str
    type: str
    actor: str
    subject: str
    time: datetime
    trace: str
    purpose: str
    look: bool
    about: tuple[str, ...]
    locators: tuple[str, ...]
    detail: dict[str, Any]


def facts_of(entry: Entry) -> Facts:
    """The facts of an entry. Of sealed entries only what stands in clear; a gap is an event without an id."""
    headers = {name: value for name, value in reversed(entry.headers) if value is not None}  # the first of a name counts
    return facts_from(entry.kind, entry.place.timestamp, headers, entry.value)


def facts_from(kind: Kind, milliseconds: int, headers: Mapping[str, bytes], value: bytes | None) -> Facts:
    """`facts_of` the parts of an entry; of its headers, HEADERS are enough."""
    get = headers.get
    type_, look = _type(get("ce_type", b"")[: 4 * TYPE_CHARS_MAX])
    subject = get("ce_subject", b"").decode("utf-8", "replace")
    subject = subject if is_id(subject, "sub") else ""
    data, plain = _data(value) if kind is Kind.RECORD and value is not None else (None, True)
    about: tuple[str, ...] = (subject,) if subject else ()
    locators: tuple[str, ...] = ()
    purpose, detail = "", dict[str, Any]()
    if data:
        purpose, detail = _purpose(data), _detail(data, look)
        if not plain:
            purpose, detail = _clean(purpose), _cleaned(detail)
        locators = _locators(data) if subject else ()
        subjects = [s for s in _texts(data.get("subjects"))[:SUBJECTS_MAX] if (s == subject and s) or is_id(s, "sub")]
        if subjects and subjects != [subject]:
            about = tuple(dict.fromkeys((*about, *subjects)))
            if about != (subject,):
                detail["subjects"] = list(about)
    if session := get("ce_session"):
        detail["session"] = _text(session, ID_CHARS_MAX)
    return Facts(
        _text(get("ce_id", b""), ID_CHARS_MAX),
        type_ or f"({kind.name.lower()})",
        _actor(get("ce_actor", b"")[: 4 * ACTOR_CHARS_MAX]),
        subject,
        _time(get("ce_time"), milliseconds),
        _text(get("traceparent", b""), TRACE_CHARS_MAX)[3:],
        purpose,
        look,
        about,
        locators,
        detail,
    )


def _text(raw: bytes, most: int) -> str:
    """The first `most` characters, as PostgreSQL can keep them. A character is at most four bytes."""
    if len(raw) > most:
        raw = raw[: 4 * most]
    return _clean(raw.decode("utf-8", "replace"))[:most]


@lru_cache(CACHED_MAX)
def _type(raw: bytes) -> tuple[str, bool]:
    """(type, whether it tells of a look)."""
    text = _text(raw, TYPE_CHARS_MAX)
    return text, VIEWED in text


@lru_cache(CACHED_MAX)
def _actor(raw: bytes) -> str:
    return _text(raw, ACTOR_CHARS_MAX)


def _data(value: bytes) -> tuple[Mapping[str, Any] | None, bool]:
    """The members of a JSON object, or None. And whether all its texts are plain, so that none needs `_clean`: what is ASCII
    and escapes no character by its number has neither NUL nor surrogates."""
    try:
        found, plain = from_json(value), value.isascii() and b"\\u" not in value
    except ValueError:
        found, plain = _by_the_book(value), False
    return found if isinstance(found, dict) else None, plain


def _by_the_book(value: bytes) -> object:
    """What the quicker parser does not take and the standard library's does: lone surrogates, UTF-16, deep nesting."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _purpose(data: Mapping[str, Any]) -> str:
    purpose = data.get("purpose")
    return purpose[:DETAIL_CHARS_MAX] if isinstance(purpose, str) else ""


def _locators(data: Mapping[str, Any]) -> tuple[str, ...]:
    found = [_clean(x) for x in _texts(data.get("locators")) if x.startswith(LOCATOR) and len(x) <= LOCATOR_CHARS_MAX]
    return tuple(found[:LOCATORS_MAX])


def _detail(data: Mapping[str, Any], look: bool) -> dict[str, Any]:
    shown = {name: kept for name, value in data.items() if name in SHOWN and (kept := _storable(value)) is not None}
    if isinstance(named := data.get("refused_columns"), list):  # of an import before version 2: what a file called them
        shown["refused_columns"] = len(named)
    fields = data.get("fields")
    if isinstance(fields, dict):
        # Of a look: field -> level. Of a change: the names alone, the values are ciphertext.
        if look and (levels := _storable(fields)):
            shown["fields"] = levels
        elif not look:
            shown["changed"] = sorted(_clean(name)[:DETAIL_CHARS_MAX] for name in fields)[:DETAIL_ITEMS_MAX]
    return shown


def _storable(value: object) -> Any:
    """A short text, a number, or a list or mapping of such; None for anything else."""
    if isinstance(value, str):
        return value[:DETAIL_CHARS_MAX]
    if isinstance(value, list):
        return [one[:DETAIL_CHARS_MAX] for one in value[:DETAIL_ITEMS_MAX] if isinstance(one, str)]
    if isinstance(value, dict):
        some = islice(value.items(), DETAIL_ITEMS_MAX)
        return {name[:DETAIL_CHARS_MAX]: _storable(one) for name, one in some if isinstance(one, str | bool | int)}
    return value if isinstance(value, bool) or (isinstance(value, int) and value in INTEGERS) else None


def _cleaned(value: Any) -> Any:
    """`_clean` of every text of what `_detail` gave."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return {_clean(name): _cleaned(one) for name, one in value.items()} if isinstance(value, dict) else value


def _clean(text: str) -> str:
    """PostgreSQL keeps neither NUL nor lone surrogates; the log itself has the exact bytes."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _texts(value: object) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _time(raw: bytes | None, milliseconds: int) -> datetime:
    """What the event says, else what the broker says, else 1970: a time proves nothing, and must not stop the index."""
    try:
        at = datetime.fromisoformat((raw or b"").decode("utf-8", "replace"))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if at.year in YEARS:
            return at
    except (ValueError, OverflowError):
        pass
    try:
        at = datetime.fromtimestamp(max(milliseconds, 0) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1, tzinfo=UTC)
    return at if at.year in YEARS else datetime(1970, 1, 1, tzinfo=UTC)
