"""The log's heads in a set."""

import pytest

from services.backup.sets.take import log_heads


async def test_a_set_without_heads_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert await log_heads("http://127.0.0.1:9") == ()  # where nobody listens
    assert "names no heads of the log" in caplog.text and "http://127.0.0.1:9" in caplog.text
