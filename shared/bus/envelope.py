"""CloudEvents 1.0 over Kafka, binary content mode (DESIGN.md section 4).

    ce_specversion: 1.0                      ce_subject: sub_018f…            (where there is one)
    ce_id: 018f3a2e-…                        ce_actor: sub_018f… | system:customers
    ce_type: kept.customers.customer.created.v1
    ce_source: /services/customers           traceparent: 00-…                (where there is one)
    ce_time: 2026-01-02T03:04:05.000006Z     ce_session: ses_018f…            (the actor's, where there is one)
    content-type: application/json
    key = subject or aggregate id            value = one JSON object

`parse` is strict: a record that differs is MalformedError, whose text names the header and never its value.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.access.actor import Actor
from shared.bus.event import Event
from shared.clock import rfc3339
from shared.errors import MalformedError

HEADER_BYTES_MAX = 1024  # one attribute; ids and types are far shorter
CONTENT_TYPE = "application/json"
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$")
_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_REQUIRED = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type")
_KNOWN = {*_REQUIRED, "ce_subject", "ce_actor", "ce_session", "traceparent"}


@dataclass(frozen=True)
class Record:
    """What goes over the wire."""

    topic: str
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None


@dataclass(frozen=True)
class Envelope:
    """What a handler sees. `extensions`: further CloudEvents attributes, by name without `ce_`."""

    id: str
    type: str
    source: str
    time: datetime
    subject: str | None
    actor: str | None
    traceparent: str | None
    data: Mapping[str, Any]
    session: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)


class Wire(Protocol):
    """A record as a Kafka client or our own `Record` presents it."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...
    @property
    def value(self) -> bytes | None: ...


def to_record(event: Event, actor: Actor, time: datetime, ce_id: str, traceparent: str | None = None) -> Record:
    """`event` as the record that tells of it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": ce_id,
        "ce_type": event.type_,
        "ce_source": event.source,
        "ce_time": rfc3339(time),
        "ce_actor": actor.id,
        "content-type": CONTENT_TYPE,
    }
    if event.subject is not None:
        headers["ce_subject"] = event.subject
    if actor.session:
        headers["ce_session"] = actor.session
    if traceparent:
        headers["traceparent"] = traceparent
    return Record(
        topic=event.topic,
        key=event.key().encode(),
        headers=tuple((name, value.encode()) for name, value in headers.items()),
        value=event.model_dump_json().encode(),
    )


def parse(record: Wire) -> Envelope:
    """The envelope of `record`.

    1. Headers: each once, UTF-8, of sane length. 2. Required attributes. 3. Time and trace. 4. Body: one JSON object.
    """
    headers = _headers(record.headers)
    for name in _REQUIRED:
        if not headers.get(name):
            raise MalformedError(f"header {name} is missing")
    if headers["ce_specversion"] != "1.0":
        raise MalformedError("header ce_specversion is not 1.0")
    if headers["content-type"].partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise MalformedError("header content-type is not application/json")
    traceparent = headers.get("traceparent")
    if traceparent is not None and not _TRACEPARENT.fullmatch(traceparent):
        traceparent = None  # W3C Trace Context §3.2: what cannot be parsed is ignored, the event still counts
    return Envelope(
        id=headers["ce_id"],
        type=headers["ce_type"],
        source=headers["ce_source"],
        time=_time(headers["ce_time"]),
        subject=headers.get("ce_subject") or None,
        actor=headers.get("ce_actor") or None,
        traceparent=traceparent,
        data=_body(record.value),
        session=headers.get("ce_session") or None,
        extensions={name[3:]: v for name, v in headers.items() if name.startswith("ce_") and name not in _KNOWN},
    )


def _headers(pairs: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, raw in pairs:
        if not name.startswith("ce_") and name not in _KNOWN:
            continue  # not ours to judge
        if name in found:
            raise MalformedError(f"header {name} stands twice" if name in _KNOWN else "a header stands twice")
        if raw is None or len(raw) > HEADER_BYTES_MAX:
            raise MalformedError("a header is empty or too long")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("a header is not UTF-8") from None
        if not text.isprintable():
            raise MalformedError("a header holds control characters")
        found[name] = text
    return found


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise MalformedError("header ce_time is not RFC 3339")
    try:
        # datetime keeps microseconds; finer digits are cut
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00"))
    except ValueError:
        raise MalformedError("header ce_time is not RFC 3339") from None


def _body(value: bytes | None) -> dict[str, Any]:
    try:
        data = json.loads(value or b"", object_pairs_hook=_no_doubles, parse_constant=_no_constants)
    except (ValueError, RecursionError):
        raise MalformedError("the body is not JSON") from None
    if not isinstance(data, dict):
        raise MalformedError("the body is not a JSON object")
    return data


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a member stands twice")
    return data


def _no_constants(name: str) -> Any:
    raise ValueError("not JSON")  # NaN and Infinity, which Python would take
