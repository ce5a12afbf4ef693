"""What the index remembers of an entry, and what can be asked of it: pure."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel

from services.audit.log.entry import Entry, Kind
from shared.errors import InvalidInputError, MalformedError
from shared.ids import is_id

VIEWED = ".viewed.v"
LOCATOR = "loc_"
SUBJECTS_MAX = 1_000  # of one look: a page is far smaller
ID_CHARS_MAX, TYPE_CHARS_MAX, ACTOR_CHARS_MAX = 64, 200, 100
DETAIL_CHARS_MAX, DETAIL_ITEMS_MAX = 200, 50  # of one member of an event that search shows
YEARS = range(2, 9999)  # a database in another time zone than UTC must be able to read them back
# Members of our own events that search shows: rights, reasons, counts, ids. Never `fields` of a change: that is ciphertext.
SHOWN = frozenset(
    (
        "action", "amr", "approval_id", "approvers", "backup_id", "checks", "created", "decision", "drill_id", "due", "filters",
        "first", "format", "holder", "how", "import_id", "kind", "last", "law", "outcome", "reason", "refused_columns",
        "request_id", "resource", "restore_id", "right", "roles", "rows", "searched", "shard",
    )
)  # fmt: skip


_HEADERS = frozenset(("ce_id", "ce_type", "ce_subject", "ce_actor", "ce_time", "traceparent"))


@dataclass(frozen=True)
class Facts:
    """`look`: a reading of personal data. `about`: everybody whom the event concerns. `detail`: what SHOWN allows."""

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
    detail: dict[str, Any] = field(default_factory=dict)


def facts_of(entry: Entry) -> Facts:
    """The facts of an entry. Of sealed entries only what stands in clear; a gap is an event without an id."""
    headers = {
        name: value.decode("utf-8", "replace")
        for name, value in reversed(entry.headers)
        if name in _HEADERS and value is not None
    }
    data = _data(entry)
    subject = headers.get("ce_subject", "")
    subject = subject if is_id(subject, "sub") else ""
    subjects = [s for s in _texts(data.get("subjects"))[:SUBJECTS_MAX] if is_id(s, "sub")]
    kind = _clean(headers.get("ce_type", ""))[:TYPE_CHARS_MAX]
    look = VIEWED in kind
    purpose = data.get("purpose")
    about = tuple(dict.fromkeys([*([subject] if subject else []), *subjects]))
    detail = _detail(data, look) if data else {}
    if subjects and about != (subject,):
        detail["subjects"] = list(about)
    return Facts(
        ce_id=_clean(headers.get("ce_id", ""))[:ID_CHARS_MAX],
        type=kind or f"({entry.kind.name.lower()})",
        actor=_clean(headers.get("ce_actor", ""))[:ACTOR_CHARS_MAX],
        subject=subject,
        time=_time(headers.get("ce_time", ""), entry.place.timestamp),
        trace=_clean(headers.get("traceparent", ""))[3:35],
        purpose=_clean(purpose)[:DETAIL_CHARS_MAX] if isinstance(purpose, str) else "",
        look=look,
        about=about,
        locators=tuple(x for x in _texts(data.get("locators")) if x.startswith(LOCATOR)) if subject else (),
        detail=detail,
    )


def _data(entry: Entry) -> dict[str, Any]:
    if entry.kind is not Kind.RECORD or entry.value is None:
        return {}
    try:
        found = json.loads(entry.value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _detail(data: Mapping[str, Any], look: bool) -> dict[str, Any]:
    shown = {name: kept for name, value in data.items() if name in SHOWN and (kept := _storable(value)) is not None}
    fields = data.get("fields")
    if isinstance(fields, dict):
        # Of a look: field -> level. Of a change: the names alone, the values are ciphertext.
        levels = _storable(fields)
        if look and levels:
            shown["fields"] = levels
        elif not look:
            shown["changed"] = sorted(_clean(str(name))[:DETAIL_CHARS_MAX] for name in fields)[:DETAIL_ITEMS_MAX]
    return shown


def _storable(value: object) -> Any:
    """A short text, a number, or a list or mapping of such; None for anything else."""
    if isinstance(value, str):
        return _clean(value[:DETAIL_CHARS_MAX])
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, list):
        return [_clean(one[:DETAIL_CHARS_MAX]) for one in value[:DETAIL_ITEMS_MAX] if isinstance(one, str)]
    if isinstance(value, dict):
        pairs = [(_clean(str(name))[:DETAIL_CHARS_MAX], one) for name, one in list(value.items())[:DETAIL_ITEMS_MAX]]
        return {name: _storable(one) for name, one in pairs if isinstance(one, str | bool | int)}
    return None


def _clean(text: str) -> str:
    """PostgreSQL keeps neither NUL nor lone surrogates; the log itself has the exact bytes."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _texts(value: object) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _time(text: str, milliseconds: int) -> datetime:
    """What the event says, else what the broker says, else 1970: a time proves nothing, and must not stop the index."""
    try:
        at = datetime.fromisoformat(text)
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


# -- what is answered -------------------------------------------------------------------------------------------


