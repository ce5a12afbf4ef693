"""The store in a directory: the contract, and what a crash or a full disk leaves."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.blobs import PosixStore, UnfitStoreError, immutable, posix
from shared.errors import ConflictError, NotFoundError, UnavailableError
from tests.support.blob_contract import BlobContract


class TestPosix(BlobContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.base, self.count = tmp_path, 0

    def make(self) -> PosixStore:
        self.count += 1
        return PosixStore(self.base / f"deep/store{self.count}")


@pytest.fixture
def store(tmp_path: Path) -> PosixStore:
    return PosixStore(tmp_path)


def test_files_are_read_only(store: PosixStore, tmp_path: Path) -> None:
    store.put_new("a/b", b"1")
    store.replace("c", b"1")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a/b", "c")] == [0o444, 0o444]


@pytest.fixture(params=["nameless", "named"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to step 1: with O_TMPFILE, and on a file system that does not have it."""
    if request.param == "named":
        monkeypatch.setattr(posix, "O_TMPFILE", 0)


@pytest.mark.usefixtures("either")
def test_what_root_writes_belongs_to_whom_its_directory_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root plays it: the owner of the directory is somebody else for as long as it is asked."""
    service, given = (4711, 4712), list[tuple[int, ...]]()
    real = Path.stat

    def of_the_service(path: Path, **how: bool) -> os.stat_result:
        found = real(path, **how)
        return os.stat_result((*found[:4], *service, *found[6:])) if path.is_relative_to(tmp_path) else found

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda handle, *to: given.append((os.fstat(handle).st_ino, *to)))
    monkeypatch.setattr(Path, "stat", of_the_service)
    store = PosixStore(tmp_path / "log")
    store.put_new("shard/tile/000", b"1")
    store.put_same("shard/tile/001", b"1")
    store.replace("shard/checkpoint", b"1")
    store.replace_if("shard/checkpoint", b"2", b"1")
    made = {path.stat().st_ino for path in (tmp_path / "log", *(tmp_path / "log").rglob("*"))}
    assert made <= {inode for inode, *_ in given} and {tuple(to) for _, *to in given} == {service}


def test_root_gives_away_what_it_made_and_never_what_a_link_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the parent puts a link in the place of what root has just made."""
    elsewhere, given = tmp_path / "etc", list[int]()
    elsewhere.mkdir()
    real_stat, real_mkdir = Path.stat, Path.mkdir

    def of_the_service(path: Path, **how: bool) -> os.stat_result:
        found = real_stat(path, **how)
        return os.stat_result((*found[:4], 4711, 4712, *found[6:]))

    def swapped(path: Path, *how: int, **more: bool) -> None:
        real_mkdir(path, *how, **more)
        if path.name == "shard":
            path.rmdir()
            path.symlink_to(elsewhere)

    store = PosixStore(tmp_path / "log")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda handle, *_: given.append(os.fstat(handle).st_ino))
    monkeypatch.setattr(Path, "stat", of_the_service)
    monkeypatch.setattr(Path, "mkdir", swapped)
    with pytest.raises(OSError, match="shard"):
        store.put_new("shard/000", b"1")
    assert real_stat(elsewhere).st_ino not in given


