"""Effects happen once, also under SIGKILL: two processes share a consumer group, and one or the other is killed at random
instants, in the middle of its transactions, while partitions move between them."""

import asyncio
import subprocess
import sys

import pytest
from sqlalchemy import text

from deploy.local.state import REPOSITORY
from shared.ids import new_id
from tests.support.chaos import Dice
from tests.support.handler_process import Tallied
from tests.support.kernel import ME, Kernel, open_kernel
from tests.support.platform import Platform

SUBJECTS, EVENTS, KILLS = 6, 60, 5
DONE_SECONDS_MAX = 90.0  # a dead member's partitions move after the group's session timeout, ten seconds

kernel = pytest.fixture(open_kernel)


def handlers(kernel: Kernel, group: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.support.handler_process", kernel.schema, group], cwd=REPOSITORY)


async def test_effects_happen_once_and_in_order_per_person(platform: Platform, kernel: Kernel) -> None:
    dice = Dice.cast()
    async with kernel.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE effects (id bigserial PRIMARY KEY, subject text, n int)"))
    group = await kernel.group()
    subjects = [new_id("sub") for _ in range(SUBJECTS)]
    relay = asyncio.create_task(kernel.relay().run())
    running = [handlers(kernel, group), handlers(kernel, group)]
    try:
        publishing = asyncio.create_task(publish(kernel, subjects))
        for _ in range(KILLS):
            await asyncio.sleep(dice.random.uniform(0.5, 4.0))
            victim = dice.random.randrange(len(running))
            running[victim].kill()
            running[victim].wait()
            running[victim] = handlers(kernel, group)
        await publishing
        async with asyncio.timeout(DONE_SECONDS_MAX):
            while await kernel.count("effects") < SUBJECTS * EVENTS:
                await asyncio.sleep(0.2)
    finally:
        relay.cancel()
        for one in running:
            one.kill()
            one.wait()
        await asyncio.gather(relay, return_exceptions=True)
    async with kernel.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT subject, n FROM effects ORDER BY id"))).all()
    for subject in subjects:
        assert [n for whose, n in rows if whose == subject] == list(range(EVENTS)), f"seed {dice.seed}"


async def publish(kernel: Kernel, subjects: list[str]) -> None:
    for n in range(EVENTS):
        async with kernel.door.begin(ME) as w:
            for subject in subjects:
                w.publish(Tallied(subject=subject, n=n, batch=kernel.schema))
        await asyncio.sleep(0.2)
