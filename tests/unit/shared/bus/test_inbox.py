"""How often a record is tried, what is said about it, and who may mark a replay."""

from dataclasses import dataclass

import pytest

from shared.bus import dlq
from shared.bus.inbox import TRIES, Given, until_done
from shared.errors import MalformedError, NotFoundError, UnavailableError


@dataclass
class Consumed:
    topic: str = "kept.customers"
    partition: int = 2
    offset: int = 7
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: tuple[tuple[str, bytes], ...] = (("ce_id", b"id-1"),)


async def _run(*outcomes: Exception | None) -> tuple[Given | None, list[float]]:
    left, pauses = list(outcomes), []

    async def act() -> None:
        outcome = left.pop(0)
        if outcome is not None:
            raise outcome

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    return await until_done(act, what="x", pause=pause), pauses


async def test_success_at_once() -> None:
    assert await _run(None) == (None, [])


async def test_five_tries_with_growing_pauses_then_given_up() -> None:
    given, pauses = await _run(*[ValueError("jane@example.org")] * TRIES)
    assert given == Given("ValueError", TRIES)
    assert pauses == sorted(pauses) and len(pauses) == TRIES - 1


async def test_a_late_success_counts() -> None:
    given, _ = await _run(ValueError(), NotFoundError(), None)
    assert given is None


async def test_an_outage_is_waited_for_however_long() -> None:
    given, pauses = await _run(*[UnavailableError()] * 100, None)
    assert given is None and len(pauses) == 100 and max(pauses) <= 15


async def test_an_outage_between_does_not_use_up_tries() -> None:
    given, _ = await _run(*[ValueError(), UnavailableError()] * (TRIES - 1), None)
    assert given is None


async def test_what_does_not_parse_is_given_up_at_once() -> None:
    assert await _run(MalformedError()) == (Given("malformed", 1), [])


def test_a_letter_is_the_record_and_why_it_died() -> None:
    letter = dlq.bury("customers", Consumed(), Given("conflict", 5))
    assert (letter.topic, letter.key, letter.value) == ("kept.customers.dlq", b"k", b"v")
    assert dict(letter.headers) == {
        "ce_id": b"id-1",
        dlq.REASON: b"conflict",
        dlq.TRIED: b"5",
        dlq.TOPIC: b"kept.customers",
        dlq.PARTITION: b"2",
        dlq.OFFSET: b"7",
    }


def test_a_replayed_letter_keeps_its_first_origin() -> None:
    letter = dlq.bury("customers", Consumed(topic="kept.identity"), Given("conflict", 5))
    again = Consumed("kept.customers.dlq", 0, 3, headers=(*letter.headers, (dlq.REPLAY, b"0-1")))
    assert dlq.is_replay("customers", again) and dlq.origin_topic("customers", again) == "kept.identity"
    assert dict(dlq.bury("customers", again, Given("conflict", 5)).headers)[dlq.TOPIC] == b"kept.identity"


@pytest.mark.parametrize("topic", ["kept.dsar.answers", "kept.identity.dlq"])
def test_nobody_else_can_mark_a_replay_or_forge_an_origin(topic: str) -> None:
    forged = Consumed(topic, headers=((dlq.REPLAY, b"0-1"), (dlq.TOPIC, b"kept.identity")))
    assert not dlq.is_replay("customers", forged)
    assert dlq.origin_topic("customers", forged) == topic
    assert dict(dlq.bury("customers", forged, Given("malformed", 1)).headers)[dlq.TOPIC] == topic.encode()


def test_a_letter_too_large_is_cut_but_named() -> None:
    letter = dlq.cut(dlq.bury("customers", Consumed(value=b"x" * 10), Given("malformed", 1)))
    assert letter.value == b"" and len(dict(letter.headers)[dlq.CUT]) == 64 and dict(letter.headers)[dlq.OFFSET] == b"7"


def test_a_header_name_in_other_bytes_is_spelled_out() -> None:
    letter = dlq.bury("customers", Consumed(headers=(("caf\udce9", b"1"),)), Given("malformed", 1))
    assert letter.headers[0] == ("caf\\xe9", b"1")
