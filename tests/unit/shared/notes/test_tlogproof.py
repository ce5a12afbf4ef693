"""Receipts against a naive tree: every leaf of every small tree proves itself, and nothing else."""

import contextlib
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import MalformedError, TamperError
from shared.notes.note import LocalSigner, sign_note, vkey
from shared.notes.tlogproof import Receipt, format_receipt, leaf_hash, parse_receipt, root_from_path, verify_receipt

LOG = LocalSigner("kept.local/log", bytes(32))
KEY = vkey(LOG.name, LOG.public)
ENTRIES = [f"entry {n}".encode() for n in range(33)]


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*naive_path(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_path(index - split, leaves[split:]), naive_root(leaves[:split])]


async def receipt(index: int, size: int) -> str:
    import base64

    leaves = [leaf_hash(entry) for entry in ENTRIES[:size]]
    text = f"kept.local/log/t/0\n{size}\n{base64.b64encode(naive_root(leaves)).decode()}\n"
    return format_receipt(Receipt(index, tuple(naive_path(index, leaves)), await sign_note(text, LOG), ENTRIES[index]))


async def test_every_leaf_of_every_tree_up_to_33() -> None:
    for size in range(1, len(ENTRIES) + 1):
        for index in range(size):
            text = await receipt(index, size)
            assert format_receipt(parse_receipt(text)) == text
            proven = verify_receipt(text, [KEY])
            assert (proven.index, proven.size, proven.entry) == (index, size, ENTRIES[index])


async def test_another_entry_index_or_path_does_not_prove() -> None:
    text = await receipt(5, 21)
    good = parse_receipt(text)
    for bad in (
        Receipt(6, good.path, good.checkpoint, good.entry),
        Receipt(21, good.path, good.checkpoint, good.entry),
        Receipt(5, good.path[:-1], good.checkpoint, good.entry),
        Receipt(5, (*good.path, bytes(32)), good.checkpoint, good.entry),
        Receipt(5, good.path, good.checkpoint, b"another entry"),
    ):
        with pytest.raises(TamperError):
            verify_receipt(format_receipt(bad), [KEY])


async def test_a_node_of_the_tree_is_no_entry() -> None:
    """Second preimage: an inner node's children offered as an entry (RFC 6962's prefixes forbid it)."""
    leaves = [leaf_hash(entry) for entry in ENTRIES[:2]]
    with pytest.raises(TamperError):
        root_from_path(leaf_hash(leaves[0] + leaves[1]), 0, 2, [])


async def test_an_unknown_log_proves_nothing() -> None:
    with pytest.raises(TamperError):
        verify_receipt(await receipt(0, 3), [vkey("kept.local/log", LocalSigner("x", bytes(range(32))).public)])


@pytest.mark.parametrize(
    "change",
    [
        ("index 5", "index 05"),
        ("index 5", "index +5"),
        ("index 5", "index"),
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("\n\n", "\n"),
        ("index 5\n", "index 5\nAAAA\n"),
        ("extra ", "extra  "),
    ],
)
async def test_sloppy_receipts_are_refused(change: tuple[str, str]) -> None:
    text = await receipt(5, 21)
    with pytest.raises(MalformedError):
        parse_receipt(text.replace(change[0], change[1], 1))


def test_the_hashes_are_those_of_rfc_6962() -> None:
    """The leaf of the empty entry, as certificate-transparency's own tests publish it."""
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


ODD = st.lists(
    st.sampled_from(
        ["c2sp.org/tlog-proof@v1\n", "extra ", "index ", "0", "7", "\n", "\n\n", "AAAA", "A" * 43 + "=", "\ud800", " "]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=500)
@given(ODD)
def test_what_is_read_has_one_spelling_and_the_rest_is_refused(text: str) -> None:
    for one in (text, "c2sp.org/tlog-proof@v1\n" + text, "c2sp.org/tlog-proof@v1\nindex 0\n" + text):
        with contextlib.suppress(MalformedError):
            assert format_receipt(parse_receipt(one)) == one
        with contextlib.suppress(MalformedError, TamperError):
            verify_receipt(one, [KEY])
