"""The judge of the chaos tests can say no: each kind of fault that it is there for, made up, is found and named."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from shared.bus.envelope import Envelope
from tests.support import judge
from tests.support.judge import CREATED, UPDATED
from tests.support.topic import Seen

TOPIC = "kept.customers"


def seen(id_: str, key: str, offset: int, kind: str = UPDATED, version: int = 2, partition: int = 0) -> Seen:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    data = {} if kind == CREATED else {"version": version}
    envelope = Envelope(id_, kind, "/services/customers", at, key, "system:customers", None, data)
    return Seen(partition, offset, key, envelope)


STORY = [
    seen("1", "sub_a", 0, CREATED),
    seen("2", "sub_b", 1, CREATED),
    seen("3", "sub_a", 2),
    seen("4", "sub_a", 3, version=3),
]
COMMITTED = {(TOPIC, one.envelope.id) for one in STORY}


def test_a_whole_story_passes() -> None:
    judge._outboxes_and_topics({TOPIC: STORY}, COMMITTED, COMMITTED)
    judge._order(TOPIC, STORY)


@pytest.mark.parametrize(
    ("records", "committed", "says"),
    [
        (STORY[:-1], COMMITTED, "on no topic"),
        ([*STORY, seen("3", "sub_a", 4)], COMMITTED, "twice"),
        (STORY, COMMITTED - {(TOPIC, "4")}, "never committed"),
    ],
)
def test_what_is_lost_doubled_or_made_up_is_found(records: Sequence[Seen], committed: set[tuple[str, str]], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        judge._outboxes_and_topics({TOPIC: list(records)}, committed, committed)


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([seen("3", "sub_a", 0), seen("1", "sub_a", 1, CREATED)], "before it was there"),
        ([STORY[0], seen("4", "sub_a", 2, version=3), seen("3", "sub_a", 3)], r"in the order \[3, 2\]"),
        ([STORY[0], seen("4", "sub_a", 3, version=3)], r"in the order \[3\]"),
        ([STORY[0], seen("3", "sub_a", 0, partition=1)], "several partitions"),
    ],
)
def test_what_is_out_of_order_is_found(records: Sequence[Seen], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        judge._order(TOPIC, records)
