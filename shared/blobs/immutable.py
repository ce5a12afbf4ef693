"""The immutable attribute of Linux (chattr +i): the kernel refuses to write, rename, unlink or link such a file, also for root.

Setting and clearing it takes the same capability, CAP_LINUX_IMMUTABLE. So it stops mistakes, and every process without that
capability; not a service that has it and was broken into. It is a setting, off by default: docs/storage.md.
"""

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Literal

Immutable = Literal["auto", "on", "off"]
_LONG = struct.calcsize("l")
GET_FLAGS = 0x80006601 | _LONG << 16  # FS_IOC_GETFLAGS of linux/fs.h
SET_FLAGS = 0x40006602 | _LONG << 16
IMMUTABLE = 0x10
REASONS = {
    errno.EPERM: "this process lacks CAP_LINUX_IMMUTABLE",
    errno.ENOTTY: "this file system does not have it",
    errno.EOPNOTSUPP: "this file system does not have it",
    errno.EINVAL: "this file system does not have it",
    errno.EROFS: "this file system is read-only",
}


def mark(handle: int, on: bool = True) -> None:
    """Set the attribute on an open file, or clear it. OSError where that cannot be."""
    (flags,) = struct.unpack("l", fcntl.ioctl(handle, GET_FLAGS, bytes(_LONG)))
    fcntl.ioctl(handle, SET_FLAGS, struct.pack("l", flags | IMMUTABLE if on else flags & ~IMMUTABLE))


def mark_named(path: Path) -> None:
    """Set it on a file that another process named."""
    handle = os.open(path, os.O_RDONLY)
    try:
        mark(handle)
    finally:
        os.close(handle)


def why_not(directory: Path) -> str:
    """Empty if files of this directory can be made immutable, else why not; tried on one that has no name."""
    try:
        handle = os.open(directory, os.O_WRONLY | getattr(os, "O_TMPFILE", 0), 0o444)
        try:
            mark(handle)
            mark(handle, on=False)
        finally:
            os.close(handle)
    except OSError as error:
        return REASONS.get(error.errno or 0, "this file system does not have it")
    return ""
