"""Cosignatures of witnesses (https://c2sp.org/tlog-cosignature): signatures with a time, under a checkpoint.

    — <witness> <base64(key id (4) ‖ seconds since 1970 (8, big-endian) ‖ signature)>

Type 0x04, Ed25519 (64 bytes), over `cosignature/v1`, a line `time <seconds>`, and the whole text of the checkpoint. Type 0x06,
ML-DSA-44 (2420 bytes), over the names of witness and log, the time, and the tree. Either says: at that time this was the
largest tree that the witness had seen of this log, and it follows from all those before. The line stands in the checkpoint
beside the log's own, and whoever does not know the witness passes over it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.errors import InvariantError, MalformedError, TamperError
from shared.keys import ed25519, mldsa
from shared.notes.note import SIGNATURES_MAX, Key, check_text, key_id, parse_vkey, signature_line, split_note, vkey
from shared.notes.tlogproof import checkpoint_head

COSIGNATURE, COSIGNATURE_PQ = b"\x04", b"\x06"
TIME_MAX = 2**63 - 1
_TIME_BYTES = 8
_NAME_BYTES_MAX = 255  # in what ML-DSA-44 signs


class UnwitnessedError(TamperError):
    """Too few of the witnesses signed this."""

    code = "unwitnessed"


def _plain(text: str, name: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _structure(text: str, name: str, at: int) -> bytes:
    """`cosigned_message`, in the encoding of RFC 8446 section 3, of a whole tree."""
    origin, size, root = checkpoint_head(text)
    names = [one.encode() for one in (name, origin)]
    if any(not 0 < len(one) <= _NAME_BYTES_MAX for one in names) or not 0 < at <= TIME_MAX:
        raise MalformedError("cosignature: a name over 255 bytes, or no time")
    witness, log = (bytes([len(one)]) + one for one in names)
    return b"subtree/v1\n\x00" + witness + at.to_bytes(8, "big") + log + bytes(8) + size.to_bytes(8, "big") + root


@dataclass(frozen=True)
class _Scheme:
    signature_bytes: int
    public_of: Callable[[bytes], bytes]
    sign: Callable[[bytes, bytes], bytes]
    verify: Callable[[bytes, bytes, bytes], None]
    message: Callable[[str, str, int], bytes]  # of text, witness and time


_SCHEMES = {
    COSIGNATURE: _Scheme(64, ed25519.public_of, ed25519.sign, ed25519.verify, _plain),
    COSIGNATURE_PQ: _Scheme(mldsa.SIGNATURE_BYTES, mldsa.public_of, mldsa.sign, mldsa.verify, _structure),
}


def witness_vkey(name: str, seed: bytes, kind: bytes = COSIGNATURE) -> str:
    """The vkey of a witness whose key has this seed."""
    return vkey(name, _SCHEMES[kind].public_of(seed), kind)


def cosign(text: str, name: str, seed: bytes, at: int, kind: bytes = COSIGNATURE) -> str:
    """The line of the witness `name` for a checkpoint's text, as of `at` (seconds since 1970)."""
    scheme = _SCHEMES[kind]
    if not 0 <= at <= 2**64 - 1:
        raise InvariantError("a time that no cosignature can say")
    signature = at.to_bytes(_TIME_BYTES, "big") + scheme.sign(seed, scheme.message(check_text(text), name, at))
    return signature_line(name, key_id(name, scheme.public_of(seed), kind), signature)


def parse_witness(text: str) -> Key:
    """A witness's vkey, of type 0x04 or 0x06. MalformedError."""
    for kind in _SCHEMES:
        try:
            return parse_vkey(text, kind)
        except MalformedError as error:
            wrong = error
    raise MalformedError(f"not the vkey of a witness ({wrong.detail})")


def cosigned(note: str, witnesses: Sequence[Key]) -> dict[Key, int]:
    """Which of `witnesses` signed the note, and when they say they did (the latest, where there are several).

    MalformedError where it is no note. TamperError where a line of a known witness does not verify: it is never passed over.
    """
    text, signatures = split_note(note)
    known = {(key.name, key.id): key for key in witnesses}
    found: dict[Key, int] = {}
    for name, raw in signatures:
        key = known.get((name, raw[:4]))
        if key is not None:
            found[key] = max(found.get(key, 0), _checked(key, raw[4:], text))
    return found


def _checked(key: Key, signature: bytes, text: str) -> int:
    scheme, at = _SCHEMES[key.kind], int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + scheme.signature_bytes or at > TIME_MAX:
        raise TamperError(f"note: the line of {key.name} is not a cosignature")
    try:
        scheme.verify(key.public, signature[_TIME_BYTES:], scheme.message(text, key.name, at))
    except (TamperError, MalformedError):
        raise TamperError(f"note: the cosignature of {key.name} does not fit the text") from None
    return at


@dataclass(frozen=True)
class Quorum:
    """So many of these witnesses. Made by `of`."""

    witnesses: tuple[Key, ...] = ()
    needed: int = 0

    @classmethod
    def of(cls, vkeys: Sequence[str], needed: int = 0) -> "Quorum":
        """`needed` 0: more than half, so that any two quorums have a witness in common. MalformedError for a vkey that is
        none, a key given twice (one witness would count as two), or a number that cannot be reached."""
        keys = tuple(parse_witness(text) for text in vkeys)
        if any(len({getattr(key, what) for key in keys}) != len(keys) for what in ("name", "public")):
            raise MalformedError("a witness is named twice: each counts once, whatever keys it has")
        if not 0 <= needed <= len(keys):
            raise MalformedError(f"a quorum of {needed} cannot be had of {len(keys)} witnesses")
        if len(keys) > SIGNATURES_MAX - 2:
            raise MalformedError(f"more than {SIGNATURES_MAX - 2} witnesses do not fit under one checkpoint")
        return cls(keys, needed or (len(keys) // 2 + 1 if keys else 0))

    def reached(self, note: str) -> bool:
        """Whether enough signed. MalformedError, TamperError as `cosigned`."""
        return len(cosigned(note, self.witnesses)) >= self.needed

    def check(self, note: str) -> list[str]:
        """Who signed, or UnwitnessedError: 1. every line of a known witness verifies; 2. enough of them are there."""
        there = cosigned(note, self.witnesses)  # 1
        if len(there) < self.needed:  # 2
            missing = ", ".join(key.name for key in self.witnesses if key not in there)
            raise UnwitnessedError(f"{len(there)} of the {self.needed} witnesses that it takes signed; not there: {missing}")
        return [key.name for key in there]
