"""Verify a log offline, with public keys alone; names every fault by file, index and kind, not only the first.

For each shard: 1. the checkpoint is a note of one of the keys, of this origin. 2. The tiles lead to its root (levels.py).
3. Every entry parses, says topic, partition and the offset that its index demands, and a large entry is what its hash says;
the entries are what the tiles say (span.py). 4. What the ledger says of other shards is so (ledger.py). 5. It follows from
the checkpoint that this machine saw last (seen.py). Here is what one process does with one shard; run.py verifies a whole
log in several, and goes on where it was interrupted.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.audit.log import bundles, paths, span
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import parse as parse_entry
from services.audit.log.found import Fault
from services.audit.log.levels import Top
from services.audit.log.sources import GONE, Files
from services.audit.log.store import KEYS, SHARDS
from services.audit.log.trust import Trust
from shared.errors import KeptError, MalformedError, NotFoundError, UnavailableError

__all__ = ["Fault", "Files", "Progress", "Result", "shards", "verify_shard", "vkeys"]
Progress = Callable[[str, int, int], None]  # shard, entries done, entries in all
BASE_BUNDLES_MAX = 16  # how many bundles may be unreadable before nobody says at which offset a shard begins


@dataclass(frozen=True)
class Result:
    shard: str
    size: int
    root: bytes
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Opened:
    """A shard whose checkpoint is valid."""

    shard: str
    note: bytes
    checkpoint: Checkpoint


def shards(files: Files) -> list[str]:
    """The shards that the log lists."""
    return files.get(SHARDS).decode().split()


def vkeys(files: Files) -> list[str]:
    """The keys that the log publishes. Whoever verifies should have them from elsewhere."""
    return files.get(KEYS).decode().split()


def verify_shard(files: Files, shard: str, keys: Sequence[str], progress: Progress | None = None) -> Result:
    """All checks on one shard but those that need the others or a memory (4, 5)."""
    found = open_shard(files, shard, Trust.of(keys))
    if isinstance(found, Fault):
        return Result(shard, 0, b"", (found,))
    top, done = Top(files, shard, found.checkpoint.size, found.checkpoint.root), 0
    faults: list[Fault] = []
    for part in spans(top, shard, base_of(files, shard, found.checkpoint.size)):
        faults += span.check(files, part).faults
        done += part.entries
        if progress:
            progress(shard, done, found.checkpoint.size)
    return Result(shard, found.checkpoint.size, found.checkpoint.root, (*top.faults, *faults))


def open_shard(files: Files, shard: str, trust: Trust) -> Opened | Fault:
    """The shard's checkpoint, proven (1), or what is wrong with it. UnavailableError where nobody can say."""
    name = f"{shard}/{paths.CHECKPOINT}"
    try:
        span.place_of(shard)
        note = files.get(name)
        return Opened(shard, note, trust.checkpoint(note, shard))
    except UnavailableError:
        raise
    except ValueError:
        return Fault(name, "checkpoint", -1, "not the name of a shard")
    except KeptError as error:
        kind = "missing" if isinstance(error, NotFoundError) else "checkpoint"
        return Fault(name, kind, -1, error.detail)


def base_of(files: Files, shard: str, size: int) -> int | None:
    """The offset of leaf 0, as most entries of the first readable bundle have it; None where nothing can be read."""
    for n in range(min(BASE_BUNDLES_MAX, (size + paths.WIDTH - 1) // paths.WIDTH)):
        try:
            raw = bundles.parse(files.get(f"{shard}/{paths.bundle(n, min(paths.WIDTH, size - n * paths.WIDTH))}"))
        except (*GONE, MalformedError):
            continue
        said: Counter[int] = Counter()
        for index, entry in enumerate(raw, n * paths.WIDTH):
            try:
                said[parse_entry(entry).place.offset - index] += 1
            except MalformedError:
                continue
        if said:
            return said.most_common(1)[0][0]
    return None


def spans(
    top: Top, shard: str, base: int | None, first: int = 0, rights: Iterator[bytes | None] | None = None
) -> Iterator[span.Span]:
    """A shard cut into parts that can be checked each by itself, in order; from span `first` on, whose hashes are `rights`."""
    size, n = top.reader.size, first
    for right in top.spans() if rights is None else rights:
        yield span.Span(shard, n, size, base, right)
        n += 1
    if size % span.LEAVES:
        edges = [*top.edges, None, None]
        ones, tail = (None if edge is None else tuple(edge) for edge in (edges[1], edges[0]))
        yield span.Span(shard, n, size, base, None, () if size < paths.WIDTH else ones, tail)
