"""How the story is set: in by three, wrapped between words on a terminal, never padded or broken inside a word."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.stage import indented

PATH = "/tmp/kept/certificates/req_01a20c984f26727ba2e0d95acce5f266.certificate"
WORDS = st.lists(st.text("abc/.-_", min_size=1, max_size=30), min_size=1, max_size=30)


def test_a_path_is_never_broken() -> None:
    for width in (None, 20, 80):
        assert any(PATH in line for line in indented(f"The certificate was checked offline: {PATH}", width))


@given(WORDS, st.integers(20, 120) | st.none())
def test_no_word_is_lost_and_no_line_ends_in_spaces(words: list[str], width: int | None) -> None:
    lines = indented("  " + " ".join(words), width)
    assert " ".join(lines).split() == words
    assert all(line.startswith("     ") and line == line.rstrip() for line in lines)
    assert width is not None or len(lines) == 1
