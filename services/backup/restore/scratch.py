"""A PostgreSQL of one's own: restored files, a private socket, gone afterwards.

It listens on a Unix socket alone, inside a directory of mode 0700 that belongs to the user it runs as; that directory
is what makes `trust` right here. Nothing of the copied configuration that reaches outward stays in force: no TCP, no
archiving, no preloaded libraries, its own pg_hba.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from services.backup.postgres import Postgres
from shared.errors import InvariantError, UnavailableError

START_SECONDS_MAX = 120  # WAL recovery included
SOCKET_PATH_BYTES_MAX = 107  # sockaddr_un


@dataclass(frozen=True)
class Scratch:
    root: Path
    superuser: str = "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    def conninfo(self, database: str = "postgres") -> str:
        return psycopg.conninfo.make_conninfo(host=str(self.root), port=5432, user=self.superuser, dbname=database)


def make(root: Path, postgres: Postgres) -> Scratch:
    """An empty scratch place at `root`."""
    if len(str(root / ".s.PGSQL.5432").encode()) > SOCKET_PATH_BYTES_MAX:
        raise InvariantError("the state directory's path is too long for a Unix socket")
    root.parent.mkdir(parents=True, exist_ok=True)
    root.parent.chmod(0o711)  # the server's user passes through to its own place, and sees no other
    root.mkdir(mode=0o700)
    (root / "data").mkdir(mode=0o700)
    return Scratch(root)


def _own(root: Path, uid: int) -> None:
    os.chown(root, uid, -1)
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            os.chown(Path(directory) / name, uid, -1, follow_symlinks=False)


@asynccontextmanager
async def serving(scratch: Scratch, postgres: Postgres) -> AsyncIterator[Scratch]:
    """Starts a server on the restored files, waits until it has recovered, and stops it by its process id."""
    prefix, uid = postgres.runs_as(scratch.root)
    hba = scratch.root / "pg_hba.conf"
    hba.write_text("local all all trust\n")
    if uid is not None:
        _own(scratch.root, uid)
    settings = {
        "listen_addresses": "", "unix_socket_directories": str(scratch.root), "port": "5432", "hba_file": str(hba),
        "archive_mode": "off", "shared_preload_libraries": "", "logging_collector": "off", "ssl": "off",
        "shared_buffers": "16MB", "autovacuum": "off", "log_statement": "none", "external_pid_file": "",
        "log_min_error_statement": "panic", "log_parameter_max_length_on_error": "0", "max_wal_size": "128MB",
    }  # fmt: skip
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    with (scratch.root / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220, S603  fixed program; polled below
            [*prefix, postgres.program("postgres"), "-D", str(scratch.data), *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=scratch.root,
            user=uid, extra_groups=[] if uid is not None else None, start_new_session=True,
        )  # fmt: skip
    try:
        await _until_ready(scratch, process)
        yield scratch
    finally:
        await asyncio.shield(asyncio.to_thread(_stop, process))


async def databases(scratch: Scratch) -> list[str]:
    """Of services, by name, on a server that is up."""
    async with await psycopg.AsyncConnection.connect(scratch.conninfo()) as connection:
        query = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1"
        return [row[0] for row in await (await connection.execute(query)).fetchall()]


async def _until_ready(scratch: Scratch, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(START_SECONDS_MAX * 10):
        if process.poll() is not None:
            raise UnavailableError(f"the scratch server ended with status {process.returncode}")
        try:
            async with await psycopg.AsyncConnection.connect(scratch.conninfo()):
                return
        except psycopg.OperationalError:
            await asyncio.sleep(0.1)
    raise UnavailableError(f"the scratch server was not ready within {START_SECONDS_MAX} s")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Fast shutdown; after ten seconds without, SIGKILL to the postmaster (its children then end by themselves)."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def remove(root: Path) -> None:
    """Stops what a crashed run left running on `root`, by its process id, and removes the directory. Idempotent."""
    try:
        pid = int((root / "data" / "postmaster.pid").read_text().split("\n")[0])
        process = psutil.Process(pid)
        if str(root / "data") in process.cmdline():  # the id may belong to somebody else by now
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(10)
    except (FileNotFoundError, NotADirectoryError, ValueError, psutil.NoSuchProcess):
        pass
    shutil.rmtree(root, ignore_errors=True)


def remove_all(parent: Path) -> int:
    """At start: whatever a crash left under `parent` goes. Returns how many there were."""
    left = [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    for path in left:
        remove(path)
    return len(left)
