"""The index gives way to the log."""

import asyncio
from typing import Any, cast

import pytest

from services.audit.index.follow import GIVE_WAY_RECORDS, Follower


@pytest.mark.parametrize("behind", [0, GIVE_WAY_RECORDS, GIVE_WAY_RECORDS + 1])
async def test_it_rests_between_batches_while_the_log_is_far_behind(behind: int) -> None:
    nothing = cast(Any, None)
    resting = asyncio.ensure_future(Follower(nothing, nothing, nothing, log_behind=lambda: behind)._give_way())
    await asyncio.sleep(0)
    assert resting.done() == (behind <= GIVE_WAY_RECORDS)
    resting.cancel()
