"""Signed notes: what is signed is what is read; every other spelling is refused."""

import base64
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import MalformedError, TamperError
from shared.notes.note import LocalSigner, parse_vkey, sign_note, split_note, verify_note, vkey

SIGNER = LocalSigner("kept.local/customers", bytes(range(32)))
KEY = vkey(SIGNER.name, SIGNER.public)
OTHER = LocalSigner("kept.local/audit", bytes(32))
OTHER_KEY = vkey(OTHER.name, OTHER.public)
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]) | st.just("\n"), max_size=200).map(lambda t: t + "\n")


@given(TEXTS)
async def test_any_text_comes_back(text: str) -> None:
    assert verify_note(await sign_note(text, SIGNER), [OTHER_KEY, KEY]) == text


async def test_a_note_within_a_note_is_only_text() -> None:
    inner = await sign_note("inner\n", OTHER)
    assert verify_note(await sign_note(inner, SIGNER), [KEY]) == inner
    with pytest.raises(TamperError):
        verify_note(await sign_note(inner, SIGNER), [OTHER_KEY])


async def test_the_published_vector_of_the_format() -> None:
    """The key of golang.org/x/mod/sumdb/note's documentation, byte for byte."""
    key = parse_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert vkey(key.name, key.public) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    note = (
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    assert verify_note(note, ["PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]).startswith("If you think")


async def test_one_flipped_bit_anywhere_is_found() -> None:
    note = (await sign_note("a text\nof two lines\n", SIGNER)).encode()
    for place in range(len(note)):
        bad = bytearray(note)
        bad[place] ^= 1
        with pytest.raises((TamperError, MalformedError, UnicodeDecodeError)):
            verify_note(bad.decode(), [KEY])


async def test_a_wrong_signature_under_a_known_key_is_never_passed_over() -> None:
    good = await sign_note("text\n", SIGNER)
    raw = base64.b64decode((await sign_note("another\n", OTHER)).rsplit(" ", 1)[1])
    with pytest.raises(TamperError):
        verify_note(good + f"— {OTHER.name} {base64.b64encode(raw).decode()}\n", [KEY, OTHER_KEY])


async def test_a_witness_of_an_unknown_kind_is_carried() -> None:
    note = await sign_note("text\n", SIGNER) + "— witness.example " + base64.b64encode(b"\x04" * 80).decode() + "\n"
    assert verify_note(note, [KEY]) == "text\n"


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "return\r\n", "nul\0\n"])
async def test_what_may_not_be_signed(text: str) -> None:
    with pytest.raises(MalformedError):
        await sign_note(text, SIGNER)


@pytest.mark.parametrize("bad", ["", "x", "a+b+c", KEY[:-1], KEY + "=", KEY.replace("customers", "audit"), " " + KEY])
def test_what_is_not_a_vkey(bad: str) -> None:
    with pytest.raises(MalformedError):
        parse_vkey(bad)


PIECES = [
    "\n",
    "\n\n",
    "— ",
    "— kept.local/customers ",
    "kept.local/customers",
    "AAAAAAAA",
    "Zm9v",
    "=",
    "+",
    " ",
    "\x00",
    "\x1f",
    "\ud800",
    "\u2003",
    "é",
]
ODD = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


def joined(text: str, signatures: list[tuple[str, bytes]]) -> str:
    return text + "\n" + "".join(f"— {name} {base64.b64encode(raw).decode()}\n" for name, raw in signatures)


@settings(max_examples=500)
@given(ODD)
def test_what_is_read_has_one_spelling_and_the_rest_is_refused(note: str) -> None:
    with contextlib.suppress(MalformedError):
        assert joined(*split_note(note)) == note
    with contextlib.suppress(MalformedError, TamperError):
        verify_note(note, [KEY])


@given(ODD, st.integers(0, 200), st.integers(0, 3))
async def test_a_good_note_with_something_put_in(piece: str, at: int, cut: int) -> None:
    """Never another error than ours, and never another text under the same signature."""
    good = await sign_note("a text\n\nof three lines\n", SIGNER)
    note = good[:at] + piece + good[at + cut :]
    with contextlib.suppress(MalformedError, TamperError):
        assert verify_note(note, [KEY]) == "a text\n\nof three lines\n"
        assert joined(*split_note(note)) == note


@given(ODD)
def test_a_vkey_has_one_spelling(text: str) -> None:
    for one in (text, KEY + text, KEY[:20] + text + KEY[20:]):
        with contextlib.suppress(MalformedError):
            key = parse_vkey(one)
            assert vkey(key.name, key.public) == one


@pytest.mark.parametrize("name", ["a\x00b", "a\x1fb", "a b", "a\u2003b", "a+b", "\ud800", ""])
async def test_names_that_no_key_may_have(name: str) -> None:
    with pytest.raises(MalformedError):
        split_note(f"text\n\n— {name} AAAAAAAA\n")


async def test_sixteen_signatures_are_carried_and_sixty_five_are_not() -> None:
    note = await sign_note("text\n", SIGNER)
    line = "— witness.example " + base64.b64encode(b"\x04" * 76).decode() + "\n"
    assert verify_note(note + line * 15, [KEY]) == "text\n"
    with pytest.raises(MalformedError):
        verify_note(note + line * 64, [KEY])
