"""Masks show what recognises a value and nothing that reveals it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access.masks import DOTS, mask, shown


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", "luisg@embraer.com.br", "l•••@e•••.br"),
        ("phone", "+55 (12) 3923-5555", "••• 55"),
        ("phone", "110", DOTS),
        ("name", "Gonçalves", "G•••"),
        ("name", "李", "•••"),
        ("address", "Av. Brigadeiro Faria Lima, 2170", DOTS),
        ("text", "likes jazz", DOTS),
        ("email", "", ""),
    ],
)
def test_vectors(kind: str, value: str, expected: str) -> None:
    assert mask(kind, value) == expected  # type: ignore[arg-type]  # parametrize loses the literal


@given(st.sampled_from(["email", "phone", "address", "name", "text"]), st.text(min_size=1, max_size=60))
def test_a_mask_never_holds_four_characters_in_a_row_nor_tells_the_length(kind: str, value: str) -> None:
    masked = mask(kind, value)  # type: ignore[arg-type]  # as above
    assert DOTS in masked
    for part in masked.split(DOTS):
        assert len(part.strip("@. ")) <= 4 or kind == "email"
    assert masked != value or value == DOTS


@given(st.emails())
def test_an_address_keeps_two_letters_and_the_top_level(address: str) -> None:
    local, _, domain = address.rpartition("@")
    masked = mask("email", address)
    assert len(masked) <= 2 + 2 * len(DOTS) + 2 + len(domain.rpartition(".")[2])
    if len(local) > 1:
        assert local not in masked


def test_levels() -> None:
    assert shown("clear", "name", "Luís") == "Luís"
    assert shown("masked", "name", "Luís") == "L•••"
    assert shown("hidden", "name", "Luís") is None
