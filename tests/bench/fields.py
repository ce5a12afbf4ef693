"""What it costs to seal and to open a field, and to remember a data key: in this process, without any server."""

import asyncio
import base64
import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import psutil

from services.customers.tables import column
from shared.ids import new_id
from shared.keys.cache import CACHED_MAX, KeyCache
from shared.keys.cipher import DataKey, Place, Sealed, new_data_key, seal
from shared.keys.keyring import Keyring, WrappedKey
from shared.keys.unlocked import Unlocked
from tests.bench import report

PEOPLE, PEOPLE_QUICK, PAGE = 20_000, 2_000, 50
KEYS, KEYS_QUICK = 100_000, 20_000
FIELDS = ("first_name", "last_name", "email", "phone", "address", "city", "state", "country", "postal_code")
VALUE = "someone@example.org"


class Ring:
    """A keyring that has every key at hand."""

    service = "customers"

    def __init__(self, keys: Mapping[str, DataKey]) -> None:
        self._keys = keys

    async def unwrap(self, keys: Mapping[str, WrappedKey]) -> dict[str, DataKey | None]:
        return {one: self._keys[one] for one in keys}


def page(what: Callable[[str, str], object], people: Sequence[str]) -> float:
    """Microseconds a field."""
    began = time.perf_counter()
    for subject in people:
        for name in FIELDS:
            what(subject, name)
    return (time.perf_counter() - began) / len(people) / len(FIELDS) * 1e6


async def fields(count: int) -> dict[str, float]:
    keys = {new_id("sub"): new_data_key() for _ in range(count)}
    people = list(keys)
    ring = cast(Keyring, Ring(keys))
    rows: dict[str, dict[str, Sealed]] = {
        one: {name: seal(key, Place("customers", "customers", name, one), VALUE) for name in FIELDS}
        for one, key in keys.items()
    }

    async def unlocked(some: Sequence[str]) -> Unlocked:
        mine = Unlocked(ring)
        await mine.unlock({one: WrappedKey(1, "") for one in some})
        return mine

    costs: dict[str, list[float]] = {"open": [], "open once more": [], "seal": []}
    for start in range(0, count, PAGE):
        some = people[start : start + PAGE]
        mine, again = await unlocked(some), await unlocked(some)
        opens = partial(_open, mine, rows)
        costs["open"].append(page(opens, some))
        costs["open once more"].append(page(opens, some))
        costs["seal"].append(page(partial(_seal, again), some))
    return {what: statistics.median(found) for what, found in costs.items()}


def _open(mine: Unlocked, rows: Mapping[str, Mapping[str, Sealed]], subject: str, name: str) -> str:
    return mine.open(column(name), subject, rows[subject][name])


def _seal(mine: Unlocked, subject: str, name: str) -> Sealed:
    return mine.seal(column(name), subject, VALUE)


def remembered(count: int) -> float:
    """Bytes that a key in memory takes, with its wrapped text of a length as Vault gives it."""
    cache, process = KeyCache(2 * count + 2), psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    for _ in range(count):
        cache.put(f"vault:v1:{base64.b64encode(os.urandom(60)).decode()}", new_data_key())
    gc.collect()
    return (process.memory_info().rss - before) / count


def main() -> None:
    quick = report.arguments(__doc__).quick
    each_key = remembered(KEYS_QUICK if quick else KEYS)
    costs = asyncio.run(fields(PEOPLE_QUICK if quick else PEOPLE))
    table = report.table(["what", "µs a field"], [[name, f"{cost:.2f}"] for name, cost in costs.items()])
    text = f"""
Pages of {PAGE} people with {len(FIELDS)} fields each, keys unlocked; the median page. What AES takes to begin with a key is
done once a person, and counted. A key that is remembered takes {each_key:.0f} bytes: the default of {CACHED_MAX:,} keys
{each_key * CACHED_MAX / 1e6:.0f} MB.

{table}
"""
    report.section("fields", "Sealing and opening a field", text, quick=quick)


if __name__ == "__main__":
    main()
