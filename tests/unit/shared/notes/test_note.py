"""Signed notes: what is signed is what is read; every other spelling is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MalformedError, TamperError
from shared.notes.note import LocalSigner, parse_vkey, sign_note, verify_note, vkey

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
