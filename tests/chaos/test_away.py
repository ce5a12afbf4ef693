"""P5 for as long as it takes: Kafka or PostgreSQL hangs, Kafka is gone for a minute, Vault is sealed while somebody imports.

Without Kafka every write commits and is published later; without Vault every answer is a 503 that says when to come again, and
nothing is written that is not encrypted. The same processes of ours go on by themselves.
"""

import asyncio
import json
import time

import httpx

from tests.support.chaos import SERVICES, Answer, Importer, held_down, says
from tests.support.insider import sealed, wait_until
from tests.support.judge import ask, judge, waiting
from tests.support.platform import Platform
from tests.support.staff import token

HANGS_SECONDS = 17.0  # longer than the producer waits for one answer
NOTICED_SECONDS_MAX = 120.0  # until a service says that the bus does not answer
AWAY_SECONDS = 60.0
SEALED_SECONDS = 8.0
KNOWN_SECONDS = 2.5  # a yes about Vault may be a second old, and an answer under way
ANSWER_SECONDS_MAX = 10.0
IN_CLEAR = "t::text ILIKE '%zyxwv%' OR t::text LIKE '%' || encode('Zyxwv', 'hex') || '%'"  # every made-up last name


def pids(platform: Platform) -> dict[str, int]:
    return {name: process.pid for name in SERVICES if (process := platform.process(name))}


def all_committed(answers: list[Answer]) -> None:
    """Every request was answered well, and in time."""
    assert answers, "nothing was asked"
    assert {one.status for one in answers} <= {200, 201, 412}, sorted({one.status for one in answers})
    assert max(one.seconds for one in answers) < ANSWER_SECONDS_MAX


def readiness(platform: Platform) -> dict[str, tuple[int, list[str]]]:
    """Of each service: the status of /readyz, and what it waits for."""
    asked = {name: httpx.get(f"http://127.0.0.1:{platform.ports[name]}/readyz", timeout=10) for name in SERVICES}
    return {name: (answer.status_code, answer.json()["waits_for"]) for name, answer in asked.items()}


def gauge(text: str, name: str) -> int:
    return next(int(float(line.rpartition(" ")[2])) for line in text.splitlines() if line.startswith(name + "{"))


async def test_kafka_hangs_and_nobody_waits_for_it(platform: Platform) -> None:
    platform.wait_ready()
    before = pids(platform)
    with Importer(platform, rows=5, pause=0.3) as importer:
        with platform.paused("kafka"):
            began = time.monotonic()
            wait_until(lambda: all("bus" in waits for _, waits in readiness(platform).values()), seconds=NOTICED_SECONDS_MAX)
            assert {status for status, _ in readiness(platform).values()} == {200}, "they answer, and must go on being asked"
            assert "bus" in says(platform, "customers")
            time.sleep(max(0.0, began + HANGS_SECONDS - time.monotonic()))  # what is tested is time itself
            assert waiting(platform, "customers") > 0
        wait_until(lambda: waiting(platform, "customers") < 50)
        wait_until(lambda: all(found == (200, []) for found in readiness(platform).values()), seconds=NOTICED_SECONDS_MAX)
    all_committed(importer.answers)
    assert not importer.lost and pids(platform) == before
    await judge(platform, importer)


async def test_postgresql_hangs_and_everybody_is_told_to_come_again(platform: Platform) -> None:
    """More people than connections: nobody gets a 500, and nobody is forgotten when it goes on."""
    platform.wait_ready()
    before = pids(platform)
    headers = {"Authorization": f"Bearer {token(platform, 'nancy')}"}
    limits = httpx.Limits(max_connections=40)
    async with httpx.AsyncClient(base_url=platform.origin, headers=headers, timeout=60, limits=limits) as http:
        with platform.paused("postgres"):
            asked = [asyncio.create_task(http.get("/api/customers", params={"limit": 1})) for _ in range(30)]
            _, waiting_still = await asyncio.wait(asked, timeout=HANGS_SECONDS)
        answers = await asyncio.gather(*asked)
    assert {one.status_code for one in answers} <= {200, 503, 504}, sorted({one.status_code for one in answers})
    assert len(waiting_still) <= 12, "who finds no connection free is told so"
    assert all(int(one.headers["retry-after"]) > 0 for one in answers if one.status_code == 503)
    platform.wait_ready()
    with Importer(platform, rows=1) as importer:
        importer.goes_on()
    assert pids(platform) == before


async def test_kafka_is_gone_for_a_minute_and_vault_is_sealed_in_the_middle_of_it(platform: Platform) -> None:
    platform.wait_ready()
    before = pids(platform)
    with Importer(platform, rows=5, pause=0.3) as importer:
        began = time.monotonic()
        with held_down(platform, "kafka"):
            time.sleep(AWAY_SECONDS / 3)
            all_committed(importer.answers)
            assert waiting(platform, "customers") > 0
            shown = {one["name"]: one for one in json.loads(platform.kept("status", "--json").stdout)["parts"]}
            assert shown["kafka"]["state"] != "ready" and shown["kafka"]["waits_for"], "it says that Kafka is away"
            measured = httpx.get(f"http://127.0.0.1:{platform.ports['customers']}/metrics", timeout=30).text
            assert gauge(measured, "kept_outbox_waiting") > 0 and gauge(measured, "kept_outbox_oldest_seconds") > 5
            with sealed(platform.state):
                time.sleep(KNOWN_SECONDS)
                known = len(importer.answers)
                time.sleep(SEALED_SECONDS)
                refused = importer.answers[known:]
            assert refused and {one.status for one in refused} == {503}, [one.status for one in refused]
            assert all(int(one.retry_after or 0) > 0 for one in refused)
            importer.goes_on()  # by itself, and Kafka is still away
            time.sleep(max(0.0, began + AWAY_SECONDS - time.monotonic()))
        platform.wait_ready()
    assert not importer.lost and pids(platform) == before
    for table in ("customers", "outbox"):
        assert ask(platform, "customers", f"SELECT count(*) FROM {table} AS t WHERE {IN_CLEAR}") == [(0,)], "in clear"
    await judge(platform, importer)
