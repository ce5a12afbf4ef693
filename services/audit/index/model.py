"""What the index remembers of an entry: pure."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from services.audit.log.entry import Entry, Kind
from shared.ids import is_id

SECONDS_MAX = 253_402_300_799  # the last second that datetime has
VIEWED = ".viewed.v"
SUBJECTS_MAX = 1_000  # of one look: a page is far smaller
LOCATOR = "loc_"


@dataclass(frozen=True)
class Facts:
    ce_id: str
    type: str
    actor: str
    subject: str
    time: datetime
    trace: str
    about: tuple[str, ...]
    locators: tuple[str, ...]
    detail: dict[str, Any] = field(default_factory=dict)


def facts_of(entry: Entry) -> Facts:
    """The facts of an entry. Of sealed entries only what stands in clear; a gap is an event without an id."""
    data = _data(entry)
    subject = entry.header("ce_subject")
    subject = subject if is_id(subject, "sub") else ""
    subjects = [s for s in _texts(data.get("subjects"))[:SUBJECTS_MAX] if is_id(s, "sub")]
    kind = _clean(entry.header("ce_type"))
    detail: dict[str, Any] = {n: data[n] for n in ("fields", "purpose", "decision") if n in data} if VIEWED in kind else {}
    return Facts(
        ce_id=_clean(entry.header("ce_id"))[:64],
        type=kind[:200] or f"({entry.kind.name.lower()})",
        actor=_clean(entry.header("ce_actor"))[:100],
        subject=subject,
        time=_time(entry),
        trace=_clean(entry.header("traceparent"))[3:35],
        about=tuple(dict.fromkeys([*([subject] if subject else []), *subjects])),
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
    return _storable(found) if isinstance(found, dict) else {}


def _clean(text: str) -> str:
    """PostgreSQL keeps neither NUL nor lone surrogates; the log itself has the exact bytes."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_clean(name): _storable(one) for name, one in value.items()}
    # JSON's NaN and Infinity are Python's, not PostgreSQL's.
    return None if isinstance(value, float) and not isfinite(value) else value


def _texts(value: object) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _time(entry: Entry) -> datetime:
    try:
        at = datetime.fromisoformat(entry.header("ce_time"))
    except ValueError:
        at = datetime.fromtimestamp(min(max(entry.place.timestamp, 0) // 1000, SECONDS_MAX), UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
