"""The facts of an entry in the plainest way: what services/audit/index/facts.py is held to."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from services.audit.index.facts import HEADERS, SHOWN, YEARS, Facts
from services.audit.log.entry import Entry, Kind
from shared.ids import is_id


def facts_of(entry: Entry) -> Facts:
    """The facts of an entry. Of sealed entries only what stands in clear; a gap is an event without an id."""
    headers = {
        name: value.decode("utf-8", "replace")
        for name, value in reversed(entry.headers)
        if name in HEADERS and value is not None
    }
    data = _data(entry)
    subject = headers.get("ce_subject", "")
    subject = subject if is_id(subject, "sub") else ""
    subjects = [s for s in _texts(data.get("subjects"))[:1000] if is_id(s, "sub")]
    kind = _clean(headers.get("ce_type", ""))[:200]
    look = ".viewed.v" in kind
    purpose, locators = data.get("purpose"), _texts(data.get("locators"))
    about = tuple(dict.fromkeys([*([subject] if subject else []), *subjects]))
    detail = _detail(data, look) if data else {}
    if subjects and about != (subject,):
        detail["subjects"] = list(about)
    if headers.get("ce_session"):
        detail["session"] = _clean(headers["ce_session"])[:64]
    return Facts(
        ce_id=_clean(headers.get("ce_id", ""))[:64],
        type=kind or f"({entry.kind.name.lower()})",
        actor=_clean(headers.get("ce_actor", ""))[:100],
        subject=subject,
        time=_time(headers.get("ce_time", ""), entry.place.timestamp),
        trace=_clean(headers.get("traceparent", ""))[3:35],
        purpose=_clean(purpose)[:200] if isinstance(purpose, str) else "",
        look=look,
        about=about,
        locators=tuple(_clean(x) for x in locators if x.startswith("loc_") and len(x) <= 100)[:100] if subject else (),
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
    if isinstance(data.get("refused_columns"), list):
        shown["refused_columns"] = len(data["refused_columns"])
    fields = data.get("fields")
    if isinstance(fields, dict):
        # Of a look: field -> level. Of a change: the names alone, the values are ciphertext.
        levels = _storable(fields)
        if look and levels:
            shown["fields"] = levels
        elif not look:
            shown["changed"] = sorted(_clean(str(name))[:200] for name in fields)[:50]
    return shown


def _storable(value: object) -> Any:
    """A short text, a number, or a list or mapping of such; None for anything else."""
    if isinstance(value, str):
        return _clean(value[:200])
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, list):
        return [_clean(one[:200]) for one in value[:50] if isinstance(one, str)]
    if isinstance(value, dict):
        pairs = [(_clean(str(name))[:200], one) for name, one in list(value.items())[:50]]
        return {name: _storable(one) for name, one in pairs if isinstance(one, str | bool | int)}
    return None


def _clean(text: str) -> str:
    """PostgreSQL keeps neither NUL nor lone surrogates; the log itself has the exact bytes."""
    return "".join("\ufffd" if one == "\0" else "?" if "\ud800" <= one <= "\udfff" else one for one in text)


def _texts(value: object) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _time(text: str, milliseconds: int) -> datetime:
    """What the event says, else what the broker says, else 1970: a time proves nothing, and must not stop the index."""
    for said in (lambda: datetime.fromisoformat(text), lambda: datetime.fromtimestamp(max(milliseconds, 0) / 1000, UTC)):
        with suppress(ValueError, OverflowError, OSError):
            at = said()
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
            if at.year in YEARS:
                return at
    return datetime(1970, 1, 1, tzinfo=UTC)
