"""Parts: cut on the way out, checked on the way in."""

import hashlib
import io
import tarfile
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backup.formats.manifest import Manifest, Part
from services.backup.restore.fetch import PartReader, fetch
from services.backup.sets.stream import Parts
from shared.errors import ConflictError, TamperError
from tests.unit.services.backup.test_formats import EXAMPLE


def manifest_of(parts: list[Part]) -> Manifest:
    return Manifest(**{**vars(EXAMPLE), "parts": tuple(parts)})


@given(st.lists(st.binary(max_size=40)), st.integers(1, 17))
def test_what_is_cut_reads_back_whole(writes: list[bytes], size: int) -> None:
    blobs: dict[int, bytes] = {}
    parts = Parts(blobs.__setitem__, size)
    for data in writes:
        parts.write(data)
    parts.close()
    reader = PartReader(manifest_of(parts.done), blobs.__getitem__)
    assert b"".join(iter(lambda: reader.read(3), b"")) == b"".join(writes)
    assert all(p.bytes == size for p in parts.done[:-1])
    assert all(hashlib.sha256(blobs[p.number]).hexdigest() == p.sha256 for p in parts.done)


def archive(name: str = "PG_VERSION") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 3
        tar.addfile(member, io.BytesIO(b"18\n"))
    return out.getvalue()


def sealed(plain: bytes, size: int = 100) -> tuple[str, Manifest, dict[int, bytes]]:
    identity = pyrage.x25519.Identity.generate()
    blobs: dict[int, bytes] = {}
    parts = Parts(blobs.__setitem__, size)
    pyrage.encrypt_io(io.BytesIO(plain), parts, [identity.to_public()])
    parts.close()
    return str(identity), manifest_of(parts.done), blobs


async def test_round_trip(tmp_path: Path) -> None:
    identity, manifest, blobs = sealed(archive())
    await fetch(manifest, identity, blobs.__getitem__, tmp_path)
    assert (tmp_path / "PG_VERSION").read_text() == "18\n"
    with pytest.raises(ConflictError):
        await fetch(manifest, identity, blobs.__getitem__, tmp_path)


async def test_a_flipped_bit_is_named(tmp_path: Path) -> None:
    identity, manifest, blobs = sealed(archive())
    blobs[1] = blobs[1][:-1] + bytes([blobs[1][-1] ^ 1])
    with pytest.raises(TamperError, match="part 1 is not the one"):
        await fetch(manifest, identity, blobs.__getitem__, tmp_path)


async def test_parts_left_out_at_the_end_are_noticed(tmp_path: Path) -> None:
    """Even by whoever could sign a manifest: age knows where its stream ends."""
    identity, manifest, blobs = sealed(archive() + bytes(300_000))
    with pytest.raises(TamperError):
        await fetch(manifest_of(list(manifest.parts[:-3])), identity, blobs.__getitem__, tmp_path)


async def test_another_sets_key_opens_nothing(tmp_path: Path) -> None:
    _, manifest, blobs = sealed(archive())
    with pytest.raises(TamperError):
        await fetch(manifest, str(pyrage.x25519.Identity.generate()), blobs.__getitem__, tmp_path)


async def test_an_archive_cannot_write_outside(tmp_path: Path) -> None:
    into = tmp_path / "in"
    into.mkdir()
    identity, manifest, blobs = sealed(archive("../out"))
    with pytest.raises(TamperError):
        await fetch(manifest, identity, blobs.__getitem__, into)
    assert not (tmp_path / "out").exists()
