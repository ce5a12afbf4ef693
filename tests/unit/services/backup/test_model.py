"""The rules of sets."""

from datetime import UTC, datetime, timedelta

import pytest

from services.backup.sets.model import is_due, moved
from shared.errors import ConflictError

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_set_counts_only_through_taken() -> None:
    assert moved(moved("taking", "taken"), "drilled") == "drilled"
    assert moved("drilled", "drilled") == "drilled", "a set may be drilled again"
    with pytest.raises(ConflictError):
        moved("taking", "drilled")
    with pytest.raises(ConflictError):
        moved("failed", "drilled")


def test_schedule() -> None:
    hour = timedelta(hours=1)
    assert is_due(None, NOW, hour)
    assert is_due(NOW - hour, NOW, hour)
    assert not is_due(NOW - hour + timedelta(seconds=1), NOW, hour)
    assert not is_due(None, NOW, timedelta(0)), "zero switches it off"
