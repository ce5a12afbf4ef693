"""Disks that are really full: a directory of the platform moves onto a tmpfs of its own, which is filled to the last byte.

Needs the right to mount (root); whoever may not is told so by name, not skipped in silence.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.chaos import held_down
from tests.support.platform import Platform

ROOM_BYTES = 96 * 1024 * 1024  # beside what lies there already: a few of PostgreSQL's segments of 16 MiB, and quickly full
BLOCK = 64 * 1024


@dataclass(frozen=True)
class Disk:
    """A directory with a file system of its own."""

    directory: Path

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte left inside the block; room again after it."""
        filler = self.directory / ".filler"
        with filler.open("wb", buffering=0) as file:
            size = BLOCK
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2
        try:
            yield
        finally:
            filler.unlink(missing_ok=True)


@contextmanager
def small_disks(platform: Platform, places: dict[str, Path]) -> Iterator[dict[str, Disk]]:
    """`places`: part -> the directory that it writes to. Each lies on a small disk of its own inside the block."""
    if os.geteuid() != 0:
        pytest.fail("a full disk needs the right to mount a tmpfs: run these tests as root")
    mounted = ExitStack()
    try:
        with held_down(platform, *places):
            for directory in places.values():
                mounted.enter_context(_onto_tmpfs(directory))
        platform.wait_ready()
        yield {part: Disk(directory) for part, directory in places.items()}
    finally:
        with held_down(platform, *places):
            mounted.close()
    platform.wait_ready()


@contextmanager
def _onto_tmpfs(directory: Path) -> Iterator[None]:
    """Nobody may use `directory` while this begins and while it ends."""
    aside = directory.with_name(f"{directory.name}.aside")
    status = directory.stat()
    directory.rename(aside)
    directory.mkdir()
    size = sum(file.stat().st_blocks * 512 for file in aside.rglob("*") if file.is_file()) + ROOM_BYTES
    options = f"size={size},mode={status.st_mode & 0o7777:o},uid={status.st_uid},gid={status.st_gid}"
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory))
    try:
        _copy(aside, directory)
        yield
    finally:
        back = directory.with_name(f"{directory.name}.back")
        back.mkdir(mode=status.st_mode & 0o7777)
        os.chown(back, status.st_uid, status.st_gid)
        _copy(directory, back)
        _run("umount", str(directory))
        directory.rmdir()
        back.rename(directory)
        subprocess.run(["chattr", "-R", "-i", str(aside)], capture_output=True, check=False)  # the log's files may be so
        shutil.rmtree(aside)


def _copy(source: Path, target: Path) -> None:
    _run("cp", "-a", "--sparse=always", f"{source}/.", str(target))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr.strip()}"
