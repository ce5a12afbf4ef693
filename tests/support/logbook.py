"""The log as anyone sees it: read over HTTP under /log/, with the code of this repository only for the entries themselves.
And its files, for who breaks them."""

from collections.abc import Iterator
from pathlib import Path

import httpx

from services.audit.log.entry import Entry, parse
from tests.support.platform import Platform

WIDTH = 256


def size(origin: str, shard: str) -> int:
    """How many leaves the published checkpoint promises; 0 where there is none."""
    answer = httpx.get(f"{origin}/log/{shard}/checkpoint", timeout=30)
    return int(answer.text.split("\n")[1]) if answer.status_code == httpx.codes.OK else 0


def entries(origin: str, shard: str) -> Iterator[Entry]:
    """Every leaf of the published tree, in order (tlog-tiles: bundles of 256, the last one partial)."""
    total = size(origin, shard)
    with httpx.Client(base_url=f"{origin}/log/{shard}/", timeout=30) as log:
        for n in range((total + WIDTH - 1) // WIDTH):
            width = min(WIDTH, total - n * WIDTH)
            raw = log.get(f"tile/entries/{_path(n)}{'' if width == WIDTH else f'.p/{width}'}").raise_for_status().content
            at = 0
            for _ in range(width):
                length = int.from_bytes(raw[at : at + 2], "big")
                yield parse(raw[at + 2 : at + 2 + length])
                at += 2 + length
            assert at == len(raw), f"{shard}: bundle {n} holds more than its {width} entries"


def _path(n: int) -> str:
    """1234067 -> x001/x234/067."""
    groups = [f"{n % 1000:03d}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03d}")
    return "/".join(groups)


def log_of(platform: Platform) -> Path:
    """Where the platform's audit service keeps it."""
    return platform.state.root / "blobs" / "audit" / "log"
