"""How PostgreSQL is reached for replication, and its programs run."""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg

from shared.errors import UnavailableError


@dataclass(frozen=True)
class Cluster:
    """How to reach the cluster for replication."""

    host: str
    port: int
    user: str
    password: str

    def conninfo(self) -> str:
        return psycopg.conninfo.make_conninfo(host=self.host, port=self.port, user=self.user, connect_timeout=10)


@dataclass(frozen=True)
class Postgres:
    """Where the programs are (None: PATH), and as whom they run when we are root, which PostgreSQL refuses."""

    bin: Path | None
    os_user: str = "nobody"

    def program(self, name: str) -> str:
        return str(self.bin / name) if self.bin else name

    def runs_as(self, root: Path) -> tuple[tuple[str, ...], int | None]:
        """(what to put before the command, the user to switch to) for a server whose files are under `root`.

        Where that user cannot pass through to the files or the programs (a checkout under /root), a user namespace in
        which our uid is not 0 does the same.
        """
        if os.geteuid() != 0:
            return (), None
        if _passable(root.parent) and (self.bin is None or _passable(self.bin)):
            return (), pwd.getpwnam(self.os_user).pw_uid
        if shutil.which("unshare") is None:
            raise UnavailableError(f"PostgreSQL refuses root, and {self.os_user} may not pass through to its files")
        return ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--"), None


def _passable(path: Path) -> bool:
    """Whether any user may pass through to `path`."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))
