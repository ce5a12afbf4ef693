"""The key of a witness, and the directory that it shares with its memory.

    <state>/key          PRIVATE+KEY+<name>+<key id>+<base64(type ‖ seed)>, readable by its owner alone
    <state>/witness.db   what was signed (store.py)

A key whose memory is gone must never sign again: it could be shown another history. So the memory is made before the key, and a
directory with a key and no memory is refused.
"""

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from services.audit.witness.store import Memory
from shared.errors import ConflictError, MalformedError, TamperError, UnavailableError
from shared.notes.cosignature import COSIGNATURE, COSIGNATURE_PQ, cosign, witness_vkey
from shared.notes.note import decoded, is_name

KEY, MEMORY = "key", "witness.db"
PREFIX = "PRIVATE+KEY+"
SEED_BYTES = 32
KINDS = {"ed25519": COSIGNATURE, "ml-dsa-44": COSIGNATURE_PQ}


@dataclass(frozen=True)
class WitnessKey:
    name: str
    seed: bytes = field(repr=False)
    kind: bytes = COSIGNATURE

    @property
    def vkey(self) -> str:
        """What others verify with."""
        return witness_vkey(self.name, self.seed, self.kind)

    def cosign(self, text: str, at: int) -> str:
        """The line under a checkpoint's text."""
        return cosign(text, self.name, self.seed, at, self.kind)


def opened(state: Path, name: str = "", kind: bytes = COSIGNATURE) -> tuple[WitnessKey, Memory]:
    """The witness of a directory, made at its first start: `kind` counts then, and `name` is needed; it may be left out later.

    MalformedError for a name that is none, or a key that cannot be read; ConflictError for another name than the key has;
    TamperError where the key is there and its memory is not, or others can read the key; UnavailableError for the disk.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (state / KEY).exists():
            key = _read(state, name)
        else:
            if not is_name(name):
                raise MalformedError("a new witness needs a name, such as witness.example/kept (--name)")
            Memory(state / MEMORY).close()
            key = _made(state, WitnessKey(name, secrets.token_bytes(SEED_BYTES), kind))
        return key, Memory(state / MEMORY)
    except OSError as error:
        raise UnavailableError(f"{state}: {error.strerror}") from None


def _read(state: Path, name: str) -> WitnessKey:
    file = state / KEY
    if not (state / MEMORY).exists():
        raise TamperError(f"{file} is there and {MEMORY} is not: this key must not sign again; begin with a new directory")
    if file.stat().st_mode & 0o077:
        raise TamperError(f"{file} can be read by others: if nobody did, chmod 600 it; else begin with a new directory")
    parts = file.read_text().strip().removeprefix(PREFIX).split("+", 2)
    raw = decoded(parts[2], str(file)) if len(parts) == 3 else b""
    if len(raw) != 1 + SEED_BYTES or raw[:1] not in KINDS.values():
        raise MalformedError(f"{file} is not a witness's key")
    key = WitnessKey(parts[0], raw[1:], raw[:1])
    if key.vkey.split("+")[1] != parts[1]:
        raise MalformedError(f"{file} is damaged: its id is not that of name and key")
    if name and name != key.name:
        raise ConflictError(f"this witness is called {key.name}")
    return key


def _made(state: Path, key: WitnessKey) -> WitnessKey:
    """A new key, durable before anybody hears of it."""
    text = f"{PREFIX}{key.name}+{key.vkey.split('+')[1]}+{base64.b64encode(key.kind + key.seed).decode()}\n"
    part = state / f".{KEY}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, state / KEY)  # fails where another process was first
    except FileExistsError:
        return _read(state, key.name)
    finally:
        part.unlink()
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return key
