"""The log in a bucket whose server answers 503, hangs, or loses answers: now and then, and for good in the middle of an append.

The server is real, the trouble is made by a gateway in front of it. fsck is the judge, on a copy of the bucket.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.blobs.s3 import S3Store
from shared.blobs.s3_calls import connect
from shared.errors import UnavailableError
from tests.crash.extent import EXHAUSTIVE
from tests.support import s3
from tests.support.logs import NAME, START, grow, judged, open_shard
from tests.unit.services.audit.log.naive import MemoryHeads

BEFORE, AFTER = 250, 610
GOAL = 1_500
CASES = 6  # requests of the append at which the server goes away; in an exhaustive run each
QUICK = (0.005, 0.01, 0.02, 0.02)  # between tries: the real ones wait for seconds
TROUBLE = ("503", "reset", "lost", "hang", "500")


@pytest.fixture(scope="module")
def server() -> Iterator[s3.Server]:
    with s3.server() as found:
        yield found


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.blobs.s3_calls.WAIT_SECONDS", QUICK)
    monkeypatch.setattr("shared.blobs.s3_calls.READ_SECONDS_MAX", 1)


def copied(server: s3.Server, bucket: str, root: Path) -> Path:
    """The bucket as a directory."""
    store = server.store(bucket)
    for name in store.list(NAME):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(store.get(name))
    return root


def through(address: str, bucket: str) -> S3Store:
    return S3Store(connect(address, s3.REGION, s3.KEYS), bucket, "", 10)


async def test_trouble_now_and_then(server: s3.Server, tmp_path: Path) -> None:
    """Every third request fails; most are tried again inside, some appends are given up and begun anew."""
    bucket, heads, chance, made = server.bucket(), MemoryHeads(START), random.Random(6962), list[str]()

    def fault(_: s3.Request) -> str | None:
        if chance.random() > 1 / 3:
            return None
        made.append(chance.choice(TROUBLE))
        return made[-1]

    with s3.Between(server.endpoint, fault, hang_seconds=1.2).running() as address:
        store = through(address, bucket)
        await grow(lambda: open_shard(store, heads), GOAL, 90, tries=50)
    judged(copied(server, bucket, tmp_path), GOAL)
    assert set(made) == set(TROUBLE)


async def _requests(server: s3.Server) -> int:
    """How many one append takes."""
    bucket, heads = server.bucket(), MemoryHeads(START)
    await grow(lambda: open_shard(server.store(bucket), heads), BEFORE, BEFORE)
    between = s3.Between(server.endpoint)
    with between.running() as address:
        await grow(lambda: open_shard(through(address, bucket), heads), AFTER, AFTER)
    return len(between.seen)


@pytest.mark.parametrize("first", ["503", "lost"])
async def test_gone_in_the_middle_of_an_append(server: s3.Server, tmp_path: Path, first: str) -> None:
    """From the k-th request on the server is away, until another owner comes; "lost": the k-th was done, and nobody knows."""
    count = await _requests(server)
    for at in range(1, count + 1, 1 if EXHAUSTIVE else max(1, count // CASES)):
        bucket, heads = server.bucket(), MemoryHeads(START)
        await grow(lambda b=bucket, h=heads: open_shard(server.store(b), h), BEFORE, BEFORE)  # type: ignore[misc]
        seen = 0

        def fault(_: s3.Request, at: int = at) -> str | None:
            nonlocal seen
            seen += 1
            return None if seen < at else first if seen == at else "503"

        with s3.Between(server.endpoint, fault).running() as address, pytest.raises(UnavailableError):
            await grow(lambda a=address, b=bucket, h=heads: open_shard(through(a, b), h), AFTER, AFTER)  # type: ignore[misc]
        await grow(lambda b=bucket, h=heads: open_shard(server.store(b), h), AFTER, 200)  # type: ignore[misc]
        judged(copied(server, bucket, tmp_path / str(at)), AFTER)
