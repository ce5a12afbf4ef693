"""The envelope: what is written is read back, and what differs is refused without being quoted."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access.actor import Actor
from shared.bus import outbox
from shared.bus.envelope import Record, parse, to_record
from shared.bus.event import Event
from shared.errors import MalformedError, TooLargeError

AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Noted(Event, type="kept.customers.envelope.noted.v1"):
    text: str = ""
    n: int = 0


def _record(**changes: bytes | None) -> Record:
    headers = dict(to_record(Noted(subject="sub_1", n=1), Actor.system("customers"), AT, "id-1", TRACE).headers)
    value: bytes | None = b"{}"
    for name, new in changes.items():
        if name == "value":
            value = new
        elif new is None:
            headers.pop(name.replace("__", "-"))
        else:
            headers[name.replace("__", "-")] = new
    return Record("kept.customers", b"sub_1", tuple(headers.items()), value)


def test_a_complete_record() -> None:
    record = to_record(Noted(subject="sub_1", text="é", n=2), Actor.system("customers"), AT, "id-1", TRACE)
    assert record.topic == "kept.customers" and record.key == b"sub_1"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"id-1",
        "ce_type": b"kept.customers.envelope.noted.v1",
        "ce_source": b"/services/customers",
        "ce_time": b"2026-01-02T03:04:05.000006Z",
        "ce_actor": b"system:customers",
        "content-type": b"application/json",
        "ce_subject": b"sub_1",
        "traceparent": TRACE.encode(),
    }
    assert record.value == '{"text":"é","n":2}'.encode()


def test_the_session_of_who_did_it_travels_and_is_absent_where_there_is_none() -> None:
    jane = Actor("sub_jane", "user", session="ses_1")
    record = to_record(Noted(subject="sub_1", n=1), jane, AT, "id-1")
    assert dict(record.headers)["ce_session"] == b"ses_1" and parse(record).session == "ses_1"
    assert parse(_record()).session is None
    assert parse(_record(ce_session=b"of another system")).session == "of another system"


@given(st.text(max_size=50), st.integers(-(2**53), 2**53), st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back(text: str, n: int, at: datetime) -> None:
    event = Noted(subject="sub_1", text=text, n=n)
    found = parse(to_record(event, Actor.subject("sub_9"), at, "id-1", TRACE))
    assert (found.id, found.type, found.source) == ("id-1", event.type_, "/services/customers")
    assert (found.time, found.subject, found.actor, found.traceparent) == (at, "sub_1", "sub_9", TRACE)
    assert Noted.model_validate({**found.data, "subject": found.subject}) == event


@pytest.mark.parametrize(
    "changes",
    [
        {"ce_specversion": b"0.3"},
        {"ce_specversion": None},
        {"ce_id": None},
        {"ce_id": b""},
        {"ce_id": b"a\nb"},
        {"ce_type": None},
        {"ce_source": None},
        {"ce_time": b"yesterday"},
        {"ce_time": b"2026-13-01T00:00:00Z"},
        {"ce_time": b"2026-01-01T00:00:00"},
        {"ce_subject": b"\xff"},
        {"ce_type": b"x" * 2000},
        {"content__type": b"text/plain"},
        {"value": None},
        {"value": b""},
        {"value": b"[]"},
        {"value": b"{"},
        {"value": b'{"a":1,"a":2}'},
        {"value": b'{"a":NaN}'},
        {"value": b"\xff\xfe"},
        {"value": b"[" * 100_000},
    ],
)
def test_what_differs_is_refused(changes: dict[str, bytes | None]) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(_record(**changes))
    assert "yesterday" not in str(caught.value)


def test_a_header_twice_is_refused() -> None:
    record = _record()
    with pytest.raises(MalformedError):
        parse(Record(record.topic, record.key, (*record.headers, ("ce_id", b"id-2")), record.value))


def test_foreign_headers_are_not_ours_to_judge() -> None:
    record = _record(x_other=b"\xff", ce_keptlocator=b"loc_1_aa")
    assert parse(record).extensions == {"keptlocator": "loc_1_aa"}


def test_a_broken_trace_does_not_cost_the_event() -> None:
    assert parse(_record(traceparent=b"nonsense")).traceparent is None


@given(st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=5), st.one_of(st.none(), st.binary()))
def test_nothing_makes_it_fail_in_another_way(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    for pairs in (headers, [*_record().headers, *headers]):
        with contextlib.suppress(MalformedError):
            parse(Record("t", None, tuple(pairs), value))


def test_an_event_has_a_limit() -> None:
    event = Noted(text="x" * (outbox.EVENT_BYTES_MAX + 1))
    with pytest.raises(TooLargeError):
        outbox.row("id-1", to_record(event, Actor.system("customers"), AT, "id-1"))


@given(st.binary(max_size=60))
def test_a_key_has_one_lock_of_few(key: bytes) -> None:
    assert outbox.lock_of(key) == outbox.lock_of(key)
    assert 0 <= outbox.lock_of(key) - 4_720_000 < outbox.LOCK_BUCKETS
