"""Blobs in a directory: temporary file, fsync, link or rename, fsync of the directory, read-only mode.

1. The bytes go to a temporary file in the same directory, and are fsynced. A crash leaves a `.tmp-` file that nobody reads.
2. `link` gives the final name, which fails where it exists (`put_new`); `rename` replaces it (`replace`).
3. The directory is fsynced: only then does the write return.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from shared.blobs.store import checked
from shared.errors import ConflictError, NotFoundError, TamperError, UnavailableError

TEMPORARY = ".tmp-"
READ_ONLY = 0o444


class PosixStore:
    def __init__(self, root: Path) -> None:
        self.root = root
        _make_directory(root)

    def put_new(self, path: str, data: bytes) -> None:
        target = self.root / checked(path)
        temporary = self._written(target, data)
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise ConflictError("the name is taken") from None
        finally:
            temporary.unlink(missing_ok=True)
        _sync(target.parent)

    def put_same(self, path: str, data: bytes) -> None:
        try:
            self.put_new(path, data)
        except ConflictError:
            if self.get(path) != data:
                raise TamperError(f"{path} holds other bytes") from None

    def replace(self, path: str, data: bytes) -> None:
        target = self.root / checked(path)
        temporary = self._written(target, data)
        temporary.replace(target)
        _sync(target.parent)

    def get(self, path: str) -> bytes:
        try:
            return (self.root / checked(path)).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFoundError("no such blob") from None

    def list(self, prefix: str = "") -> Iterator[str]:
        base = self.root / checked(prefix) if prefix else self.root
        for path in sorted(base.rglob("*")):
            if path.is_file() and not path.name.startswith(TEMPORARY):
                yield path.relative_to(self.root).as_posix()

    def _written(self, target: Path, data: bytes) -> Path:
        temporary = target.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            _make_directory(target.parent)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), READ_ONLY)
                os.fsync(file.fileno())
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS):
                raise UnavailableError("the store cannot take more now") from None
            raise
        return temporary


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
