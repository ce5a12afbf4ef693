"""Each part under a user of its own (`kept-audit`, `kept-vault`, ...), where `kept up` is run by root, who alone can give them.

Then no part can read the unseal key, another's secret id or another's files, whatever is broken in it. Without root, or
without the programs that it takes, all parts run as one user: `shared_by_all` says why, and `kept up` says it too.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from deploy.local import confined
from deploy.local.state import REPOSITORY

LOCK = Path("/run/kept-users.lock")  # where root alone may write
PROGRAMS = ("useradd", "unshare", "mount", "umount")


@cache
def shared_by_all() -> str:
    """Why no part has a user of its own here; empty where each has."""
    if os.geteuid() != 0:
        return "it was not started by root"
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"`{missing[0]}` is not there"
    tried = subprocess.run(["unshare", "--mount", "--propagation", "slave", "--", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this machine lets nobody make mount namespaces"


@cache
def user_of(part: str) -> pwd.struct_passwd | None:
    """The part's user, made now if there is none; None where all share one."""
    if shared_by_all():
        return None
    name = f"kept-{part}"
    with suppress(KeyError):
        return pwd.getpwnam(name)
    with _alone():
        return _made(name)


@contextmanager
def _alone() -> Iterator[None]:
    """Of all `kept up` of this machine: two `useradd` of one name at once both succeed, and the second one's number is the
    user's, while the first one's owns the files."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)  # another one was quicker
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        shell = shutil.which("nologin") or "/bin/false"
        subprocess.run([*command, "--shell", shell, name], capture_output=True, check=False)
        return pwd.getpwnam(name)


def prefix(part: str, *paths: Path) -> tuple[str, ...]:
    """What to put before a command, so that it runs as the part's user, with a way to `paths`, our code and Python."""
    user = user_of(part)
    if user is None:
        return ()
    python = Path(sys.executable).resolve()
    needed = (REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), python, *paths)
    return (
        "unshare", "--mount", "--propagation", "slave", "--",
        str(python), "-I", "-S", str(Path(confined.__file__)), user.pw_name, *_existing(needed), "--",
    )  # fmt: skip


def _existing(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in dict.fromkeys(path.resolve() for path in paths) if path.exists()]


def give(part: str, *paths: Path) -> None:
    """Let what is at `paths` be the part's, all of it, and nobody else's to read. The place itself comes last: who dies in
    the middle begins again."""
    user = user_of(part)
    if user is None:
        return
    for path in paths:
        if path.stat().st_uid == user.pw_uid:
            continue
        for directory, _, files in os.walk(path, topdown=False):
            for name in files:
                _give(Path(directory) / name, user)
            _give(Path(directory), user)
        if not path.is_dir():
            _give(path, user)


def _give(path: Path, user: pwd.struct_passwd) -> None:
    try:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    except PermissionError:  # an immutable file of the log: the kernel asks even root to say so first
        from shared.blobs import immutable  # which brings the stores with it; almost never needed

        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            immutable.mark(handle, on=False)
            os.fchown(handle, user.pw_uid, user.pw_gid)
            immutable.mark(handle)
        finally:
            os.close(handle)