class Seen(Protocol):
    """A row of the index, or fresh facts."""

    @property
    def ce_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def trace(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def detail(self) -> dict[str, Any]: ...


class Row(BaseModel):
    """One event as the API says it. `detail`: what it says in clear; `shard` and `index` are its place in the log."""

    id: str
    type: str
    actor: str
    subject: str | None
    time: str
    trace: str | None
    purpose: str
    shard: str
    index: int
    detail: dict[str, Any]

    @classmethod
    def of(cls, shard: str, index: int, seen: Seen) -> "Row":
        return cls(
            id=seen.ce_id, type=seen.type, actor=seen.actor, subject=seen.subject or None, trace=seen.trace or None,
            time=seen.time.astimezone(UTC).isoformat(), purpose=seen.purpose, shard=shard, index=index, detail=seen.detail,
        )  # fmt: skip

    @property
    def subjects(self) -> list[str]:
        """Everybody whom it concerns."""
        found: list[str] = self.detail.get("subjects") or ([self.subject] if self.subject else [])
        return found


# -- what can be asked ------------------------------------------------------------------------------------------

_ACTOR = re.compile(r"sub_[0-9a-f]{32}|[a-z]+:[a-z0-9_-]{1,60}")
_TYPE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\*?|[A-Za-z0-9_.-]+\*|\([a-z]{1,20}\)")
_PURPOSE = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_TRACE = re.compile(r"[0-9a-f]{32}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Filters:
    """All that are given must hold. `since` <= time < `until`. `looks`: only readings of personal data."""

    subject: str = ""
    actor: str = ""
    type: str = ""
    purpose: str = ""
    trace: str = ""
    since: datetime | None = None
    until: datetime | None = None
    looks: bool = False

    def shown(self) -> dict[str, str]:
        """For the event that tells of the reading: pseudonyms, names and times; `filters` lets nothing else in."""
        values = {n: v for n, v in vars(self).items() if v}
        return {n: v.isoformat() if isinstance(v, datetime) else str(v).lower() if v is True else v for n, v in values.items()}

    def match(self, facts: Facts) -> bool:
        """What the database answers for `actions.narrowed`, for the live tail."""
        return (
            (not self.subject or self.subject in facts.about)
            and (not self.actor or self.actor == facts.actor)
            and (not self.type or facts.type == self.type or (self.type[-1] == "*" and facts.type.startswith(self.type[:-1])))
            and (not self.purpose or self.purpose == facts.purpose)
            and (not self.trace or self.trace == facts.trace)
            and (self.since is None or self.since <= facts.time)
            and (self.until is None or facts.time < self.until)
            and (not self.looks or facts.look)
        )


def filters_of(given: Mapping[str, str]) -> Filters:
    """Filters from texts (`subject actor type purpose trace from to looks`). InvalidInputError names the field.

    Strict, since what was asked stands in an event: a name or an address typed into the wrong box must not.
    """
    texts = {name: value.strip() for name, value in given.items()}
    checks = {
        "subject": (re.compile(r"sub_[0-9a-f]{32}"), "a pseudonym: sub_ and 32 hex digits"),
        "actor": (_ACTOR, "a pseudonym (sub_…) or a service (system:customers)"),
        "type": (_TYPE, "the type of an event, or its beginning and a *"),
        "purpose": (_PURPOSE, "one word, in lower case"),
        "trace": (_TRACE, "a trace id: 32 hex digits"),
    }
    for name, (form, wanted) in checks.items():
        if texts.get(name) and (form.fullmatch(texts[name]) is None or len(texts[name]) > TYPE_CHARS_MAX):
            raise InvalidInputError(f"{name}: {wanted}", field=name)
    return Filters(
        **{name: texts.get(name, "") for name in checks},
        since=_moment("from", texts.get("from", "")),
        until=_moment("to", texts.get("to", ""), end=True),
        looks=texts.get("looks", "") in ("true", "1", "on"),
    )


def _moment(name: str, text: str, *, end: bool = False) -> datetime | None:
    """RFC 3339, or a date alone; `end`: the date's day is meant whole. Without an offset, UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        at = at + timedelta(days=1) if end and _DATE.fullmatch(text) else at
    except (ValueError, OverflowError):
        at = None
    if at is None or at.year not in YEARS:
        raise InvalidInputError(f"{name}: a time such as 2026-01-31 or 2026-01-31T12:00:00Z", field=name)
    return at


@dataclass(frozen=True)
class Cursor:
    """Where a page ended. Newer rows come before it, so that they never move what follows it."""

    time: datetime
    shard: str
    index: int

    def text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.time.isoformat(), self.shard, self.index]).encode()).decode()


def cursor_of(text: str) -> Cursor:
    """MalformedError for anything that `Cursor.text` did not make."""
    try:
        at, shard, index = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
        made = Cursor(datetime.fromisoformat(at), shard, index)
        if made.text() != text or made.time.tzinfo is None or made.time.year not in YEARS:
            raise ValueError
        if type(shard) is not str or "\x00" in shard or type(index) is not int or not 0 <= index < 2**63:
            raise ValueError
        return made
    except (ValueError, TypeError, RecursionError):
        raise MalformedError("not a cursor of this list") from None
