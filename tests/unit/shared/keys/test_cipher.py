"""Field ciphertext: a published vector, and the property that a value opens in its place and nowhere else."""

import base64
import copy
import json
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy.dialects import postgresql

from shared.bus.event import Event
from shared.errors import InvariantError, TamperError, TooLargeError
from shared.keys.cipher import PLAINTEXT_BYTES_MAX, DataKey, Place, Sealed, key_version, new_data_key, open_, seal
from shared.keys.ciphertext import RECEIVED, Ciphertext
from shared.keys.column import SealedText

ROOT = Path(__file__).parents[4]
words = st.text(max_size=40)
places = st.builds(Place, words, words, words, words)
HERE = Place("customers", "customers", "email", "sub_1")


class _Nowhere(Place):
    def associated_data(self) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("plaintext", "expected"),
    [
        ("", "530f8afbc74536b9a963b4f1c4cb738b"),
        ("\0" * 16, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
    ],
)
def test_the_gcm_specifications_vectors(plaintext: str, expected: str) -> None:
    """McGrew & Viega, The Galois/Counter Mode of Operation, test cases 13 and 14 (AES-256)."""
    sealed = seal(DataKey(1, bytes(32)), _Nowhere("", "", "", ""), plaintext, nonce=bytes(12))
    assert sealed == b"\x01\x00\x01" + bytes(12) + bytes.fromhex(expected)


@given(st.text(max_size=200), places, st.integers(1, 65535))
def test_what_is_sealed_opens(value: str, place: Place, version: int) -> None:
    key = new_data_key(version)
    sealed = seal(key, place, value)
    assert open_(key, place, sealed) == value
    assert key_version(sealed) == version
    assert len(sealed) == 1 + 2 + 12 + len(value.encode()) + 16


@given(places, places)
def test_two_places_never_share_their_bytes(one: Place, other: Place) -> None:
    assert (one == other) == (one.associated_data() == other.associated_data())


@pytest.mark.parametrize("part", ["service", "table", "column", "subject"])
def test_a_value_moved_elsewhere_does_not_open(part: str) -> None:
    key = new_data_key()
    sealed = seal(key, HERE, "x")
    with pytest.raises(TamperError):
        open_(key, replace(HERE, **{part: "other"}), sealed)


@given(st.data())
def test_any_changed_or_cut_byte_is_noticed(data: st.DataObject) -> None:
    key = new_data_key()
    sealed = seal(key, HERE, "a value")
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    for bad in (flipped, sealed[:at], sealed + b"\0"):
        with pytest.raises(TamperError):
            open_(key, HERE, bad)


def test_another_key_does_not_open_and_errors_say_nothing() -> None:
    sealed = seal(new_data_key(), HERE, "secret words")
    with pytest.raises(TamperError) as caught:
        open_(new_data_key(), HERE, sealed)
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None


def test_a_nonce_is_never_used_twice() -> None:
    key = new_data_key()
    assert len({bytes(seal(key, HERE, "x"))[3:15] for _ in range(1000)}) == 1000


def test_a_key_and_a_ciphertext_do_not_print() -> None:
    key = DataKey(1, b"k" * 32)
    assert "k" * 8 not in repr(key) and "secret=" not in repr(key)
    assert repr(seal(key, HERE, "abc")) == "Sealed(34 bytes)"


def test_a_field_has_a_limit() -> None:
    with pytest.raises(TooLargeError):
        seal(new_data_key(), HERE, "x" * (PLAINTEXT_BYTES_MAX + 1))


def test_a_column_takes_only_what_was_sealed() -> None:
    column, dialect = SealedText(), postgresql.dialect()
    sealed = seal(new_data_key(), HERE, "x")
    assert column.process_bind_param(sealed, dialect) == bytes(sealed)
    assert column.process_bind_param(None, dialect) is None
    for clear in ("someone@example.org", b"bytes", bytes(sealed)):
        with pytest.raises(InvariantError) as caught:
            column.process_bind_param(clear, dialect)  # type: ignore[arg-type]
        assert "example" not in str(caught.value)


@pytest.mark.parametrize("how", [Sealed, copy.copy, lambda raw: pickle.loads(pickle.dumps(raw)), lambda raw: raw + b"", bytes])
def test_nobody_else_makes_a_sealed_value(how: Callable[[bytes], bytes]) -> None:
    """Not from a text in clear, not from what looks like a ciphertext, not by copying one."""
    for raw in (b"someone@example.org", b"\x01\x00\x01" + bytes(40), seal(new_data_key(), HERE, "x")):
        try:
            made = how(raw)
        except InvariantError:
            continue
        assert type(made) is bytes or made is raw


def test_only_the_keyrings_own_modules_make_one_of_bytes() -> None:
    code = [one for place in ("shared", "services", "deploy") for one in (ROOT / place).rglob("*.py")]
    users = {one.relative_to(ROOT).as_posix() for one in code if re.search(r"\bas_stored\b|__new__\(Sealed", one.read_text())}
    assert users == {f"shared/keys/{name}.py" for name in ("cipher", "ciphertext", "column")}


class Noted(Event, type="kept.customers.sealed.noted.v1"):
    """For these tests alone."""

    fields: dict[str, Ciphertext | None]


def test_an_event_carries_only_what_was_sealed() -> None:
    sealed = seal(new_data_key(), HERE, "someone@example.org")
    event = Noted(fields={"email": sealed, "phone": None})
    told = event.model_dump_json()
    assert json.loads(told) == {"fields": {"email": base64.b64encode(sealed).decode(), "phone": None}}
    assert Noted.model_validate(json.loads(told), context=RECEIVED) == event
    for clear in ("someone@example.org", b"someone@example.org", base64.b64encode(sealed).decode(), bytes(sealed), 17):
        with pytest.raises(InvariantError) as caught:
            Noted(fields={"email": clear})  # type: ignore[dict-item]
        assert "someone" not in str(caught.value)


@pytest.mark.parametrize("clear", ["someone@example.org", "c29tZW9uZUBleGFtcGxlLm9yZw==", "", 17])
def test_an_event_that_comes_with_a_value_in_clear_is_refused_without_repeating_it(clear: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Noted.model_validate({"fields": {"email": clear}}, context=RECEIVED)
    assert str(clear) not in str(caught.value) or not clear
