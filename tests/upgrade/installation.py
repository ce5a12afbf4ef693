"""The installation that a released version left (installation/README.md), put in place for today's `kept up` to find."""

import io
import json
import lzma
import os
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from deploy.local.postgres import SUPERUSER
from deploy.local.postgres_programs import programs
from deploy.local.state import State
from tests.support.platform import free_port
from tests.support.postgres import running
from tests.upgrade.age import encrypted
from tests.upgrade.stored_gzip import stored

KEPT = Path(__file__).parent / "installation"
PART = 8 * 1024 * 1024
DATABASES = ("identity", "customers", "audit", "backup", "dsar")
CLOCKED = ("identity", "dsar")  # where requests, approvals and sessions have their times
_CLOCKS = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT table_name, string_agg(format('%1$I = %1$I + ''AWAY''::interval', column_name), ', ') AS moved
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND data_type = 'timestamp with time zone'
    GROUP BY table_name
  LOOP EXECUTE format('UPDATE %I SET ' || one.moved, one.table_name); END LOOP;
END $$
"""


@cache
def notes() -> dict[str, Any]:
    """What was seen then: whose the customers are, the browsers with their requests."""
    found: dict[str, Any] = json.loads((KEPT / "notes.json").read_text())
    return found


async def put(state: State) -> None:
    """All of it, as it was when it was stopped; the time that it lay here is taken off the requests' clocks."""
    with _unpacked("files") as archive:
        archive.extractall(state.root, filter="tar")
    put_set(state.root / "blobs/backup/store/sets" / notes()["set"]["id"] / "parts")
    async with served(state):
        pass


@asynccontextmanager
async def served(state: State) -> AsyncIterator[dict[str, URL]]:
    """The databases alone, loaded and served, each as its service's role finds it."""
    hba = state.root / "postgres" / "anybody.conf"
    hba.parent.mkdir(mode=0o711)
    hba.write_text("host all all 127.0.0.1/32 trust\n")  # whose passwords they are, only the dump knows
    port = free_port()
    async with running(state, port, hba_file=str(hba), fsync="off"):
        _load(port)
        yield {name: URL.create("postgresql+psycopg", name, "any", "127.0.0.1", port, name) for name in DATABASES}


def _load(port: int) -> None:
    with tempfile.TemporaryDirectory() as name, _unpacked("databases") as archive:
        place = Path(name)
        archive.extractall(place, filter="data")
        roles = place / "roles.sql"
        roles.write_text(roles.read_text().replace(f"CREATE ROLE {SUPERUSER};\n", ""))  # initdb made that one
        away = datetime.now(UTC) - datetime.fromisoformat(notes()["taken"])
        (place / "clocks.sql").write_text(_CLOCKS.replace("AWAY", f"{away.total_seconds():.0f} seconds"))
        for database, file in (
            *((SUPERUSER, f"{one}.sql") for one in ("roles", *DATABASES)), *((one, "clocks.sql") for one in CLOCKED)
        ):  # fmt: skip
            _psql(port, database, place / file)


def _psql(port: int, database: str, file: Path) -> None:
    words = ("-h", "127.0.0.1", "-p", str(port), "-U", SUPERUSER, "-d", database, "-X", "-q", "-v", "ON_ERROR_STOP=1")
    done = subprocess.run(
        [str(programs() / "psql"), *words, "-f", str(file)], env={**os.environ, "PGOPTIONS": "-c synchronous_commit=off"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{file.name}: {done.stderr[:2000]}"


def put_set(parts: Path) -> None:
    """The parts of the backup, to the byte: the signed manifest has their hashes."""
    kept = notes()["set"]
    content = io.BytesIO(lzma.decompress((KEPT / "set.tar.xz").read_bytes()))
    parts.mkdir()
    buffer, number = bytearray(), 0
    for piece in encrypted(bytes.fromhex(kept["head"]), bytes.fromhex(kept["file_key"]), stored(content.read)):
        buffer += piece
        while len(buffer) >= PART:
            (parts / f"{number:08d}").write_bytes(buffer[:PART])
            del buffer[:PART]
            number += 1
    if buffer:
        (parts / f"{number:08d}").write_bytes(buffer)


@contextmanager
def _unpacked(name: str) -> Iterator[tarfile.TarFile]:
    with tarfile.open(KEPT / f"{name}.tar.xz") as archive:
        yield archive
