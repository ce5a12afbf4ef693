"""What the page says of the scrub, in both languages."""

import pytest

from services.audit.trail.pages import scrubbed

NEVER = {"ended_at": None, "entries": 0, "faults": 0, "named": []}
ONCE = {"ended_at": "2026-11-24T17:30:05.123Z", "entries": 12_345, "faults": 0, "named": []}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_scrub_says_when_and_what(lang: str) -> None:
    assert scrubbed(NEVER, lang) == ""
    assert "2026-11-24 17:30" in scrubbed(ONCE, lang) and "12,345" in scrubbed(ONCE, lang)
    damaged = scrubbed({**ONCE, "faults": 3}, lang)
    assert "3" in damaged.replace("17:30", "") and damaged != scrubbed(ONCE, lang)


def test_a_log_that_cannot_even_be_counted_is_not_whole() -> None:
    assert "(1)" in scrubbed({**ONCE, "entries": 0, "faults": 1}, "en")
