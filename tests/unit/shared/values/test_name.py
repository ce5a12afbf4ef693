"""Names and other text: docs/formats/values.md, section 3."""

import sys
import unicodedata

import pytest
from hypothesis import given

from shared.errors import InvalidInputError
from shared.values import characters
from shared.values.name import free_text, name
from tests.support.strategies import name_like

AS_WRITTEN = [
    "Anna", "O'Hara-Łukasz", "山田\u3000太郎", "Nguyễn Thị Minh", "Suharni", "李", "Jose\u0301", "Zoë \U0001f642",
    "علی\u200cرضا",  # ZWNJ where Persian needs it
    "ക്\u200dഷ", "ന്\u200d",  # ZWJ where Malayalam needs it, at the end too
    "葛\U000e0100城",  # a drawing chosen for an ideograph
    "神\ufa19",  # a compatibility ideograph: NFC would draw it otherwise
    "ᠰᠠᠷᠠ\u180eᠠ",  # the Mongolian vowel separator
    "\U00030ede\U00030edd\U0002ebf0",  # ideographs newer than this Python
    "龍\ue863",  # private use, as banks in China write some names
]  # fmt: skip
NOTHING = [
    "", " ", "\u3000\xa0\t\n", "\u200b", "\u2060\ufeff", "\u3164", "\u115f\u1160", "\uffa0", "\u2800", "\ufe0f", "\u034f",
    "\u00ad", "\u200d", "\U000e0041\U000e007f", "\u202e", "\u180e",
]  # fmt: skip
REFUSED = {
    "An\u200bna": "U+200B at character 3",
    "  An\u200bna": "U+200B at character 5",
    "Anna\u200b": "U+200B at character 5",
    "An\0na": "U+0000 at character 3",
    "An\x1bna": "U+001B",
    "An\x85na": "U+0085",
    "An\tna": "U+0009",
    "An\nna": "U+000A",
    "An\u2028na": "U+2028",
    "An\u202ena": "U+202E",
    "\u2067Anna": "U+2067 at character 1",
    "An\u061cna": "U+061C",
    "An\u200dna": "U+200D",
    "An\u200cna": "U+200C",
    "\u200cعلی": "U+200C",
    "علی\u200c": "U+200C",
    "An\u3164na": "U+3164",
    "An\u2800na": "U+2800",
    "An\u034fna": "U+034F",
    "An\u00adna": "U+00AD",
    "A\ufe0f\ufe0fnna": "U+FE0F at character 3",
    "\ufe0fAnna": "U+FE0F",
    "An\U000e0061na": "U+E0061",
    "An\ufffe": "U+FFFE",
    "An\ud800na": "U+D800",
    "An\u180ena": "U+180E",
}


@pytest.mark.parametrize("written", AS_WRITTEN)
def test_a_name_stays_as_it_is_written(written: str) -> None:
    assert name(f" \u3000{written}\n") == written


@pytest.mark.parametrize("written", NOTHING)
def test_a_name_that_shows_nothing_is_empty(written: str) -> None:
    assert name(written) is None


@pytest.mark.parametrize(("written", "says"), REFUSED.items())
def test_what_cannot_be_seen_is_named_with_its_place(written: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        name(written, "FirstName")
    assert says in refused.value.detail and refused.value.field == "FirstName"
    assert written not in refused.value.detail


def test_every_character_of_unicode_that_is_control_or_format_is_refused_between_letters() -> None:
    let_through = []
    for one in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs"):
            try:
                name(f"An{one}na")
                let_through.append(f"{ord(one):04X}")
            except InvalidInputError:
                pass
    assert not let_through


def test_an_address_keeps_its_lines() -> None:
    assert free_text(" Rua 1\r\nApto 2\rBloco 3\n", "address", lines=True) == "Rua 1\nApto 2\nBloco 3"
    with pytest.raises(InvalidInputError, match=r"U\+000A at character 6"):
        free_text("Rua 1\nApto 2", "city")


@given(name_like)
def test_what_passes_shows_all_of_itself_and_passes_again(written: str) -> None:
    try:
        found = name(written)
    except InvalidInputError as refused:
        assert len(written) < 4 or written not in refused.detail
        return
    if found is None:
        assert characters.shows_nothing(written)
        return
    assert name(found) == found
    assert not characters.shows_nothing(found)
    assert not any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in found)
    found.encode()
