"""The store in a directory: the contract, and what a crash or a full disk leaves."""

import errno
import os
from pathlib import Path

import pytest

from shared.blobs import PosixStore
from shared.errors import NotFoundError, UnavailableError
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


def test_data_then_name_then_directory(store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step as the docstring numbers them: nothing is named before its bytes are durable."""
    done: list[str] = []
    sync, link = os.fsync, os.link

    def fsync(handle: int) -> None:
        done.append("directory" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "data")
        sync(handle)

    def linking(source: Path, target: Path) -> None:
        done.append("name")
        link(source, target)

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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("persisted", [False, True])
def test_a_disk_that_fails_is_a_part_that_is_away(
    store: PosixStore, monkeypatch: pytest.MonkeyPatch, code: int, persisted: bool
) -> None:
    """Once before the name is there, once after: either way trying again ends well, and no temporary file stays."""
    broken = "link" if not persisted else "fsync"
    real_link, real_sync, syncs = os.link, os.fsync, 0

    def link(source: Path, target: Path) -> None:
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
