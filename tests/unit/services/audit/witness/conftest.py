"""A witness in a directory, and the checkpoints of two histories of one log that part at the leaf SPLIT."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.audit.log.checkpoint import Checkpoint
from services.audit.witness.app import Witness
from services.audit.witness.key import opened
from services.audit.witness.trust import Trusted
from shared.clock import FixedClock
from shared.errors import KeptError
from shared.keys import ed25519
from shared.notes.note import LocalSigner, key_id, signature_line, vkey
from tests.unit.services.audit.log.naive import mth, subproof

LOG_NAME = "kept.test/log"
ORIGIN = f"{LOG_NAME}/billing.events/0"
SIGNER = LocalSigner(ORIGIN, bytes(32))
NAME = "witness.test/two"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPLIT = 5


def leaves(history: int, size: int) -> list[bytes]:
    return [b"%d" % (i if i < SPLIT else i + 1_000 * history) for i in range(size)]


def checkpoint(size: int, history: int = 0, origin: str = ORIGIN, signer: LocalSigner = SIGNER) -> str:
    return signed(Checkpoint(origin, size, mth(leaves(history, size))), signer)


def signed(one: Checkpoint, signer: LocalSigner = SIGNER) -> str:
    text, id_ = one.text(), key_id(one.origin, signer.public)
    return f"{text}\n{signature_line(one.origin, id_, ed25519.sign(signer._seed, text.encode()))}"


def request(old: int, size: int, history: int = 0, proof: list[bytes] | None = None, note: str = "") -> bytes:
    if proof is None:
        proof = subproof(old, leaves(history, size)) if 0 < old < size else []
    lines = "".join(f"{base64.b64encode(node).decode()}\n" for node in proof)
    return f"old {old}\n{lines}\n{note or checkpoint(size, history)}".encode()


def added(witness: Witness, body: bytes) -> str:
    """As over HTTP, without it: the line, or the error raised."""
    (answer,) = witness.memory.sign([witness.proven(body)], int(NOW.timestamp()))
    if isinstance(answer, KeptError):
        raise answer
    return answer


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# the log's, as its operators gave it to us\n{vkey(ORIGIN, SIGNER.public)}\n")
    return file


@pytest.fixture
def witness(tmp_path: Path, keys: Path) -> Iterator[Witness]:
    key, memory = opened(tmp_path / "state", NAME)
    yield Witness(key, memory, Trusted(keys, [LOG_NAME]), FixedClock(NOW))
    memory.close()
