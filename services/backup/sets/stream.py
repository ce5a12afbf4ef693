"""pg_basebackup -> age -> numbered parts. The cluster's bytes are never on a disk of ours in clear, not for a moment.

`pg_basebackup` writes one gzipped tar to a pipe (with the WAL that makes it consistent, `-X fetch`); age reads the pipe
and writes 64 KiB chunks; `Parts` cuts them into blobs. All three run at the pace of the slowest; memory is one part.
"""

import asyncio
import hashlib
import logging
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyrage

from services.backup.formats.manifest import Part
from services.backup.postgres import Cluster
from shared.errors import InvariantError, UnavailableError

log = logging.getLogger("kept.backup")
PART_BYTES = 8 * 1024 * 1024  # one part is held in memory while it is written
_LSN = re.compile(r"write-ahead log (start|end) point: ([0-9A-F]+/[0-9A-F]+)")


@dataclass(frozen=True)
class Identity:
    """Which cluster it is: IDENTIFY_SYSTEM, and the server's version."""

    system: str
    timeline: str
    server: str


@dataclass(frozen=True)
class Streamed:
    parts: tuple[Part, ...]
    start: str
    stop: str


class Parts:
    """A writer for age that cuts what it gets into parts and hands each to `put` before it takes more."""

    def __init__(self, put: Callable[[int, bytes], None], part_bytes: int = PART_BYTES) -> None:
        self._put = put
        self._limit = part_bytes
        self._buffer = bytearray()
        self.done: list[Part] = []

    def write(self, data: bytes) -> int:
        self._buffer += data
        while len(self._buffer) >= self._limit:
            self._cut(self._limit)
        return len(data)

    def flush(self) -> None:
        """age flushes when it likes; a part ends at its size or at `close` alone."""

    def close(self) -> None:
        if self._buffer:
            self._cut(len(self._buffer))

    def _cut(self, size: int) -> None:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._put(len(self.done), data)
        self.done.append(Part(len(self.done), len(data), hashlib.sha256(data).hexdigest()))


def identify(cluster: Cluster) -> Identity:
    """Asks over a replication connection, the only kind this role needs. Blocking."""
    try:
        with psycopg.connect(cluster.conninfo(), password=cluster.password, replication="true", autocommit=True) as c:
            # The replication protocol has simple queries only; psycopg's cursor would send an extended one.
            system = c.pgconn.exec_(b"IDENTIFY_SYSTEM")
            version = c.pgconn.exec_(b"SHOW server_version")
            found = [system.get_value(0, 0), system.get_value(0, 1), version.get_value(0, 0)]
    except psycopg.OperationalError as error:
        raise UnavailableError("PostgreSQL does not answer for replication") from error
    if None in found:
        raise InvariantError("IDENTIFY_SYSTEM did not say which cluster this is")
    texts = [value.decode() for value in found if value is not None]
    return Identity(texts[0], texts[1], texts[2].split(" ")[0])


async def stream(
    cluster: Cluster,
    pg_bin: Path | None,
    recipient: str,
    put: Callable[[int, bytes], None],
    *,
    part_bytes: int = PART_BYTES,
) -> Streamed:
    """Copies the cluster into parts. `put` is called in another thread, in order, and must return when durable.

    UnavailableError where pg_basebackup ends with an error: its end of stream looks like any other to age, so what was
    written so far is whole as age and not whole as a backup. The manifest must not be written then.
    """
    process = subprocess.Popen(  # noqa: ASYNC220, S603  a fixed program and arguments; awaited through a thread below
        [
            str(pg_bin / "pg_basebackup") if pg_bin else "pg_basebackup",
            "--pgdata=-", "--format=tar", "--wal-method=fetch", "--compress=client-gzip:1", "--checkpoint=fast",
            "--manifest-checksums=SHA256", "--no-password", "--verbose", f"--dbname={cluster.conninfo()}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Not a file: it would outlive a crash. LC_ALL: the two log positions are read from its messages.
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": cluster.password},
    )  # fmt: skip
    try:
        return await asyncio.to_thread(_pump, process, recipient, Parts(put, part_bytes))
    finally:
        if process.poll() is None:
            process.kill()


def _pump(process: "subprocess.Popen[bytes]", recipient: str, parts: Parts) -> Streamed:
    assert process.stdout is not None and process.stderr is not None
    with process.stdout, process.stderr:
        pyrage.encrypt_io(process.stdout, parts, [pyrage.x25519.Recipient.from_str(recipient)])
        said = process.stderr.read().decode(errors="replace")  # a dozen lines: less than a pipe holds
    if process.wait() != 0:
        log.error("pg_basebackup ended with status %d: %s", process.returncode, said[-500:])  # file and role names only
        raise UnavailableError(f"pg_basebackup ended with status {process.returncode}", retry_after=30)
    parts.close()
    positions = dict(_LSN.findall(said))
    if set(positions) != {"start", "end"}:
        raise InvariantError("pg_basebackup did not name its log positions")
    return Streamed(tuple(parts.done), positions["start"], positions["end"])
