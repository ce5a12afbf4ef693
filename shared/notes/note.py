"""Signed notes (https://c2sp.org/signed-note): everything Kept signs is one.

    <text, ending in a newline>
                                                    (one empty line)
    — <key name> <base64(key id (4) ‖ Ed25519 signature (64))>

The key id is SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]; the signed bytes are the text with its last newline. A
vkey is
`name+hex(key id)+base64(0x01 ‖ public key)`. Other signature types are carried, and not judged here: what witnesses sign is in
shared/notes/cosignature.py.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.errors import InvariantError, MalformedError, TamperError
from shared.keys import ed25519
from shared.keys.vault import Vault

NOTE_BYTES_MAX = 16 * 1024 * 1024  # a certificate carries its receipts
SIGNATURES_MAX = 64
ED25519 = b"\x01"
KEY_BYTES = {ED25519: 32, b"\x04": 32, b"\x06": 1312}  # of public keys, by the type of signature; 4 and 6 are witnesses'
_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")
_UNFIT = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # control characters; half of a pair, which is no UTF-8
_LINE = re.compile(r"— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})")


class Signer(Protocol):
    """Whoever signs notes under `name`."""

    @property
    def name(self) -> str: ...

    async def sign(self, message: bytes) -> tuple[bytes, bytes]:
        """(32-byte public key, 64-byte Ed25519 signature) over `message`."""
        ...


OnVersion = Callable[[frozenset[int]], Awaitable[None]]  # the versions that the key has now


class VaultSigner:
    """Signs in Vault: the private key never leaves it. The newest version of the key signs."""

    def __init__(self, vault: Vault, key: str, name: str, on_version: OnVersion | None = None) -> None:
        """`on_version` is awaited before the first signature of a version is handed out: its public key is told first."""
        self.vault = vault
        self.key = key
        self._public: dict[int, bytes] = {}
        self._on_version = on_version
        self.name = name

    async def sign(self, message: bytes) -> tuple[bytes, bytes]:
        return (await self.sign_all([message]))[0]

    async def sign_all(self, messages: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """As `sign`, in one call."""
        signed = await self.vault.sign_all(self.key, messages)
        if any(version not in self._public for version, _ in signed):
            self._public = await self.vault.public_keys(self.key)
            if self._on_version is not None:
                await self._on_version(frozenset(self._public))
        return [(self._public[version], signature) for version, signature in signed]

    async def vkeys(self) -> list[str]:
        """One vkey per version of the key, oldest first."""
        found = await self.vault.public_keys(self.key)
        return [vkey(self.name, found[version]) for version in sorted(found)]


class LocalSigner:
    """Signs with a key in this process: for tests and vectors, and for holders that bring their own key."""

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = name
        self._seed = seed

    @property
    def public(self) -> bytes:
        return ed25519.public_of(self._seed)

    async def sign(self, message: bytes) -> tuple[bytes, bytes]:
        return self.public, ed25519.sign(self._seed, message)


@dataclass(frozen=True)
class Key:
    """A parsed vkey. `kind`: the type of signature that it verifies, one byte."""

    name: str
    id: bytes
    public: bytes
    kind: bytes = ED25519


def is_name(text: str) -> bool:
    """Whether a key may have this name."""
    return _NAME.fullmatch(text) is not None


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """`kind`: the signature type that the key makes; the same key is another one there."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def vkey(name: str, public: bytes, kind: bytes = ED25519) -> str:
    """The text form of a public key."""
    if not is_name(name) or len(public) != KEY_BYTES[kind]:
        raise InvariantError("not a key name, or not a key of this type")
    return f"{name}+{key_id(name, public, kind).hex()}+{base64.b64encode(kind + public).decode()}"


def parse_vkey(text: str, kind: bytes = ED25519) -> Key:
    """Read a vkey of one signature type. Raises MalformedError where a part is missing, the type is another one, or the id is
    not that of name and key."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not is_name(parts[0]):
        raise MalformedError("vkey: not name+id+key")
    raw = decoded(parts[2], "vkey: the key")
    if len(raw) != 1 + KEY_BYTES[kind] or raw[:1] != kind:
        raise MalformedError(f"vkey: not a key of type 0x{kind.hex()}")
    key = Key(parts[0], key_id(parts[0], raw[1:], kind), raw[1:], kind)
    if key.id.hex() != parts[1]:
        raise MalformedError("vkey: the key id is not that of name and key")
    return key


def decoded(text: str, what: str) -> bytes:
    """Standard base64, in its one spelling. MalformedError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"{what} is not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise MalformedError(f"{what} is sloppy base64")
    return raw


def check_text(text: str) -> str:
    """`text` if it may be signed: it ends in a newline, has no other control characters, and can be written in UTF-8."""
    if not text.endswith("\n") or _UNFIT.search(text):
        raise MalformedError("note: the text does not end in a newline, or has characters that no note may have")
    return text


async def sign_note(text: str, signer: Signer) -> str:
    """`text` as a note signed by `signer`."""
    return (await sign_notes([(text, signer)]))[0]


async def sign_notes(texts: Sequence[tuple[str, Signer]]) -> list[str]:
    """Each text as a note signed by its signer, in order; what one key in Vault signs goes there in one call."""
    signed: dict[int, tuple[bytes, bytes]] = {}
    together: dict[tuple[int, str], list[int]] = {}
    for at, (text, signer) in enumerate(texts):
        if isinstance(signer, VaultSigner):
            together.setdefault((id(signer.vault), signer.key), []).append(at)
        else:
            signed[at] = await signer.sign(check_text(text).encode())
    for places in together.values():
        one = texts[places[0]][1]
        assert isinstance(one, VaultSigner)
        answers = await one.sign_all([check_text(texts[at][0]).encode() for at in places])
        signed.update(zip(places, answers, strict=True))
    return [_signed(text, signer.name, *signed[at]) for at, (text, signer) in enumerate(texts)]


def _signed(text: str, name: str, public: bytes, signature: bytes) -> str:
    return f"{text}\n{signature_line(name, key_id(name, public), signature)}"


def signature_line(name: str, id_: bytes, signature: bytes) -> str:
    """One line under a note."""
    return f"— {name} {base64.b64encode(id_ + signature).decode()}\n"


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """(text, [(key name, key id ‖ signature)]). Raises MalformedError."""
    if len(note) > NOTE_BYTES_MAX:
        raise MalformedError("note: too large")
    check_text(note)  # the lines of signatures too
    head, gap, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not gap or lines.pop() != "" or not lines or len(lines) > SIGNATURES_MAX:
        raise MalformedError("note: no signatures after an empty line")
    signatures = []
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            raise MalformedError("note: a signature line is not of the form — name base64")
        raw = decoded(found["signature"], "note: a signature")
        if len(raw) < 5:
            raise MalformedError("note: a signature is too short")
        signatures.append((found["name"], raw))
    return head + "\n", signatures


def verify_note(note: str, vkeys: Sequence[str]) -> str:
    """The text of `note`, proven.

    1. the note is well formed; 2. each line of a known key verifies (a wrong signature under a known key is never passed over);
    3. at least one line was of a known key.
    """
    text, signatures = split_note(note)  # 1
    keys = {(key.name, key.id): key for key in map(parse_vkey, vkeys)}
    proven = False
    for name, raw in signatures:
        key = keys.get((name, raw[:4]))
        if key is None:
            continue
        try:  # 2
            ed25519.verify(key.public, raw[4:], text.encode())
        except TamperError:
            raise TamperError("note: the signature does not fit the text") from None
        proven = True
    if not proven:  # 3
        raise TamperError("note: not signed by a known key")
    return text
