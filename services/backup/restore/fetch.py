"""parts -> age -> tar -> an empty directory. Each part is checked against the signed manifest before it is opened."""

import asyncio
import hashlib
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pyrage

from services.backup.formats.manifest import Manifest
from shared.errors import ConflictError, TamperError


class PartReader:
    """Reads the parts one after another, as one stream. A part that is not what the manifest says ends it."""

    def __init__(self, manifest: Manifest, get: Callable[[int], bytes]) -> None:
        self._parts = iter(manifest.parts)
        self._get = get
        self._left = memoryview(b"")
        self.tampered: TamperError | None = None  # age wraps what its reader raises; this says which part it was

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            part = next(self._parts, None)
            if part is None:
                return b""
            data = self._get(part.number)
            if len(data) != part.bytes or hashlib.sha256(data).hexdigest() != part.sha256:
                self.tampered = TamperError(f"part {part.number} is not the one the manifest names")
                raise self.tampered
            self._left = memoryview(data)
        size = len(self._left) if size < 0 else size
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)


async def fetch(manifest: Manifest, identity: str, get: Callable[[int], bytes], into: Path) -> None:
    """Writes the cluster of `manifest` into `into`, which must be an empty directory.

    `identity` is the set's age identity in clear, `get` is called in another thread. TamperError where a part, the age
    stream or the archive is not what was written.
    """
    await asyncio.to_thread(_fetch, manifest, identity, get, into)


def _fetch(manifest: Manifest, identity: str, get: Callable[[int], bytes], into: Path) -> None:
    if any(into.iterdir()):
        raise ConflictError("a restore writes into an empty directory only")
    read_fd, write_fd = os.pipe()
    failed: list[Exception] = []
    reader = PartReader(manifest, get)

    def decrypt() -> None:
        try:
            with os.fdopen(write_fd, "wb") as out:
                pyrage.decrypt_io(reader, out, [pyrage.x25519.Identity.from_str(identity)])
        except Exception as error:  # handed to the thread that waits, below
            failed.append(error)

    thread = threading.Thread(target=decrypt, name="backup-decrypt")
    thread.start()
    unpacking: Exception | None = None
    with os.fdopen(read_fd, "rb") as stream:
        try:
            _unpack(stream, into)
        except (tarfile.TarError, OSError, EOFError) as error:
            unpacking = error
    thread.join()
    if reader.tampered is not None:
        raise reader.tampered
    if failed and not isinstance(failed[0], BrokenPipeError):
        raise TamperError("the set does not decrypt to what was written") from failed[0]
    if unpacking is not None:
        raise TamperError("the set's archive does not unpack") from unpacking


def _unpack(stream: BinaryIO, into: Path) -> None:
    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for member in archive:
            archive.extract(member, into, filter="data")  # refuses links and names that lead out of `into`
    while stream.read(1 << 16):  # let age reach its end, where a cut stream shows
        pass
    for directory, _, files in os.walk(into):
        Path(directory).chmod(0o700)
        for name in files:
            (Path(directory) / name).chmod(0o600)
