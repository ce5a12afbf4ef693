"""Cosignatures of witnesses (https://c2sp.org/tlog-cosignature), type 0x04: Ed25519 with a time.

    — <witness> <base64(key id (4) ‖ seconds since 1970 (8, big-endian) ‖ Ed25519 signature (64))>

Signed is `cosignature/v1`, a line `time <seconds>`, and the whole text of the checkpoint. It says: at that time this was the
largest tree that the witness had seen of this log, and it follows from all those before. The line stands in the checkpoint
beside the log's own, and whoever does not know the witness passes over it. Why not ML-DSA-44: docs/decisions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import MalformedError, TamperError
from shared.keys import ed25519
from shared.notes.note import SIGNATURES_MAX, Key, check_text, key_id, parse_vkey, signature_line, split_note

COSIGNATURE = b"\x04"
TIME_MAX = 2**63 - 1
_TIME_BYTES = 8


class UnwitnessedError(TamperError):
    """Too few of the witnesses signed this."""

    code = "unwitnessed"


def cosign(text: str, name: str, seed: bytes, at: int) -> str:
    """The line of the witness `name` for a checkpoint's text, as of `at` (seconds since 1970)."""
    signature = at.to_bytes(_TIME_BYTES, "big") + ed25519.sign(seed, _message(text, at))
    return signature_line(name, key_id(name, ed25519.public_of(seed), COSIGNATURE), signature)


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{check_text(text)}".encode()


def parse_witness(vkey: str) -> Key:
    """A witness's vkey, type 0x04. MalformedError."""
    return parse_vkey(vkey, COSIGNATURE)


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
    at = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + 64 or at > TIME_MAX:
        raise TamperError(f"note: the line of {key.name} is not a cosignature")
    try:
        ed25519.verify(key.public, signature[_TIME_BYTES:], _message(text, at))
    except TamperError:
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
        if len({key.public for key in keys}) != len(keys):
            raise MalformedError("a witness is named twice: each key counts once")
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
