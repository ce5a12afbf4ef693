"""One partition on its way into its shard: what comes next, and whether it is still the topic that the log knows. Pure but
for reading the shard's last entry."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from services.audit.log import paths
from services.audit.log.sequence import Part, Received, is_of
from services.audit.log.shard import Shard


class Stream:
    """`next`: the offset to receive next; ahead of the shard while a batch is written."""

    def __init__(self, shard: Shard, start: int) -> None:
        self.shard = shard
        self.next = max(shard.next_offset, start)
        self._began = shard.published_offset
        # Compared with the broker's record at its offset: a topic made anew has another one there.
        self._last = _last_entry(shard) if shard.next_offset > start else None

    @property
    def topic_id(self) -> UUID | None:
        """Of the topic that it is read of, where that is known: its records are asked for by it (shared/bus/fetch_by_id.py)."""
        return self.shard.head.topic_id

    @property
    def goes_on(self) -> bool:
        """Whether any of it was published since it is read."""
        return self.shard.published_offset > self._began

    @property
    def position(self) -> int:
        """Where to read on: one back, while the last leaf is not known to be the broker's."""
        return self.next - (self._last is not None)

    def recognised(self, first: Received) -> bool:
        """Whether the broker's record at the last leaf's offset, the first that is read, is the one that the log has there."""
        last, self._last = self._last, None
        head = self.shard.head
        if last is None or first.offset != self.next - 1:  # compacted or expired meanwhile: nothing to compare
            return True
        return is_of(last, head.topic, head.partition, first)

    def parts(self, records: Sequence[Received], end: int, leaves_max: int) -> Iterator[Part]:
        """What follows, up to offset `end`, in parts of at most `leaves_max` leaves: a hole can be millions wide."""
        head = self.shard.head
        rest = records if records and records[0].offset >= self.next else [r for r in records if r.offset >= self.next]
        del records
        while self.next < end:
            stop = min(end, self.next + leaves_max)
            cut = len(rest) if stop == end else next((i for i, r in enumerate(rest) if r.offset >= stop), len(rest))
            part = [Part(head.topic, head.partition, self.next, stop, rest[:cut])]
            rest = rest[cut:]
            yield part.pop()  # not held here as well, while it is written
            self.next = stop  # not before: what could not be sequenced is received again


def _last_entry(shard: Shard) -> bytes | None:
    """The whole entry of the last leaf; None in an empty shard."""
    size, store = shard.head.size, shard.store
    return store.whole(store.entries((size - 1) // paths.WIDTH, size)[-1]) if size else None
