"""What a witness remembers, in SQLite: per origin the checkpoint that it signed last (`signed`), and checkpoints that a log
signed and that do not follow (`refused`).

1. Comparing with what was signed last and writing what is signed now are one transaction, begun with the write lock: of two
   requests at once, also in two processes, the second sees the first's.
2. It is durable (WAL with synchronous=FULL: an fsync per commit) before the cosignature leaves. A crash before that leaves the
   old state and no cosignature; after it, a cosignature that nobody got, and the next request learns the size from a 409.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from services.audit.witness.protocol import Submitted, Tree, follows
from shared.errors import ConflictError, UnavailableError

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
Cosign = Callable[[int], str]  # the line of a cosignature made at a time


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

    def sign(self, submitted: Submitted, new: Tree, note: str, cosign: Cosign, now: int) -> str:
        """The cosignature of a checkpoint that its log signed; `note`: it, with the lines that were proven. Errors as
        `protocol.follows`; ConflictError where there are too many origins, UnavailableError where it cannot be made durable."""
        key = hashed(submitted.origin)
        with self._writing() as db:
            row = db.execute("SELECT size, root, at FROM signed WHERE hash = ?", (key,)).fetchone()
            if row is None and self._count("signed") >= ORIGINS_MAX:
                raise ConflictError(f"this witness knows {ORIGINS_MAX} origins, and takes no more")
            follows(Tree(*row[:2]) if row else Tree(), submitted, new)
            # "As of this time the largest tree": a clock that was set back must not say otherwise.
            at = max(now, row[2]) if row else now
            line = cosign(at)
            values = (key, submitted.origin, new.size, new.root, at, note + line)
            db.execute("REPLACE INTO signed VALUES (?, ?, ?, ?, ?, ?)", values)
        return line

    def refuse(self, origin: str, new: Tree, note: str, now: int) -> None:
        """Keep a checkpoint that its log signed and that does not follow: beside the one signed before, it may be the proof."""
        with self._writing() as db:
            key = hashed(origin)
            if db.execute("SELECT count(*) FROM refused WHERE hash = ?", (key,)).fetchone()[0] < REFUSED_MAX:
                values = (key, new.size, new.root, origin, now, note)
                db.execute("INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?)", values)

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
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _answered():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise UnavailableError(f"the memory of this witness cannot be used now: {type(error).__name__}") from None
