"""The horizon has one encoding, and what is not it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backup.formats.horizon import MAGIC, encode, parse
from shared.errors import MalformedError


@given(st.dictionaries(st.from_regex(r"[a-z]{1,12}", fullmatch=True), st.integers(1, 10**9 - 1)))
def test_what_is_written_is_read(oldest: dict[str, int]) -> None:
    assert parse(encode(oldest)) == oldest


@pytest.mark.parametrize(
    "text",
    [
        "",
        MAGIC,
        f"{MAGIC}\nkek kept-audit 2",
        f"{MAGIC}\nkek kept-audit 02\n",
        f"{MAGIC}\nkek kept-audit 0\n",
        f"{MAGIC}\nkek kept-b 2\nkek kept-a 2\n",
        f"{MAGIC}\nkek kept-a 2\nkek kept-a 2\n",
        f"{MAGIC}\nkek kept-a 2\n\n",
        f"{MAGIC}\r\nkek kept-a 2\n",
    ],
)
def test_another_text_is_none(text: str) -> None:
    with pytest.raises(MalformedError):
        parse(text)
