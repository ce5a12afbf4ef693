"""What the service says of the slots that its workers have or stand by for."""

import asyncio
import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any, cast

from services.audit.ingestion.said import Said
from services.audit.ingestion.workers import Workers
from shared import leader


async def test_the_service_stands_by_where_its_workers_do() -> None:
    workers, published = Workers(2, lambda: None), list[int]()

    async def says(number: int, *, stands_by: bool) -> None:
        duties = [(f"slot {number} of 2", stands_by)]
        voice = asyncio.StreamReader()
        voice.feed_data(json.dumps({**asdict(Said(ready=True)), "duties": duties, "published": False}).encode() + b"\n")
        voice.feed_eof()
        await workers._listen(number, cast(Any, SimpleNamespace(stdout=voice)))

    await says(0, stands_by=True)
    assert not workers.said.ready
    await says(1, stands_by=False)
    assert workers.said.ready and not published
    assert leader.standing_by() == ["slot 0 of 2"]
    assert {one.labels["duty"]: int(one.value) for one in await leader.gauges()} == {"slot 0 of 2": 1, "slot 1 of 2": 0}
    for number in range(2):
        leader.of_child(f"worker {number}", ())
    assert leader.duties() == []