@pytest.mark.usefixtures("either")
def test_data_then_name_then_directory(store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step as the docstring numbers them: nothing is named before its bytes are durable."""
    done: list[str] = []
    sync, link = os.fsync, os.link

    def fsync(handle: int) -> None:
        done.append("directory" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "data")
        sync(handle)

    def linking(*args: Any, **named: Any) -> None:
        done.append("name")
        link(*args, **named)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", linking)
    store.put_new("a", b"1")
    assert done == ["data", "name", "directory"]
    done.clear()
    store.put_same("a", b"1")  # whoever wrote it may have died before the directory was durable
    assert done[-1] == "directory"
    done.clear()
    store.put_new("new/b", b"1")
    assert done == ["directory", "data", "name", "directory"]
    done.clear()
    store.put_all_same([(f"new/{n}", b"1") for n in range(3)])
    assert done == ["data"] * 3 + ["name"] * 3 + ["directory"]


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("persisted", [False, True])
def test_a_disk_that_fails_is_a_part_that_is_away(
    store: PosixStore, monkeypatch: pytest.MonkeyPatch, code: int, persisted: bool
) -> None:
    """Once before the name is there, once after: either way trying again ends well, and no temporary file stays."""
    broken = "link" if not persisted else "fsync"
    real_link, real_sync, syncs = os.link, os.fsync, 0

    def link(*_: Any, **__: Any) -> None:
        raise OSError(code, "no")

    def fsync(handle: int) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == 2:  # the directory's: the name exists already
            raise OSError(code, "no")
        real_sync(handle)

    monkeypatch.setattr(os, broken, link if broken == "link" else fsync)
    with pytest.raises(UnavailableError):
        store.put_new("a", b"1")
    monkeypatch.setattr(os, "link", real_link)
    monkeypatch.setattr(os, "fsync", real_sync)
    assert list(store.list("")) == (["a"] if persisted else [])
    store.put_same("a", b"1")
    assert store.get("a") == b"1" and [one.name for one in store.root.iterdir()] == ["a"]


def test_what_a_crash_left_is_not_a_blob(store: PosixStore, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".tmp-0011223344556677").write_bytes(b"half")
    assert list(store.list("")) == []
    store.put_new("a/b", b"1")
    assert list(store.list("")) == ["a/b"]


def test_an_old_file_that_replace_could_not_replace_stays(store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.replace("c", b"old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "no")))
    with pytest.raises(UnavailableError):
        store.replace("c", b"new")
    assert store.get("c") == b"old" and [one.name for one in store.root.iterdir()] == ["c"]
    with pytest.raises(NotFoundError):
        store.get("d")


def test_a_swap_holds_between_processes(store: PosixStore, tmp_path: Path) -> None:
    """Four processes count together; each step is a read, and a swap that fails where another was faster."""
    store.replace("n", b"0")
    code = (
        "import sys; from pathlib import Path; from shared.blobs import PosixStore; from shared.errors import ConflictError\n"
        "store, left = PosixStore(Path(sys.argv[1])), 10\n"
        "while left:\n"
        "    old = store.get('n')\n"
        "    try: store.replace_if('n', str(int(old) + 1).encode(), old); left -= 1\n"
        "    except ConflictError: pass\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
    assert [one.wait(60) for one in running] == [0] * 4
    assert store.get("n") == b"40" and [one.name for one in tmp_path.iterdir()] == ["n"]


def test_one_who_stands_still_inside_a_swap_does_not_stop_the_others(
    store: PosixStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.replace("c", b"1")
    monkeypatch.setattr(posix, "LOCK_SECONDS_MAX", 0.05)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(UnavailableError, match="holds the lock"):
        store.replace_if("c", b"2", b"1")
    os.close(handle)  # as the kernel does when the process dies
    store.replace_if("c", b"2", b"1")
    with pytest.raises(ConflictError):
        store.replace_if("c", b"3", b"1")


def test_a_file_system_without_locks_refuses_to_swap(store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS answers for a directory: it cannot be opened for writing, which its locks need."""
    store.put_new("c", b"1")

    def flock(*_: object) -> None:
        raise OSError(errno.EBADF, "no")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UnavailableError, match="cannot lock"):
        store.replace_if("c", b"2", b"1")
    assert store.get("c") == b"1"


def test_what_died_inside_a_replacement_is_thrown_away(store: PosixStore, tmp_path: Path) -> None:
    store.replace("c", b"1")
    (tmp_path / ".tmp-c").write_bytes(b"half")
    (tmp_path / ".tmp-c").chmod(0o444)
    assert list(store.list("")) == ["c"]
    store.replace("c", b"2")
    assert store.get("c") == b"2" and [one.name for one in tmp_path.iterdir()] == ["c"]


def test_a_batch_is_larger_than_the_files_a_process_may_open(store: PosixStore) -> None:
    files = [(f"a/{n}", b"1") for n in range(3 * posix.OPEN_FILES_MAX + 1)]
    store.put_all_same(files)
    assert len(list(store.list("a"))) == len(files)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[PosixStore]:
    """A store that makes files immutable where this machine can; what it made is cleared again, so that it can be removed."""
    yield PosixStore(tmp_path, "auto")
    for path in tmp_path.rglob("*"):
        if path.is_file() and not immutable.why_not(tmp_path):
            handle = os.open(path, os.O_RDONLY)
            immutable.mark(handle, on=False)
            os.close(handle)


def test_immutable_files_stay_also_from_root(locked: PosixStore, tmp_path: Path) -> None:
    """On a machine that cannot do it, the check says so, and nothing else is different."""
    locked.put_new("a", b"1")
    locked.put_all_same([("a", b"1"), ("b/c", b"2")])
    for old, new in ((None, b"1"), (b"1", b"2")):
        locked.replace_if("moving", new, old)
    locked.replace("moving", b"3")
    assert {name: locked.get(name) for name in locked.list()} == {"a": b"1", "b/c": b"2", "moving": b"3"}
    reason = immutable.why_not(tmp_path)
    if reason:
        assert locked.check().endswith(f"files are not immutable, since {reason}")
        return
    assert locked.check().endswith("files that are written once are immutable")
    for name in ("a", "b/c"):
        path = tmp_path / name
        with pytest.raises(PermissionError):
            path.unlink()
        with pytest.raises(PermissionError):
            path.write_bytes(b"x")
        with pytest.raises(PermissionError):
            (tmp_path / "moving").rename(path)
        assert path.exists()


@pytest.mark.parametrize(("code", "wanted"), [(errno.EPERM, "lacks CAP_LINUX_IMMUTABLE"), (errno.ENOTTY, "does not have it")])
def test_where_files_cannot_be_made_immutable_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, wanted: str
) -> None:
    def ioctl(*_: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert wanted in PosixStore(tmp_path, "auto").check()
    assert "which their owner can undo" in PosixStore(tmp_path).check()
    with pytest.raises(UnfitStoreError, match=f"cannot be made immutable: this .*{wanted}"):
        PosixStore(tmp_path, "on").check()
    store = PosixStore(tmp_path, "auto")
    store.put_new("a", b"1")
    assert store.get("a") == b"1"
