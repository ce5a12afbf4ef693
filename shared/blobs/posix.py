"""Blobs in a directory. What is written in which order, and what a crash leaves:

1. The bytes go to a file that has no name (O_TMPFILE), in the directory where it shall be. A crash leaves nothing; on a file
   system without O_TMPFILE, a `.tmp-` file that nobody reads.
2. The file is fsynced. Of a batch, every file is written out before the first is waited for: the first fsync carries most
   of the journal for all.
3. `link` gives the name, and fails where it exists. Where that is set, the file is now made immutable; whoever finds the name
   taken does it too. A crash leaves some names of a batch; each stands for whole bytes.
   So a name with fewer bytes than it should have cannot be ours: it is tampering, not a torn write.
4. The directory is fsynced, once per batch: only now is the write done. Whoever finds the name taken does it too, since the
   one who took it may have died before.

A name that moves (`replace`, `replace_if`) is written under a lock of its directory: `.tmp-<name>`, fsync, rename, fsync of
the directory. A crash leaves `.tmp-<name>`, which the next one throws away; the kernel gives up the lock with the process.
The lock is flock(2) on the directory, so it holds between the processes of one machine. NFS cannot lock directories: there
`replace` is refused (UnavailableError), and an S3 store is the right choice for several machines.

What root writes belongs to whom its directory belongs: a command that root runs beside a service leaves nothing with which that
service, under a user of its own, could not go on.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from shared.blobs.immutable import Immutable, mark, mark_named, why_not
from shared.blobs.store import TEMPORARY, Overlaid, UnfitStoreError, checked
from shared.errors import ConflictError, NotFoundError, TamperError, UnavailableError

READ_ONLY = 0o444
OPEN_FILES_MAX = 128  # of a batch at a time: a process has 1,024 by default
LOCK_SECONDS_MAX = 10.0  # a replacement takes milliseconds; a process that was stopped inside one must not stop the others
LOCK_POLL_SECONDS = 0.002
AWAY = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ESTALE}
O_TMPFILE = getattr(os, "O_TMPFILE", 0)  # Linux alone


class PosixStore:
    """One process, or several: names decide who was first, so only names that move need a lock."""

    def __init__(self, root: Path, immutable: Immutable = "off") -> None:
        self.root = root
        self._wanted = immutable
        with _translated():
            _make_directory(root)

    @cached_property
    def _immutable(self) -> bool:
        return self._wanted != "off" and not why_not(self.root)

    def put_new(self, path: str, data: bytes) -> None:
        if self._write({checked(path): data}, self._immutable):
            raise ConflictError("the name is taken")

    def put_same(self, path: str, data: bytes) -> None:
        self.put_all_same([(path, data)])

    def put_all_same(self, files: Iterable[tuple[str, bytes]]) -> None:
        rest = iter(files)
        while some := list(islice(rest, OPEN_FILES_MAX)):
            batch: dict[str, bytes] = {}
            for path, data in some:
                if batch.setdefault(checked(path), data) != data:
                    raise TamperError(f"{path} is given twice, with other bytes")
            for path in self._write(batch, self._immutable):
                _compare(path, self.get(path), batch[path])

    def replace(self, path: str, data: bytes) -> None:
        with self._moving(path) as target:
            _overwrite(target, data)

    def replace_if(self, path: str, data: bytes, old: bytes | None) -> None:
        if old is None:
            if self._write({checked(path): data}, immutable=False):
                raise ConflictError("the name is taken")
            return
        with self._moving(path) as target:
            if not target.is_file() or target.read_bytes() != old:
                raise ConflictError("the name moved meanwhile")
            _overwrite(target, data)

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

    def check(self) -> str:
        said = "files are read-only, which their owner can undo"
        if self._wanted != "off":
            reason = why_not(self.root)
            if reason and self._wanted == "on":
                raise UnfitStoreError(f"{self.root}: files cannot be made immutable: {reason} (or set it to auto or off)")
            said = f"files are not immutable, since {reason}" if reason else "files that are written once are immutable"
        return f"{self.root}: a directory; {said}"

    def overlaid(self, moves: Callable[[str], bool]) -> Iterator[Overlaid]:
        return iter(())  # a directory has one version of each name, and the tree proves what is in it

    def _write(self, batch: dict[str, bytes], immutable: bool) -> set[str]:
        """Steps 1 to 4. The names that were taken."""
        taken = set()
        with _translated(), ExitStack() as opened:
            files = [(path, opened.enter_context(_written(self.root / path, data))) for path, data in batch.items()]
            for _, file in files:
                # After an error the kernel counts the pages as clean: this file is given up, never fsynced again.
                os.fsync(file.handle)
            for path, file in files:
                try:
                    file.link(self.root / path)
                    if immutable:
                        mark(file.handle)
                except FileExistsError:
                    taken.add(path)
                    if immutable:
                        mark_named(self.root / path)
            for directory in {(self.root / path).parent for path in batch}:
                _sync(directory)
        return taken

    @contextmanager
    def _moving(self, path: str) -> Iterator[Path]:
        """The place of a name that moves, locked: nobody else moves a name of that directory meanwhile."""
        target = self.root / checked(path)
        with _translated():
            _make_directory(target.parent)
            handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _lock(handle)
                yield target
            finally:
                os.close(handle)


@dataclass(frozen=True)
class _File:
    """Written, not yet named. `path` is empty where the file has no name at all."""

    handle: int
    path: str = ""

    def link(self, target: Path) -> None:
        if self.path:
            os.link(self.path, target)
        else:  # the descriptor makes Python call linkat(2), which alone follows the link to the open file
            os.link(f"/proc/self/fd/{self.handle}", target, src_dir_fd=self.handle, follow_symlinks=True)


@contextmanager
def _written(target: Path, data: bytes) -> Iterator[_File]:
    """Step 1. Afterwards nothing of it is left but what was linked."""
    _make_directory(target.parent)
    file = _nameless(target.parent)
    try:
        with os.fdopen(file.handle, "wb", closefd=False) as stream:
            stream.write(data)
        if hasattr(os, "posix_fadvise"):  # begins to write out, and does not wait: a hint, durable is what step 2 did
            os.posix_fadvise(file.handle, 0, 0, os.POSIX_FADV_DONTNEED)
        yield file
    finally:
        os.close(file.handle)
        if file.path:
            with suppress(OSError):  # the first error is the one that counts
                Path(file.path).unlink(missing_ok=True)


def _nameless(directory: Path) -> _File:
    try:
        if O_TMPFILE:
            return _File(_owned(os.open(directory, os.O_WRONLY | O_TMPFILE, READ_ONLY), directory))
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    path = f"{directory}/{TEMPORARY}{secrets.token_hex(8)}"
    return _File(_owned(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, READ_ONLY), directory), path)


def _overwrite(target: Path, data: bytes) -> None:
    """Under the lock: readers see the old bytes or the new ones, also after a crash."""
    temporary = target.with_name(f"{TEMPORARY}{target.name}")
    try:
        temporary.unlink(missing_ok=True)  # somebody died before the rename
        handle = _owned(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, READ_ONLY), target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
        _sync(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _compare(path: str, found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise TamperError(f"{path} holds other bytes ({len(found)}, where {len(wanted)} belong)")


def _lock(directory: int) -> None:
    until = time.monotonic() + LOCK_SECONDS_MAX
    while True:
        try:
            return fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise UnavailableError("another process holds the lock of the directory") from None
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP):
                raise UnavailableError("this file system cannot lock a directory: use a local one, or S3") from None
            raise
        time.sleep(LOCK_POLL_SECONDS)


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
    try:
        path.mkdir()
    except FileExistsError:  # somebody else was faster, and it is theirs
        return
    # Whoever owns the parent may have put a link there meanwhile: root gives away what it made, and nothing else.
    os.close(_owned(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), path.parent))
    _sync(path.parent)


def _owned(handle: int, directory: Path) -> int:
    """The new file, given by root to whom its directory belongs."""
    if os.geteuid() == 0 and (owner := directory.stat()).st_uid != 0:
        with suppress(PermissionError):  # a file system on which root is nobody special
            os.fchown(handle, owner.st_uid, owner.st_gid)
    return handle


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
