"""What a witness remembers, in SQLite: per origin the checkpoint that it signed last (`signed`), and checkpoints that a log
signed and that do not follow (`refused`).

1. Comparing with what was signed last and writing what is signed now are one transaction, begun with the write lock: of two
   requests at once, also in two processes, the second sees the first's.
2. It is durable (WAL with synchronous=FULL: an fsync per commit) before the cosignature leaves. A crash before that leaves the
   old state and no cosignature; after it, a cosignature that nobody got, and the next request learns the size from a 409.
   Requests that come together share a commit: the fsync is what takes long.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from services.audit.witness.protocol import InconsistentError, Submitted, Tree, follows
from shared.errors import ConflictError, KeptError, UnavailableError

log = logging.getLogger("kept.witness")
ORIGINS_MAX = 100_000  # whoever has a log's key can begin as many as they like
REFUSED_MAX = 16  # kept per origin: one is proof enough
BUSY_SECONDS_MAX = 5.0
TABLES = """
CREATE TABLE IF NOT EXISTS signed (
  hash TEXT PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, at INTEGER NOT NULL,
  note TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS refused (
  hash TEXT, size INTEGER, root BLOB, origin TEXT NOT NULL, at INTEGER NOT NULL, note TEXT NOT NULL,
  PRIMARY KEY (hash, size, root)) STRICT;
"""


@dataclass(frozen=True)
class Proven:
    """A request whose checkpoint its log signed. `note`: that, with the lines that were proven. `cosign`: the line that this
    witness puts under it, as of a time."""

    submitted: Submitted
    tree: Tree
    note: str
    cosign: Callable[[int], str]


def hashed(origin: str) -> str:
    """How tlog-witness names an origin in a path."""
    return sha256(origin.encode()).hexdigest()


class Memory:
    """One file, for several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        with _answered():
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS_MAX, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(TABLES)

    def close(self) -> None:
        self._db.close()

    def sign(self, asked: Sequence[Proven], now: int) -> list[str | KeptError]:
        """For each, in order, its cosignature, or why there is none: as `protocol.follows`, or ConflictError where there are
        too many origins. What does not follow is kept: beside what was signed before, it may be the proof of two histories.
        UnavailableError where they cannot be made durable: then none is signed."""
        answers: list[str | KeptError] = []
        with self._writing():
            for one in asked:
                try:
                    answers.append(self._signed(one, now))
                except KeptError as error:
                    answers.append(error)
                    if isinstance(error, InconsistentError):
                        self._refused(one, now)
        return answers

    def _signed(self, one: Proven, now: int) -> str:
        key = hashed(one.submitted.origin)
        row = self._db.execute("SELECT size, root, at FROM signed WHERE hash = ?", (key,)).fetchone()
        if row is None and self._count("signed") >= ORIGINS_MAX:
            raise ConflictError(f"this witness knows {ORIGINS_MAX} origins, and takes no more")
        follows(Tree(*row[:2]) if row else Tree(), one.submitted, one.tree)
        # "As of this time the largest tree": a clock that was set back must not say otherwise.
        at = max(now, row[2]) if row else now
        line = one.cosign(at)
        values = (key, one.submitted.origin, one.tree.size, one.tree.root, at, one.note + line)
        self._db.execute("REPLACE INTO signed VALUES (?, ?, ?, ?, ?, ?)", values)
        return line

    def _refused(self, one: Proven, now: int) -> None:
        key = hashed(one.submitted.origin)
        if self._db.execute("SELECT count(*) FROM refused WHERE hash = ?", (key,)).fetchone()[0] < REFUSED_MAX:
            values = (key, one.tree.size, one.tree.root, one.submitted.origin, now, one.note)
            self._db.execute("INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?)", values)

    def last(self, hash_: str) -> str | None:
        """The checkpoint signed last of the origin with this hash, with its log's lines and this witness's; or None."""
        with self._lock, _answered():
            row = self._db.execute("SELECT note FROM signed WHERE hash = ?", (hash_,)).fetchone()
        return None if row is None else str(row[0])

    def counts(self) -> dict[str, int]:
        """How many origins were signed, and how many checkpoints refused."""
        with self._lock, _answered():
            return {table: self._count(table) for table in ("signed", "refused")}

    def _count(self, table: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # one of our two

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, _answered():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        log.warning("memory: %s", type(error).__name__)
        raise UnavailableError("the memory of this witness cannot be used now") from None
