"""Blobs in a directory: temporary file, fsync, link or rename, fsync of the directory, read-only mode.

1. The bytes go to a temporary file in the same directory, and are fsynced. A crash leaves a `.tmp-` file that nobody reads.
2. `link` gives the final name, which fails where it exists (`put_new`); `rename` replaces it (`replace`).
3. The directory is fsynced: only then does the write return.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.blobs.store import TEMPORARY, checked
from shared.errors import ConflictError, NotFoundError, TamperError, UnavailableError

READ_ONLY = 0o444
AWAY = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ESTALE}


class PosixStore:
    """One process, or several: names decide who was first, so there is nothing to lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with _translated():
            _make_directory(root)

    def put_new(self, path: str, data: bytes) -> None:
        target = self.root / checked(path)
        with _translated(), _written(target, data) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                raise ConflictError("the name is taken") from None
            _sync(target.parent)

    def put_same(self, path: str, data: bytes) -> None:
        try:
            self.put_new(path, data)
        except ConflictError:
            if self.get(path) != data:
                raise TamperError(f"{path} holds other bytes") from None
            # Whoever wrote it may have died before its step 3.
            with _translated():
                _sync((self.root / path).parent)

    def replace(self, path: str, data: bytes) -> None:
        target = self.root / checked(path)
        with _translated(), _written(target, data) as temporary:
            temporary.replace(target)
            _sync(target.parent)

    def get(self, path: str) -> bytes:
        with _translated():
            try:
                return (self.root / checked(path)).read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise NotFoundError("no such blob") from None

    def list(self, prefix: str = "") -> Iterator[str]:
        base = self.root / checked(prefix) if prefix else self.root
        with _translated():
            found = [path.relative_to(self.root).as_posix() for path in base.rglob("*") if path.is_file()]
        yield from sorted(name for name in found if TEMPORARY not in name)


@contextmanager
def _written(target: Path, data: bytes) -> Iterator[Path]:
    """Step 1. The temporary name is gone afterwards, whatever happened."""
    _make_directory(target.parent)
    temporary = target.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), READ_ONLY)
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(OSError):  # the first error is the one that counts
            temporary.unlink(missing_ok=True)


@contextmanager
def _translated() -> Iterator[None]:
    """A disk that is full, broken or read-only is a part that is away: what waits for it is tried again."""
    try:
        yield
    except OSError as error:
        if error.errno in AWAY:
            raise UnavailableError(f"the store cannot be used now: {errno.errorcode[error.errno]}") from None
        raise


def _make_directory(path: Path) -> None:
    """Make `path` and its parents; each new name is durable in its parent."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(exist_ok=True)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
