"""The search of promise P1 must be able to find: each spelling is planted and found, and random bytes are not."""

import base64
import gzip
import io
import random
import zipfile
from pathlib import Path

import pytest
import zstandard

from tests.support.people import personal_values
from tests.support.scan import scan

PERSON = {"one": "luisg@embraer.example", "two": "Theodor-Heuss-Straße 34", "three": "Gonçalves"}


def _zip(raw: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", raw)
    return out.getvalue()


WRAPPINGS = {
    "utf-8": lambda v: v.encode(),
    "utf-16le": lambda v: v.encode("utf-16-le"),
    "utf-16be": lambda v: v.encode("utf-16-be"),
    "hex": lambda v: v.encode().hex().encode(),
    "base64 +0": lambda v: base64.b64encode(v.encode()),
    "base64 +1": lambda v: base64.b64encode(b"x" + v.encode() + b"yz"),
    "base64 +2": lambda v: base64.b64encode(b"xx" + v.encode() + b"y"),
    "base64url": lambda v: base64.urlsafe_b64encode(b"\xff\xfe" + v.encode()),
    "gzip": lambda v: b"head" + gzip.compress(b"filler " * 50 + v.encode()),
    "zstd": lambda v: b"head" + zstandard.compress(b"filler " * 50 + v.encode()),
    "zip": lambda v: _zip(v.encode()),
}


@pytest.mark.parametrize("label", PERSON)
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_planted_value_is_found(tmp_path: Path, wrapping: str, label: str) -> None:
    (tmp_path / "file").write_bytes(random.Random(1).randbytes(999) + WRAPPINGS[wrapping](PERSON[label]) + b"\x00tail")
    assert {hit.label for hit in scan(tmp_path, PERSON)} == {label}


def test_random_bytes_hold_nobody(tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(3_000_000)
    (tmp_path / "raw").write_bytes(noise)
    (tmp_path / "base64").write_bytes(base64.b64encode(noise))
    assert list(scan(tmp_path, personal_values())) == []
