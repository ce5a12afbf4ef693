"""Receipts: `c2sp.org/tlog-proof@v1`, one text file that proves one entry of a log, checkable offline.

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry>            (Kept always says the entry, so that the receipt needs nothing beside it)
    index 73894
    <base64 of a 32-byte hash>             (RFC 6962 inclusion path, from the leaf's sibling upward; none in a tree
    of one)

    <the checkpoint, verbatim>

Strict: one accepted encoding per value (`format_receipt(parse_receipt(x)) == x`).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import MalformedError, TamperError
from shared.notes.note import verify_note

HEADER = "c2sp.org/tlog-proof@v1"
RECEIPT_BYTES_MAX = 256 * 1024  # an entry is at most 64 kB (88 kB in base64), a path 64 hashes; the rest is checkpoint
PATH_MAX = 64  # hashes: a tree of 2^64 leaves
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Receipt:
    """What a receipt says; nothing in it is proven before `verify_receipt`."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    entry: bytes | None = None


@dataclass(frozen=True)
class Proven:
    """What a verified receipt proves: this entry is leaf `index` of the log `origin` when it had `size` leaves."""

    origin: str
    size: int
    index: int
    entry: bytes


def _decode(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"receipt: {what} is not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise MalformedError(f"receipt: {what} is sloppy base64")
    return raw


def _number(text: str, what: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise MalformedError(f"receipt: {what} is not a plain number")
    return int(text)


def format_receipt(receipt: Receipt) -> str:
    """The one text of `receipt`."""
    lines = [HEADER]
    if receipt.entry is not None:
        lines.append("extra " + base64.b64encode(receipt.entry).decode())
    lines.append(f"index {receipt.index}")
    lines += [base64.b64encode(node).decode() for node in receipt.path]
    return "\n".join(lines) + "\n\n" + receipt.checkpoint


def parse_receipt(text: str) -> Receipt:
    """Read a receipt. Raises MalformedError; proves nothing yet."""
    if len(text) > RECEIPT_BYTES_MAX:
        raise MalformedError("receipt: too large")
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or not checkpoint or lines.pop(0) != HEADER:
        raise MalformedError("receipt: not a tlog-proof@v1")
    entry = None
    if lines and lines[0].startswith("extra "):
        entry = _decode(lines.pop(0).removeprefix("extra "), "the entry")
    if not lines or not lines[0].startswith("index "):
        raise MalformedError("receipt: no index")
    index = _number(lines.pop(0).removeprefix("index "), "the index")
    path = tuple(_decode(line, "a hash of the path") for line in lines)
    if len(path) > PATH_MAX or any(len(node) != 32 for node in path):
        raise MalformedError("receipt: the path is not made of 32-byte hashes")
    return Receipt(index, path, checkpoint, entry)


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962: SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that `path` leads to (RFC 9162 §2.1.3.2). Raises TamperError where its length does not fit the tree."""
    if index >= size:
        raise TamperError("receipt: the index is outside the tree")
    node, first, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            raise TamperError("receipt: the path is too long")
        if first & 1 or first == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        first, last = first >> 1, last >> 1
    if last:
        raise TamperError("receipt: the path is too short")
    return node


def checkpoint_head(text: str) -> tuple[str, int, bytes]:
    """(origin, size, root) of a checkpoint's signed text."""
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0]:
        raise MalformedError("checkpoint: fewer than three lines")
    root = _decode(lines[2], "the root")
    if len(root) != 32:
        raise MalformedError("checkpoint: the root is not 32 bytes")
    return lines[0], _number(lines[1], "the size"), root


def verify_receipt(text: str, vkeys: Sequence[str], *, entry: bytes | None = None) -> Proven:
    """Prove one entry with public keys alone.

    1. the receipt is well formed; 2. it says its entry (or `entry` is given from elsewhere);
    3. the checkpoint is signed by one of `vkeys`; 4. the path leads from the entry's leaf to the checkpoint's root.
    """
    receipt = parse_receipt(text)  # 1
    proven = entry if entry is not None else receipt.entry
    if proven is None:  # 2
        raise MalformedError("receipt: it does not carry its entry")
    origin, size, root = checkpoint_head(verify_note(receipt.checkpoint, vkeys))  # 3
    if root_from_path(leaf_hash(proven), receipt.index, size, receipt.path) != root:  # 4
        raise TamperError("receipt: the entry is not in the tree that the checkpoint signs")
    return Proven(origin, size, receipt.index, proven)
