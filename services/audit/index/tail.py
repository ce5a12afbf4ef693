"""The live tail: what was published, as it is published, as server-sent events (WHATWG HTML, section 9.2).

Each client reads the log itself from its own position, so nothing is buffered for it: a slow one falls behind, and is let go
when it is too far. Clients at the same place share what was read. The id of each event is the position in every shard, so that
a client that lost its connection goes on exactly where it was (Last-Event-ID).
"""

import asyncio
import base64
import json
import time
import zlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any

from services.audit.index import read
from services.audit.index.model import Filters, Row
from services.audit.log import paths
from services.audit.log.store import ShardStore
from shared.blobs import BlobStore
from shared.errors import KeptError, MalformedError, TooManyError, UnavailableError

CLIENTS_MAX = 20
BEHIND_MAX = 10_000  # entries that a client may have missed; what is older is for search and export
SESSION_SECONDS_MAX = 900.0  # then it signs in anew: a browser comes back by itself, where it was
HEARTBEAT_SECONDS = 10.0
LOOK_SECONDS = 1.0
BATCHES_KEPT = 32
ID_BYTES_MAX = 64 * 1024
Positions = dict[str, int]


class Tail:
    """All tails of this process."""

    def __init__(self, blobs: BlobStore, checkpoints: read.Checkpoints) -> None:
        self._blobs = blobs
        self._checkpoints = checkpoints
        self._batches: OrderedDict[tuple[str, int, int], read.Batch] = OrderedDict()
        self._news = asyncio.Event()
        self._endings: set[asyncio.Task[None]] = set()
        self.clients = 0

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` although the request that asks for it ends now."""
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    def wake(self) -> None:
        """Something was published."""
        self._news.set()

    def admit(self) -> None:
        """TooManyError where there are too many already."""
        if self.clients >= CLIENTS_MAX:
            raise TooManyError("there are too many live tails", retry_after=30)

    async def start(self, since: str) -> Positions:
        """Where a client goes on: after the event `since` (its Last-Event-ID), else at what is published now."""
        ends = await self._ends()
        if not since:
            return {shard: end.size for shard, (_, end) in ends.items()}
        at = positions_of(since)
        if any(at.get(shard, 0) > end.size for shard, (_, end) in ends.items()):
            raise MalformedError("not an id of this log's tail")
        if sum(end.size - at.get(shard, 0) for shard, (_, end) in ends.items()) > BEHIND_MAX:
            raise MalformedError(f"that is more than {BEHIND_MAX} entries ago: search or export them")
        return at

    async def rows(self, filters: Filters, at: Positions) -> AsyncGenerator[Row | None, None]:
        """What is published from `at` on (moved along with what was given); None as a sign of life. Ends when the client is too
        far behind, or was long enough here."""
        began = said = time.monotonic()
        self.clients += 1
        try:
            while time.monotonic() - began < SESSION_SECONDS_MAX:
                for shard, (store, end) in (await self._ends()).items():
                    if end.size - at.setdefault(shard, 0) > BEHIND_MAX:
                        return
                    async for row in self._of(store, end, at, filters):
                        said = time.monotonic()
                        yield row
                if time.monotonic() - said > HEARTBEAT_SECONDS:
                    said = time.monotonic()
                    yield None
                await self._pause()
        finally:
            self.clients -= 1

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    async def _of(self, store: ShardStore, end: read.Published, at: Positions, filters: Filters) -> AsyncIterator[Row]:
        while at[store.shard] < end.size:
            batch = await self._batch(store, end, at[store.shard])
            for index, facts in batch.rows():
                at[store.shard] = index + 1
                if filters.match(facts):
                    yield Row.of(store.shard, index, facts)

    async def _batch(self, store: ShardStore, end: read.Published, start: int) -> read.Batch:
        key = (store.shard, start, end.size)
        if key not in self._batches:
            self._batches[key] = await asyncio.to_thread(read.read, store, end, start, paths.WIDTH)
            while len(self._batches) > BATCHES_KEPT:
                self._batches.popitem(last=False)
        return self._batches[key]

    async def _ends(self) -> dict[str, tuple[ShardStore, read.Published]]:
        found = {}
        for shard in await asyncio.to_thread(read.shards, self._blobs):
            store = ShardStore(self._blobs, shard)
            found[shard] = store, await self._checkpoints.newest(store)
        return found


def id_of(at: Positions) -> str:
    """Positions as an event's id."""
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(at, separators=(",", ":")).encode(), 1)).decode()


def positions_of(text: str) -> Positions:
    """The inverse. MalformedError."""
    try:
        unpacked = zlib.decompressobj().decompress(base64.urlsafe_b64decode(text.encode("ascii")), ID_BYTES_MAX)
        found = json.loads(unpacked)
        if not all(type(n) is int and 0 <= n < 2**63 for n in found.values()):
            raise ValueError
        return dict(found)
    except (ValueError, TypeError, AttributeError, zlib.error, RecursionError):
        raise MalformedError("not an id of this log's tail") from None


def hello() -> bytes:
    """The first bytes: headers go out at once, and a browser waits three seconds before it comes back."""
    return b"retry: 3000\n\n"


def message(row: Row | None, at: Positions) -> bytes:
    """A row as an event; a sign of life moves the id on and shows nothing."""
    if row is None:
        return f": alive\nid: {id_of(at)}\n\n".encode()
    return f"id: {id_of(at)}\nevent: entry\ndata: {row.model_dump_json()}\n\n".encode()


def farewell(error: KeptError | None) -> bytes:
    """The last event: why it ends."""
    code = "again" if error is None else error.code
    detail = "come back with the last id; what is older than that is for search" if error is None else error.detail
    if isinstance(error, UnavailableError):
        detail = "a part of the log is away"
    return f"event: end\ndata: {json.dumps({'code': code, 'detail': detail})}\n\n".encode()
