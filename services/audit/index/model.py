"""What can be asked of the index, and what is answered: pure. What it remembers of an entry: facts.py."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel

from services.audit.index.facts import TYPE_CHARS_MAX, YEARS, Facts
from shared.errors import InvalidInputError, MalformedError


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
