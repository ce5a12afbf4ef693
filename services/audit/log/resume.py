"""Where an interrupted verification goes on: per shard how many spans were whole, and a hash over what they were held against.

A span is passed over only if the log, as it is signed now, still demands the very hash that its entries were found to have: so
nothing here needs to be believed but that this machine's own file says what it did. Faulty spans are looked at again.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from services.audit.log.seen import state_dir

FORMAT = 1
SAVE_SECONDS = 2.0


@dataclass
class Frontier:
    """The first `spans` spans of a shard are whole; `over`: SHA-256 chained over their hashes."""

    spans: int = 0
    over: str = ""
    base: int | None = None

    def grown(self, right: bytes) -> "Frontier":
        return Frontier(self.spans + 1, hashlib.sha256(self.over.encode() + right).hexdigest(), self.base)


class Resume:
    """One file per log and set of keys. A file that cannot be read is as none."""

    def __init__(self, where: str, vkeys: Sequence[str], root: Path | None = None, *, afresh: bool = False) -> None:
        name = hashlib.sha256("\n".join([str(FORMAT), where, *sorted(vkeys)]).encode()).hexdigest()
        self._path = (root or state_dir() / "verify") / f"{name}.json"
        self._saved = time.monotonic()
        self._before: dict[str, Frontier] = {}
        self._now: dict[str, Frontier] = {}
        if not afresh:
            with suppress(OSError, ValueError, TypeError, AttributeError):
                said = json.loads(self._path.read_bytes())
                self._before = {shard: Frontier(*map(one.get, ("spans", "over", "base"))) for shard, one in said.items()}

    def begin(self, shard: str, base: int | None, rights: Iterator[bytes | None]) -> tuple[int, Iterator[bytes | None]]:
        """(spans that need no second look, the hashes of the others)."""
        before, found = self._before.get(shard, Frontier()), Frontier(base=base)
        self._now[shard] = found
        if before.base != base or not isinstance(before.spans, int):
            return 0, rights
        passed = list(islice(rights, before.spans))
        for right in passed:
            found = found.grown(right or b"")
        if found != before or None in passed:
            return 0, chain(passed, rights)
        self._now[shard] = found
        return found.spans, rights

    def whole(self, shard: str, n: int, right: bytes | None) -> None:
        """Span `n` has no fault. Counts only as the next after those before it."""
        at = self._now[shard]
        if right is not None and n == at.spans:
            self._now[shard] = at.grown(right)
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self.save()

    def save(self) -> None:
        """Losing this file costs time, nothing else: it is not fsynced."""
        self._saved = time.monotonic()
        kept = self._before | self._now
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps({shard: vars(one) for shard, one in kept.items()}))
        temporary.replace(self._path)

    def done(self) -> None:
        """The run came to its end: the next one begins anew."""
        self._path.unlink(missing_ok=True)
