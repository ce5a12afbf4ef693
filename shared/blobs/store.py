"""Write-once object stores: the contract. The call site names the write (STYLE.md rule 11).

Paths are relative, `/`-separated, of `[A-Za-z0-9._~-]` parts; no part is empty, `.` or `..`. Every write is durable when it
returns. A name is written once; `replace` is for the few names that are meant to move (a checkpoint).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from shared.errors import MalformedError, RefusedError

_PART = re.compile(r"[A-Za-z0-9._~-]+")
PATH_CHARS_MAX = 512
PART_CHARS_MAX = 200  # file systems end at 255 bytes
TEMPORARY = ".tmp-"  # begins names that are not blobs yet


class BlobStore(Protocol):
    def put_new(self, path: str, data: bytes) -> None:
        """Write; ConflictError if the name exists."""
        ...

    def put_same(self, path: str, data: bytes) -> None:
        """Write, or find exactly these bytes there; TamperError if others are."""
        ...

    def put_all_same(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Each as `put_same`, all durable when it returns. In no order: what must come before another goes in a call before.

        After an error any of them may be there, each whole.
        """
        ...

    def replace(self, path: str, data: bytes) -> None:
        """Write, whatever was there; readers see the old bytes or the new ones, never a mixture."""
        ...

    def replace_if(self, path: str, data: bytes, old: bytes | None) -> None:
        """As `replace`, if the bytes there are `old` (None: if the name is free), else ConflictError.

        Atomic between threads, processes and, where the store is shared by them, machines: of several that saw the same
        `old`, one wins.
        """
        ...

    def get(self, path: str) -> bytes:
        """The bytes; NotFoundError if there are none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Every path under the directory `prefix` (`""`: all), in order."""
        ...


@dataclass(frozen=True)
class Overlaid:
    """A name that was written once and has more on it. `first` is the version that was written first; empty if none is left."""

    path: str
    detail: str
    first: str


class CheckedStore(BlobStore, Protocol):
    """A store that can say what it is worth."""

    def check(self) -> str:
        """What the store enforces, in a line for the operator. UnfitStoreError if that is not what it was chosen for."""
        ...

    def overlaid(self, moves: Callable[[str], bool]) -> Iterator[Overlaid]:
        """Every name that does not show what was written first under it. One that `moves` may show what came later."""
        ...


class UnfitStoreError(RefusedError):
    """The store does not keep what it is trusted with. Nothing is written to it before somebody has put that right."""

    code = "store-unfit"
    status = 503


def checked(path: str) -> str:
    """`path` if it is one accepted form, else MalformedError."""
    if len(path) > PATH_CHARS_MAX or not all(_fits(part) for part in path.split("/")):
        raise MalformedError("not a path of the store")
    return path


def _fits(part: str) -> bool:
    known = _PART.fullmatch(part) is not None and part not in (".", "..")
    return known and len(part) <= PART_CHARS_MAX and not part.startswith(TEMPORARY)
